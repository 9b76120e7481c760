package ttlv

// titles are the tags that the protocol defines, in the specification's wording, by their last three hexadecimal digits
// (KMIP 1.4 section 9.1.3.1, KMIP 2.1 section 11). Every version added its own behind those of the one before.
var titles = [...]string{
	0x001: "Activation Date", "Application Data", "Application Namespace", "Application Specific Information",
	0x005: "Archive Date", "Asynchronous Correlation Value", "Asynchronous Indicator", "Attribute",
	0x009: "Attribute Index", "Attribute Name", "Attribute Value", "Authentication",
	0x00d: "Batch Count", "Batch Error Continuation Option", "Batch Item", "Batch Order Option",
	0x011: "Block Cipher Mode", "Cancellation Result", "Certificate", "Certificate Identifier",
	0x015: "Certificate Issuer", "Certificate Issuer Alternative Name", "Certificate Issuer Distinguished Name", "Certificate Request",
	0x019: "Certificate Request Type", "Certificate Subject", "Certificate Subject Alternative Name", "Certificate Subject Distinguished Name",
	0x01d: "Certificate Type", "Certificate Value", "Common Template-Attribute", "Compromise Date",
	0x021: "Compromise Occurrence Date", "Contact Information", "Credential", "Credential Type",
	0x025: "Credential Value", "Criticality Indicator", "CRT Coefficient", "Cryptographic Algorithm",
	0x029: "Cryptographic Domain Parameters", "Cryptographic Length", "Cryptographic Parameters", "Cryptographic Usage Mask",
	0x02d: "Custom Attribute", "D", "Deactivation Date", "Derivation Data",
	0x031: "Derivation Method", "Derivation Parameters", "Destroy Date", "Digest",
	0x035: "Digest Value", "Encryption Key Information", "G", "Hashing Algorithm",
	0x039: "Initial Date", "Initialization Vector", "Issuer", "Iteration Count",
	0x03d: "IV/Counter/Nonce", "J", "Key", "Key Block",
	0x041: "Key Compression Type", "Key Format Type", "Key Material", "Key Part Identifier",
	0x045: "Key Value", "Key Wrapping Data", "Key Wrapping Specification", "Last Change Date",
	0x049: "Lease Time", "Link", "Link Type", "Linked Object Identifier",
	0x04d: "MAC/Signature", "MAC/Signature Key Information", "Maximum Items", "Maximum Response Size",
	0x051: "Message Extension", "Modulus", "Name", "Name Type",
	0x055: "Name Value", "Object Group", "Object Type", "Offset",
	0x059: "Opaque Data Type", "Opaque Data Value", "Opaque Object", "Operation",
	0x05d: "Operation Policy Name", "P", "Padding Method", "Prime Exponent P",
	0x061: "Prime Exponent Q", "Prime Field Size", "Private Exponent", "Private Key",
	0x065: "Private Key Template-Attribute", "Private Key Unique Identifier", "Process Start Date", "Protect Stop Date",
	0x069: "Protocol Version", "Protocol Version Major", "Protocol Version Minor", "Public Exponent",
	0x06d: "Public Key", "Public Key Template-Attribute", "Public Key Unique Identifier", "Put Function",
	0x071: "Q", "Q String", "Qlength", "Query Function",
	0x075: "Recommended Curve", "Replaced Unique Identifier", "Request Header", "Request Message",
	0x079: "Request Payload", "Response Header", "Response Message", "Response Payload",
	0x07d: "Result Message", "Result Reason", "Result Status", "Revocation Message",
	0x081: "Revocation Reason", "Revocation Reason Code", "Key Role Type", "Salt",
	0x085: "Secret Data", "Secret Data Type", "Serial Number", "Server Information",
	0x089: "Split Key", "Split Key Method", "Split Key Parts", "Split Key Threshold",
	0x08d: "State", "Storage Status Mask", "Symmetric Key", "Template",
	0x091: "Template-Attribute", "Time Stamp", "Unique Batch Item ID", "Unique Identifier",
	0x095: "Usage Limits", "Usage Limits Count", "Usage Limits Total", "Usage Limits Unit",
	0x099: "Username", "Validity Date", "Validity Indicator", "Vendor Extension",
	0x09d: "Vendor Identification", "Wrapping Method", "X", "Y",
	0x0a1: "Password",

	// 1.1
	0x0a2: "Device Identifier", "Encoding Option", "Extension Information", "Extension Name",
	0x0a6: "Extension Tag", "Extension Type", "Fresh", "Machine Identifier",
	0x0aa: "Media Identifier", "Network Identifier", "Object Group Member", "Certificate Length",
	0x0ae: "Digital Signature Algorithm", "Certificate Serial Number", "Device Serial Number", "Issuer Alternative Name",
	0x0b2: "Issuer Distinguished Name", "Subject Alternative Name", "Subject Distinguished Name", "X.509 Certificate Identifier",
	0x0b6: "X.509 Certificate Issuer", "X.509 Certificate Subject",

	// 1.2
	0x0b8: "Key Value Location", "Key Value Location Value", "Key Value Location Type", "Key Value Present",
	0x0bc: "Original Creation Date", "PGP Key", "PGP Key Version", "Alternative Name",
	0x0c0: "Alternative Name Value", "Alternative Name Type", "Data", "Signature Data",
	0x0c4: "Data Length", "Random IV", "MAC Data", "Attestation Type",
	0x0c8: "Nonce", "Nonce ID", "Nonce Value", "Attestation Measurement",
	0x0cc: "Attestation Assertion", "IV Length", "Tag Length", "Fixed Field Length",
	0x0d0: "Counter Length", "Initial Counter Value", "Invocation Field Length", "Attestation Capable Indicator",

	// 1.3
	0x0d4: "Offset Items", "Located Items", "Correlation Value", "Init Indicator",
	0x0d8: "Final Indicator", "RNG Parameters", "RNG Algorithm", "DRBG Algorithm",
	0x0dc: "FIPS186 Variation", "Prediction Resistance", "Random Number Generator", "Validation Information",
	0x0e0: "Validation Authority Type", "Validation Authority Country", "Validation Authority URI", "Validation Version Major",
	0x0e4: "Validation Version Minor", "Validation Type", "Validation Level", "Validation Certificate Identifier",
	0x0e8: "Validation Certificate URI", "Validation Vendor URI", "Validation Profile", "Profile Information",
	0x0ec: "Profile Name", "Server URI", "Server Port", "Streaming Capability",
	0x0f0: "Asynchronous Capability", "Attestation Capability", "Unwrap Mode", "Destroy Action",
	0x0f4: "Shredding Algorithm", "RNG Mode", "Client Registration Method", "Capability Information",

	// 1.4
	0x0f8: "Key Wrap Type", "Batch Undo Capability", "Batch Continue Capability", "PKCS#12 Friendly Name",
	0x0fc: "Description", "Comment", "Authenticated Encryption Additional Data", "Authenticated Encryption Tag",
	0x100: "Salt Length", "Mask Generator", "Mask Generator Hashing Algorithm", "P Source",
	0x104: "Trailer Field", "Client Correlation Value", "Server Correlation Value", "Digested Data",
	0x108: "Certificate Subject CN", "Certificate Subject O", "Certificate Subject OU", "Certificate Subject Email",
	0x10c: "Certificate Subject C", "Certificate Subject ST", "Certificate Subject L", "Certificate Subject UID",
	0x110: "Certificate Subject Serial Number", "Certificate Subject Title", "Certificate Subject DC", "Certificate Subject DN Qualifier",
	0x114: "Certificate Issuer CN", "Certificate Issuer O", "Certificate Issuer OU", "Certificate Issuer Email",
	0x118: "Certificate Issuer C", "Certificate Issuer ST", "Certificate Issuer L", "Certificate Issuer UID",
	0x11c: "Certificate Issuer Serial Number", "Certificate Issuer Title", "Certificate Issuer DC", "Certificate Issuer DN Qualifier",
	0x120: "Sensitive", "Always Sensitive", "Extractable", "Never Extractable",
	0x124: "Replace Existing",

	// 2.0; 0x137, 0x13e and 0x13f are reserved
	0x125: "Attributes", "Common Attributes", "Private Key Attributes", "Public Key Attributes",
	0x129: "Extension Enumeration", "Extension Attribute", "Extension Parent Structure Tag", "Extension Description",
	0x12d: "Server Name", "Server Serial Number", "Server Version", "Server Load",
	0x131: "Product Name", "Build Level", "Build Date", "Cluster Info",
	0x135: "Alternate Failover Endpoints", "Short Unique Identifier",
	0x138: "Tag", "Certificate Request Unique Identifier", "NIST Key Type", "Attribute Reference",
	0x13c: "Current Attribute", "New Attribute",
	0x140: "Certificate Request Value", "Log Message", "Profile Version", "Profile Version Major",
	0x144: "Profile Version Minor", "Protection Level", "Protection Period", "Quantum Safe",
	0x148: "Quantum Safe Capability", "Ticket", "Ticket Type", "Ticket Value",
	0x14c: "Request Count", "Rights", "Objects", "Operations",
	0x150: "Right", "Endpoint Role", "Defaults Information", "Object Defaults",
	0x154: "Ephemeral", "Server Hashed Password", "One Time Password", "Hashed Password",
	0x158: "Adjustment Type", "PKCS#11 Interface", "PKCS#11 Function", "PKCS#11 Input Parameters",
	0x15c: "PKCS#11 Output Parameters", "PKCS#11 Return Code", "Protection Storage Mask", "Protection Storage Masks",
	0x160: "Interop Function", "Interop Identifier", "Adjustment Value", "Common Protection Storage Masks",
	0x164: "Private Protection Storage Masks", "Public Protection Storage Masks",

	// 2.1
	0x166: "Object Groups", "Object Types", "Constraints", "Constraint",
	0x16a: "Rotate Interval", "Rotate Automatic", "Rotate Offset", "Rotate Date",
	0x16e: "Rotate Generation", "Rotate Name", "Rotate Name Value", "Rotate Name Type",
	0x172: "Rotate Latest", "Asynchronous Request", "Submission Date", "Processing Stage",
	0x176: "Asynchronous Correlation Values",
}

// tagVersions says which version the tags from first on came with.
var tagVersions = [...]struct {
	first Tag
	since Version
}{{0x420166, V21}, {0x420125, V20}, {0x4200f8, V14}, {0x4200d4, V13}, {0x4200b8, V12}, {0x4200a2, V11}, {0x420001, V10}}

// removedTags are reserved since KMIP 2.0.
var removedTags = map[Tag]bool{
	TagAttributeIndex: true, TagCertificateIdentifier: true, TagCertificateIssuer: true, TagCertificateIssuerAlternativeName: true,
	TagCertificateIssuerDistinguishedName: true, TagCertificateSubject: true, TagCertificateSubjectAlternativeName: true,
	TagCertificateSubjectDistinguishedName: true, TagCommonTemplateAttribute: true, TagCustomAttribute: true, TagIssuer: true,
	TagOperationPolicyName: true, TagPrivateKeyTemplateAttribute: true, TagPublicKeyTemplateAttribute: true, TagSerialNumber: true,
	TagTemplate: true, TagTemplateAttribute: true,
}

// tagSpan returns the versions in which a tag of the table is defined.
func tagSpan(t Tag) Span {
	s := Span{}
	for _, v := range tagVersions {
		if t >= v.first {
			s.Since = v.since
			break
		}
	}
	if removedTags[t] {
		s.Until = V14
	}
	return s
}

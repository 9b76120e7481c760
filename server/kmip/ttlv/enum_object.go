package ttlv

// objectEnums are the values of managed objects and their attributes (KMIP 1.4 section 9.1.3.2, KMIP 2.1 section 11).
var objectEnums = []enum{
	{tags{TagObjectType}, []run{
		{V10, 0, 0x01, "Certificate, Symmetric Key, Public Key, Private Key, Split Key"},
		{V10, V14, 0x06, "Template"},
		{V10, 0, 0x07, "Secret Data, Opaque Object"},
		{V12, 0, 0x09, "PGP Key"},
		{V20, 0, 0x0a, "Certificate Request"},
	}},
	{tags{TagState}, []run{
		{V10, 0, 0x01, "Pre-Active, Active, Deactivated, Compromised, Destroyed, Destroyed Compromised"},
	}},
	{tags{TagRevocationReasonCode}, []run{
		{V10, 0, 0x01, "Unspecified, Key Compromise, CA Compromise, Affiliation Changed, Superseded, Cessation of Operation"},
		{V10, 0, 0x07, "Privilege Withdrawn"},
	}},
	{tags{TagNameType, TagRotateNameType}, []run{{V10, 0, 0x01, "Uninterpreted Text String, URI"}}},
	{tags{TagAlternativeNameType}, []run{
		{V12, 0, 0x01, "Uninterpreted Text String, URI, Object Serial Number, Email Address, DNS Name"},
		{V12, 0, 0x06, "X.500 Distinguished Name, IP Address"},
	}},
	{tags{TagLinkType}, []run{
		{V10, 0, 0x101, "Certificate Link, Public Key Link, Private Key Link, Derivation Base Object Link, Derived Key Link"},
		{V10, 0, 0x106, "Replacement Object Link, Replaced Object Link"},
		{V12, 0, 0x108, "Parent Link, Child Link, Previous Link, Next Link"},
		{V14, 0, 0x10c, "PKCS#12 Certificate Link, PKCS#12 Password Link"},
		{V20, 0, 0x10e, "Wrapping Key Link"},
	}},
	{tags{TagKeyFormatType}, []run{
		{V10, 0, 0x01, "Raw, Opaque, PKCS#1, PKCS#8, X.509, ECPrivateKey, Transparent Symmetric Key"},
		{V10, 0, 0x08, "Transparent DSA Private Key, Transparent DSA Public Key"},
		{V10, 0, 0x0a, "Transparent RSA Private Key, Transparent RSA Public Key"},
		{V10, 0, 0x0c, "Transparent DH Private Key, Transparent DH Public Key"},
		{V10, V14, 0x0e, "Transparent ECDSA Private Key, Transparent ECDSA Public Key"},
		{V10, V14, 0x10, "Transparent ECDH Private Key, Transparent ECDH Public Key"},
		{V10, V14, 0x12, "Transparent ECMQV Private Key, Transparent ECMQV Public Key"},
		{V13, 0, 0x14, "Transparent EC Private Key, Transparent EC Public Key"},
		{V14, 0, 0x16, "PKCS#12"},
		{V20, 0, 0x17, "PKCS#10"},
	}},
	{tags{TagKeyCompressionType}, []run{
		{V10, 0, 0x01, "EC Public Key Type Uncompressed, EC Public Key Type X9.62 Compressed Prime"},
		{V10, 0, 0x03, "EC Public Key Type X9.62 Compressed Char2, EC Public Key Type X9.62 Hybrid"},
	}},
	{tags{TagKeyWrapType}, []run{{V14, 0, 0x01, "Not Wrapped, As Registered"}}},
	{tags{TagWrappingMethod}, []run{
		{V10, 0, 0x01, "Encrypt, MAC/sign, Encrypt then MAC/sign, MAC/sign then encrypt, TR-31"},
	}},
	{tags{TagEncodingOption}, []run{{V11, 0, 0x01, "No Encoding, TTLV Encoding"}}},
	{tags{TagKeyValueLocationType}, []run{{V12, 0, 0x01, "Uninterpreted Text String, URI"}}},
	{tags{TagCertificateType}, []run{{V10, 0, 0x01, "X.509, PGP"}}},
	{tags{TagCertificateRequestType}, []run{
		{V10, 0, 0x01, "CRMF, PKCS#10, PEM"},
		{V10, V14, 0x04, "PGP"},
	}},
	{tags{TagSecretDataType}, []run{{V10, 0, 0x01, "Password, Seed"}}},
	{tags{TagOpaqueDataType}, nil}, // only what vendors define
	{tags{TagSplitKeyMethod}, []run{
		{V10, 0, 0x01, "XOR, Polynomial Sharing GF (2^16), Polynomial Sharing Prime Field"},
		{V12, 0, 0x04, "Polynomial Sharing GF (2^8)"},
	}},
	{tags{TagUsageLimitsUnit}, []run{{V10, 0, 0x01, "Byte, Object"}}},
	{tags{TagKeyRoleType}, []run{
		{V10, 0, 0x01, "BDK, CVK, DEK, MKAC, MKSMC, MKSMI, MKDAC, MKDN, MKCP, MKOTH, KEK, MAC16609"},
		{V10, 0, 0x0d, "MAC97971, MAC97972, MAC97973, MAC97974, MAC97975, ZPK, PVKIBM, PVKPVV, PVKOTH"},
		{V14, 0, 0x16, "DUKPT, IV, TRKBK"},
	}},
	{tags{TagNISTKeyType}, []run{
		{V20, 0, 0x01, "Private signature key, Public signature verification key, Symmetric authentication key"},
		{V20, 0, 0x04, "Private authentication key, Public authentication key, Symmetric data encryption key"},
		{V20, 0, 0x07, "Symmetric key wrapping key, Symmetric random number generation key, Symmetric master key"},
		{V20, 0, 0x0a, "Private key transport key, Public key transport key, Symmetric key agreement key"},
		{V20, 0, 0x0d, "Private static key agreement key, Public static key agreement key"},
		{V20, 0, 0x0f, "Private ephemeral key agreement key, Public ephemeral key agreement key"},
		{V20, 0, 0x11, "Symmetric authorization key, Private authorization key, Public authorization key"},
	}},
	{tags{TagProtectionLevel}, []run{{V20, 0, 0x01, "High, Low"}}},
}

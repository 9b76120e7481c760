package ttlv

import "strings"

const foundryClients = "Basic Symmetric Key Foundry Client, Intermediate Symmetric Key Foundry Client, Advanced Symmetric Key Foundry Client"

// allProfiles are the profiles in the order in which 1.3 and 1.4 number theirs.
const allProfiles = "Baseline Server Basic, Baseline Server TLS v1.2, Baseline Client Basic, Baseline Client TLS v1.2, " +
	"Complete Server Basic, Complete Server TLS v1.2, Tape Library Client, Tape Library Server, " +
	"Symmetric Key Lifecycle Client, Symmetric Key Lifecycle Server, Asymmetric Key Lifecycle Client, Asymmetric Key Lifecycle Server, " +
	"Basic Cryptographic Client, Basic Cryptographic Server, Advanced Cryptographic Client, Advanced Cryptographic Server, " +
	"RNG Cryptographic Client, RNG Cryptographic Server, " + foundryClients + ", Symmetric Key Foundry Server, " +
	"Opaque Managed Object Store Client, Opaque Managed Object Store Server, Suite B minLOS_128 Client, Suite B minLOS_128 Server, " +
	"Suite B minLOS_192 Client, Suite B minLOS_192 Server, Storage Array with Self Encrypting Drive Client, " +
	"Storage Array with Self Encrypting Drive Server, HTTPS Client, HTTPS Server, JSON Client, JSON Server, XML Client, XML Server"

// each adds the protocol's version to every profile of a list.
func each(version, profiles string) string {
	return strings.ReplaceAll(profiles, ", ", " KMIP "+version+", ") + " KMIP " + version
}

// three lists a profile of KMIP 1.0, 1.1 and 1.2.
func three(profile string) string {
	return each("v1.0", profile) + ", " + each("v1.1", profile) + ", " + each("v1.2", profile)
}

// serverEnums are the values of what a server says about itself (KMIP 1.4 section 9.1.3.2, KMIP 2.1 section 11).
var serverEnums = []enum{
	{tags{TagQueryFunction}, []run{
		{V10, 0, 0x01, "Query Operations, Query Objects, Query Server Information, Query Application Namespaces"},
		{V11, 0, 0x05, "Query Extension List, Query Extension Map"},
		{V12, 0, 0x07, "Query Attestation Types"},
		{V13, 0, 0x08, "Query RNGs, Query Validations, Query Profiles, Query Capabilities, Query Client Registration Methods"},
		{V20, 0, 0x0d, "Query Defaults Information, Query Storage Protection Masks"},
	}},
	{tags{TagUnwrapMode}, []run{{V13, 0, 0x01, "Unspecified, Processed, Not Processed"}}},
	{tags{TagDestroyAction}, []run{
		{V13, 0, 0x01, "Unspecified, Key Material Deleted, Key Material Shredded, Meta Data Deleted, Meta Data Shredded"},
		{V13, 0, 0x06, "Deleted, Shredded"},
	}},
	{tags{TagShreddingAlgorithm}, []run{{V13, 0, 0x01, "Unspecified, Cryptographic, Unsupported"}}},
	{tags{TagRNGMode}, []run{{V13, 0, 0x01, "Unspecified, Shared Instantiation, Non-Shared Instantiation"}}},
	{tags{TagClientRegistrationMethod}, []run{
		{V13, 0, 0x01, "Unspecified, Server Pre-Generated, Server On-Demand, Client Generated, Client Registered"},
	}},
	{tags{TagValidationAuthorityType}, []run{{V13, 0, 0x01, "Unspecified, NIST CMVP, Common Criteria"}}},
	{tags{TagValidationType}, []run{{V13, 0, 0x01, "Unspecified, Hardware, Software, Firmware, Hybrid"}}},
	{tags{TagProfileName}, []run{
		{V13, V14, 0x01, "Baseline Server Basic KMIP v1.2, Baseline Server TLS v1.2 KMIP v1.2"},
		{V13, V14, 0x03, "Baseline Client Basic KMIP v1.2, Baseline Client TLS v1.2 KMIP v1.2"},
		{V13, V14, 0x05, "Complete Server Basic KMIP v1.2, Complete Server TLS v1.2 KMIP v1.2"},
		{V13, V14, 0x07, three("Tape Library Client")},
		{V13, V14, 0x0a, three("Tape Library Server")},
		{V13, V14, 0x0d, three("Symmetric Key Lifecycle Client")},
		{V13, V14, 0x10, three("Symmetric Key Lifecycle Server")},
		{V13, V14, 0x13, three("Asymmetric Key Lifecycle Client")},
		{V13, V14, 0x16, three("Asymmetric Key Lifecycle Server")},
		{V13, V14, 0x19, "Basic Cryptographic Client KMIP v1.2, Basic Cryptographic Server KMIP v1.2"},
		{V13, V14, 0x1b, "Advanced Cryptographic Client KMIP v1.2, Advanced Cryptographic Server KMIP v1.2"},
		{V13, V14, 0x1d, "RNG Cryptographic Client KMIP v1.2, RNG Cryptographic Server KMIP v1.2"},
		{V13, V14, 0x1f, each("v1.0", foundryClients)},
		{V13, V14, 0x22, each("v1.1", foundryClients)},
		{V13, V14, 0x25, each("v1.2", foundryClients)},
		{V13, V14, 0x28, three("Symmetric Key Foundry Server")},
		{V13, V14, 0x2b, three("Opaque Managed Object Store Client")},
		{V13, V14, 0x2e, three("Opaque Managed Object Store Server")},
		{V13, V14, 0x31, three("Suite B minLOS_128 Client")},
		{V13, V14, 0x34, three("Suite B minLOS_128 Server")},
		{V13, V14, 0x37, three("Suite B minLOS_192 Client")},
		{V13, V14, 0x3a, three("Suite B minLOS_192 Server")},
		{V13, V14, 0x3d, three("Storage Array with Self Encrypting Drive Client")},
		{V13, V14, 0x40, three("Storage Array with Self Encrypting Drive Server")},
		{V13, V14, 0x43, three("HTTPS Client")},
		{V13, V14, 0x46, three("HTTPS Server")},
		{V13, V14, 0x49, three("JSON Client")},
		{V13, V14, 0x4c, three("JSON Server")},
		{V13, V14, 0x4f, three("XML Client")},
		{V13, V14, 0x52, three("XML Server")},
		{V13, V14, 0x55, each("v1.3", allProfiles)},
		{V14, V14, 0x79, each("v1.4", allProfiles)},
		{V20, 0, 0x104, "Complete Server Basic, Complete Server TLS v1.2"},
		{V20, 0, 0x106, "Tape Library Client, Tape Library Server, Symmetric Key Lifecycle Client, Symmetric Key Lifecycle Server"},
		{V20, 0, 0x10a, "Asymmetric Key Lifecycle Client, Asymmetric Key Lifecycle Server"},
		{V20, 0, 0x10c, "Basic Cryptographic Client, Basic Cryptographic Server"},
		{V20, 0, 0x10e, "Advanced Cryptographic Client, Advanced Cryptographic Server"},
		{V20, 0, 0x110, "RNG Cryptographic Client, RNG Cryptographic Server"},
		{V20, 0, 0x112, "Basic Symmetric Key Foundry Client, Intermediate Symmetric Key Foundry Client"},
		{V20, 0, 0x114, "Advanced Symmetric Key Foundry Client, Symmetric Key Foundry Server"},
		{V20, 0, 0x116, "Opaque Managed Object Store Client, Opaque Managed Object Store Server"},
		{V20, 0, 0x11c, "Storage Array with Self Encrypting Drive Client, Storage Array with Self Encrypting Drive Server"},
		{V20, 0, 0x11e, "HTTPS Client, HTTPS Server, JSON Client, JSON Server, XML Client, XML Server"},
		{V20, 0, 0x124, "AES XTS Client, AES XTS Server, Quantum Safe Client, Quantum Safe Server, PKCS#11 Client, PKCS#11 Server"},
		{V20, 0, 0x12a, "Baseline Client, Baseline Server, Complete Server"},
	}},
}

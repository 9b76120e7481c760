package ttlv

// The bits of Cryptographic Usage Mask (KMIP 1.4 section 9.1.3.3.1, KMIP 2.1 section 12).
const (
	UsageSign               int32 = 1 << 0
	UsageVerify             int32 = 1 << 1
	UsageEncrypt            int32 = 1 << 2
	UsageDecrypt            int32 = 1 << 3
	UsageWrapKey            int32 = 1 << 4
	UsageUnwrapKey          int32 = 1 << 5
	UsageExport             int32 = 1 << 6 // until 1.4
	UsageMACGenerate        int32 = 1 << 7
	UsageMACVerify          int32 = 1 << 8
	UsageDeriveKey          int32 = 1 << 9
	UsageContentCommitment  int32 = 1 << 10 // until 1.4
	UsageKeyAgreement       int32 = 1 << 11
	UsageCertificateSign    int32 = 1 << 12
	UsageCRLSign            int32 = 1 << 13
	UsageGenerateCryptogram int32 = 1 << 14 // until 1.4, as the five below
	UsageValidateCryptogram int32 = 1 << 15
	UsageTranslateEncrypt   int32 = 1 << 16
	UsageTranslateDecrypt   int32 = 1 << 17
	UsageTranslateWrap      int32 = 1 << 18
	UsageTranslateUnwrap    int32 = 1 << 19
	UsageAuthenticate       int32 = 1 << 20 // since 2.0, as the three below
	UsageUnrestricted       int32 = 1 << 21
	UsageFPEEncrypt         int32 = 1 << 22
	UsageFPEDecrypt         int32 = 1 << 23
)

// The bits of Storage Status Mask (KMIP 1.4 section 9.1.3.3.2, KMIP 2.1 section 12).
const (
	StorageOnLine    int32 = 1 << 0
	StorageArchival  int32 = 1 << 1
	StorageDestroyed int32 = 1 << 2 // since 2.0
)

// The bits of Protection Storage Mask, since 2.0 (KMIP 2.1 section 12).
const (
	ProtectionSoftware         int32 = 1 << 0
	ProtectionHardware         int32 = 1 << 1
	ProtectionOnProcessor      int32 = 1 << 2
	ProtectionOnSystem         int32 = 1 << 3
	ProtectionOffSystem        int32 = 1 << 4
	ProtectionHypervisor       int32 = 1 << 5
	ProtectionOperatingSystem  int32 = 1 << 6
	ProtectionContainer        int32 = 1 << 7
	ProtectionOnPremises       int32 = 1 << 8
	ProtectionOffPremises      int32 = 1 << 9
	ProtectionSelfManaged      int32 = 1 << 10
	ProtectionOutsourced       int32 = 1 << 11
	ProtectionValidated        int32 = 1 << 12
	ProtectionSameJurisdiction int32 = 1 << 13
)

// masks are tables of bits: the first number of a run is that of its first bit, 0 being the lowest.
var masks = []enum{
	{tags{TagCryptographicUsageMask}, []run{
		{V10, 0, 0, "Sign, Verify, Encrypt, Decrypt, Wrap Key, Unwrap Key"},
		{V10, V14, 6, "Export"},
		{V10, 0, 7, "MAC Generate, MAC Verify, Derive Key"},
		{V10, V14, 10, "Content Commitment"},
		{V10, 0, 11, "Key Agreement, Certificate Sign, CRL Sign"},
		{V10, V14, 14, "Generate Cryptogram, Validate Cryptogram"},
		{V10, V14, 16, "Translate Encrypt, Translate Decrypt, Translate Wrap, Translate Unwrap"},
		{V20, 0, 20, "Authenticate, Unrestricted, FPE Encrypt, FPE Decrypt"},
	}},
	{tags{TagStorageStatusMask}, []run{
		{V10, 0, 0, "On-line storage, Archival storage"},
		{V20, 0, 2, "Destroyed storage"},
	}},
	{tags{TagProtectionStorageMask}, []run{
		{V20, 0, 0, "Software, Hardware, On Processor, On System, Off System, Hypervisor, Operating System, Container"},
		{V20, 0, 8, "On Premises, Off Premises, Self Managed, Outsourced, Validated, Same Jurisdiction"},
	}},
}

package managedkey

// The types below have the numbers of the KMIP enumerations of the same names, so that a translation is a conversion. Only the values that this package
// itself looks at have names here.
type (
	ObjectType       uint32 // KMIP 1.4 section 9.1.3.2.12
	State            uint32 // section 9.1.3.2.18
	RevocationCode   uint32 // section 9.1.3.2.19
	LinkType         uint32 // section 9.1.3.2.20
	NameType         uint32 // section 9.1.3.2.11
	AltNameType      uint32 // section 9.1.3.2.34
	LocationType     uint32 // section 9.1.3.2.35
	Unit             uint32 // section 9.1.3.2.31, of usage limits
	KeyFormat        uint32 // section 9.1.3.2.3
	Compression      uint32 // section 9.1.3.2.2, of keys
	Algorithm        uint32 // section 9.1.3.2.13
	BlockMode        uint32 // section 9.1.3.2.14
	Padding          uint32 // section 9.1.3.2.15
	Hash             uint32 // section 9.1.3.2.16
	KeyRole          uint32 // section 9.1.3.2.17
	Signature        uint32 // section 9.1.3.2.7, an algorithm of digital signatures
	MaskGenerator    uint32 // section 9.1.3.2.51
	Curve            uint32 // section 9.1.3.2.5
	CertificateType  uint32 // section 9.1.3.2.6
	SecretDataType   uint32 // section 9.1.3.2.9
	OpaqueDataType   uint32 // section 9.1.3.2.10
	SplitMethod      uint32 // section 9.1.3.2.8
	RNGAlgorithm     uint32 // section 9.1.3.2.38
	DRBGAlgorithm    uint32 // section 9.1.3.2.39
	FIPS186Variation uint32 // section 9.1.3.2.40
	UsageMask        uint32 // section 9.1.3.3.1
	StorageMask      uint32 // section 9.1.3.3.2, KMIP 2.1 section 12
	GroupMember      uint32 // section 9.1.3.2.33
)

// Types of objects. A template has no life cycle; the others have all six states.
const (
	Certificate        ObjectType = 1
	SymmetricKey       ObjectType = 2
	PublicKey          ObjectType = 3
	PrivateKey         ObjectType = 4
	SplitKey           ObjectType = 5
	Template           ObjectType = 6 // until KMIP 1.4; its material is what the server made of its attributes
	SecretData         ObjectType = 7
	OpaqueObject       ObjectType = 8
	PGPKey             ObjectType = 9
	CertificateRequest ObjectType = 10
)

// States of an object (KMIP 1.4 section 3.22).
const (
	PreActive            State = 1
	Active               State = 2
	Deactivated          State = 3
	Compromised          State = 4
	Destroyed            State = 5
	DestroyedCompromised State = 6
)

// Codes of revocation.
const (
	Unspecified          RevocationCode = 1
	KeyCompromise        RevocationCode = 2
	CACompromise         RevocationCode = 3
	AffiliationChanged   RevocationCode = 4
	Superseded           RevocationCode = 5
	CessationOfOperation RevocationCode = 6
	PrivilegeWithdrawn   RevocationCode = 7
)

// Types of links that this package makes or follows.
const (
	PublicKeyLink   LinkType = 0x102
	PrivateKeyLink  LinkType = 0x103
	ReplacementLink LinkType = 0x106 // to the object that came in the place of this one
	ReplacedLink    LinkType = 0x107 // to the object that this one came in the place of
)

// Values that have names here because tests and decisions use them.
const (
	TextName      NameType    = 1 // uninterpreted text
	URIName       NameType    = 2
	SHA256        Hash        = 6
	AES           Algorithm   = 3
	RSA           Algorithm   = 4
	RawFormat     KeyFormat   = 1
	ByteUnit      Unit        = 1
	ObjectUnit    Unit        = 2
	MemberFresh   GroupMember = 1
	MemberDefault GroupMember = 2
)

// Bits of a usage mask, those that are told apart by whether they protect or process (KMIP 1.4 section 3.22).
const (
	UseSign         UsageMask = 1 << 0
	UseVerify       UsageMask = 1 << 1
	UseEncrypt      UsageMask = 1 << 2
	UseDecrypt      UsageMask = 1 << 3
	UseWrap         UsageMask = 1 << 4
	UseUnwrap       UsageMask = 1 << 5
	UseMACGenerate  UsageMask = 1 << 7
	UseMACVerify    UsageMask = 1 << 8
	UseDerive       UsageMask = 1 << 9
	UseAgreement    UsageMask = 1 << 11
	UseSignCert     UsageMask = 1 << 12
	UseSignCRL      UsageMask = 1 << 13
	UseUnrestricted UsageMask = 1 << 21 // stands for all others (KMIP 2.1)
)

// Bits of a storage status mask. 0 stands for Online.
const (
	Online       StorageMask = 1 << 0
	Archived     StorageMask = 1 << 1
	DestroyedToo StorageMask = 1 << 2 // since KMIP 2.0
)

// lifecycle reports whether objects of a type have states and the dates that move them.
func (t ObjectType) lifecycle() bool { return t != Template }

func (t ObjectType) valid() bool { return t >= Certificate && t <= CertificateRequest }

// Operation is a KMIP operation (section 9.1.3.2.27), where the table of attributes names those that set one by themselves.
type Operation uint32

// Operations.
const (
	OpCreate             Operation = 0x01
	OpCreateKeyPair      Operation = 0x02
	OpRegister           Operation = 0x03
	OpReKey              Operation = 0x04
	OpDeriveKey          Operation = 0x05
	OpCertify            Operation = 0x06
	OpReCertify          Operation = 0x07
	OpGet                Operation = 0x0a
	OpAddAttribute       Operation = 0x0d
	OpModifyAttribute    Operation = 0x0e
	OpDeleteAttribute    Operation = 0x0f
	OpObtainLease        Operation = 0x10
	OpGetUsageAllocation Operation = 0x11
	OpActivate           Operation = 0x12
	OpRevoke             Operation = 0x13
	OpDestroy            Operation = 0x14
	OpArchive            Operation = 0x15
	OpRecover            Operation = 0x16
	OpReKeyKeyPair       Operation = 0x1d
	OpEncrypt            Operation = 0x1f
	OpSign               Operation = 0x21
	OpMAC                Operation = 0x23
	OpImport             Operation = 0x2a
	OpSetAttribute       Operation = 0x31
)

package ttlv

// Values of TagObjectType.
const (
	ObjectTypeCertificate        uint32 = 0x01
	ObjectTypeSymmetricKey       uint32 = 0x02
	ObjectTypePublicKey          uint32 = 0x03
	ObjectTypePrivateKey         uint32 = 0x04
	ObjectTypeSplitKey           uint32 = 0x05
	ObjectTypeTemplate           uint32 = 0x06 // until 1.4
	ObjectTypeSecretData         uint32 = 0x07
	ObjectTypeOpaqueObject       uint32 = 0x08
	ObjectTypePGPKey             uint32 = 0x09 // since 1.2
	ObjectTypeCertificateRequest uint32 = 0x0a // since 2.0
)

// Values of TagState.
const (
	StatePreActive            uint32 = 0x01
	StateActive               uint32 = 0x02
	StateDeactivated          uint32 = 0x03
	StateCompromised          uint32 = 0x04
	StateDestroyed            uint32 = 0x05
	StateDestroyedCompromised uint32 = 0x06
)

// Values of TagRevocationReasonCode.
const (
	RevocationReasonCodeUnspecified          uint32 = 0x01
	RevocationReasonCodeKeyCompromise        uint32 = 0x02
	RevocationReasonCodeCACompromise         uint32 = 0x03
	RevocationReasonCodeAffiliationChanged   uint32 = 0x04
	RevocationReasonCodeSuperseded           uint32 = 0x05
	RevocationReasonCodeCessationOfOperation uint32 = 0x06
	RevocationReasonCodePrivilegeWithdrawn   uint32 = 0x07
)

// Values of TagNameType.
const (
	NameTypeUninterpretedTextString uint32 = 0x01
	NameTypeURI                     uint32 = 0x02
)

// Values of TagAlternativeNameType.
const (
	AlternativeNameTypeUninterpretedTextString uint32 = 0x01
	AlternativeNameTypeURI                     uint32 = 0x02
	AlternativeNameTypeObjectSerialNumber      uint32 = 0x03
	AlternativeNameTypeEmailAddress            uint32 = 0x04
	AlternativeNameTypeDNSName                 uint32 = 0x05
	AlternativeNameTypeX500DistinguishedName   uint32 = 0x06
	AlternativeNameTypeIPAddress               uint32 = 0x07
)

// Values of TagLinkType.
const (
	LinkTypeCertificateLink          uint32 = 0x101
	LinkTypePublicKeyLink            uint32 = 0x102
	LinkTypePrivateKeyLink           uint32 = 0x103
	LinkTypeDerivationBaseObjectLink uint32 = 0x104
	LinkTypeDerivedKeyLink           uint32 = 0x105
	LinkTypeReplacementObjectLink    uint32 = 0x106
	LinkTypeReplacedObjectLink       uint32 = 0x107
	LinkTypeParentLink               uint32 = 0x108 // since 1.2
	LinkTypeChildLink                uint32 = 0x109 // since 1.2
	LinkTypePreviousLink             uint32 = 0x10a // since 1.2
	LinkTypeNextLink                 uint32 = 0x10b // since 1.2
	LinkTypePKCS12CertificateLink    uint32 = 0x10c // since 1.4
	LinkTypePKCS12PasswordLink       uint32 = 0x10d // since 1.4
	LinkTypeWrappingKeyLink          uint32 = 0x10e // since 2.0
)

// Values of TagKeyFormatType.
const (
	KeyFormatTypeRaw                        uint32 = 0x01
	KeyFormatTypeOpaque                     uint32 = 0x02
	KeyFormatTypePKCS1                      uint32 = 0x03
	KeyFormatTypePKCS8                      uint32 = 0x04
	KeyFormatTypeX509                       uint32 = 0x05
	KeyFormatTypeECPrivateKey               uint32 = 0x06
	KeyFormatTypeTransparentSymmetricKey    uint32 = 0x07
	KeyFormatTypeTransparentDSAPrivateKey   uint32 = 0x08
	KeyFormatTypeTransparentDSAPublicKey    uint32 = 0x09
	KeyFormatTypeTransparentRSAPrivateKey   uint32 = 0x0a
	KeyFormatTypeTransparentRSAPublicKey    uint32 = 0x0b
	KeyFormatTypeTransparentDHPrivateKey    uint32 = 0x0c
	KeyFormatTypeTransparentDHPublicKey     uint32 = 0x0d
	KeyFormatTypeTransparentECDSAPrivateKey uint32 = 0x0e // until 1.4
	KeyFormatTypeTransparentECDSAPublicKey  uint32 = 0x0f // until 1.4
	KeyFormatTypeTransparentECDHPrivateKey  uint32 = 0x10 // until 1.4
	KeyFormatTypeTransparentECDHPublicKey   uint32 = 0x11 // until 1.4
	KeyFormatTypeTransparentECMQVPrivateKey uint32 = 0x12 // until 1.4
	KeyFormatTypeTransparentECMQVPublicKey  uint32 = 0x13 // until 1.4
	KeyFormatTypeTransparentECPrivateKey    uint32 = 0x14 // since 1.3
	KeyFormatTypeTransparentECPublicKey     uint32 = 0x15 // since 1.3
	KeyFormatTypePKCS12                     uint32 = 0x16 // since 1.4
	KeyFormatTypePKCS10                     uint32 = 0x17 // since 2.0
)

// Values of TagKeyCompressionType.
const (
	KeyCompressionTypeECPublicKeyTypeUncompressed        uint32 = 0x01
	KeyCompressionTypeECPublicKeyTypeX962CompressedPrime uint32 = 0x02
	KeyCompressionTypeECPublicKeyTypeX962CompressedChar2 uint32 = 0x03
	KeyCompressionTypeECPublicKeyTypeX962Hybrid          uint32 = 0x04
)

// Values of TagKeyWrapType.
const (
	KeyWrapTypeNotWrapped   uint32 = 0x01
	KeyWrapTypeAsRegistered uint32 = 0x02
)

// Values of TagWrappingMethod.
const (
	WrappingMethodEncrypt            uint32 = 0x01
	WrappingMethodMACSign            uint32 = 0x02
	WrappingMethodEncryptThenMACSign uint32 = 0x03
	WrappingMethodMACSignThenEncrypt uint32 = 0x04
	WrappingMethodTR31               uint32 = 0x05
)

// Values of TagEncodingOption.
const (
	EncodingOptionNoEncoding   uint32 = 0x01
	EncodingOptionTTLVEncoding uint32 = 0x02
)

// Values of TagKeyValueLocationType.
const (
	KeyValueLocationTypeUninterpretedTextString uint32 = 0x01
	KeyValueLocationTypeURI                     uint32 = 0x02
)

// Values of TagCertificateType.
const (
	CertificateTypeX509 uint32 = 0x01
	CertificateTypePGP  uint32 = 0x02
)

// Values of TagCertificateRequestType.
const (
	CertificateRequestTypeCRMF   uint32 = 0x01
	CertificateRequestTypePKCS10 uint32 = 0x02
	CertificateRequestTypePEM    uint32 = 0x03
	CertificateRequestTypePGP    uint32 = 0x04 // until 1.4
)

// Values of TagSecretDataType.
const (
	SecretDataTypePassword uint32 = 0x01
	SecretDataTypeSeed     uint32 = 0x02
)

// Values of TagSplitKeyMethod.
const (
	SplitKeyMethodXOR                         uint32 = 0x01
	SplitKeyMethodPolynomialSharingGF216      uint32 = 0x02
	SplitKeyMethodPolynomialSharingPrimeField uint32 = 0x03
	SplitKeyMethodPolynomialSharingGF28       uint32 = 0x04 // since 1.2
)

// Values of TagUsageLimitsUnit.
const (
	UsageLimitsUnitByte   uint32 = 0x01
	UsageLimitsUnitObject uint32 = 0x02
)

// Values of TagProtectionLevel.
const (
	ProtectionLevelHigh uint32 = 0x01
	ProtectionLevelLow  uint32 = 0x02
)

package ttlv

// Values of TagCryptographicAlgorithm.
const (
	CryptographicAlgorithmDES              uint32 = 0x01
	CryptographicAlgorithmDES3             uint32 = 0x02
	CryptographicAlgorithmAES              uint32 = 0x03
	CryptographicAlgorithmRSA              uint32 = 0x04
	CryptographicAlgorithmDSA              uint32 = 0x05
	CryptographicAlgorithmECDSA            uint32 = 0x06
	CryptographicAlgorithmHMACSHA1         uint32 = 0x07
	CryptographicAlgorithmHMACSHA224       uint32 = 0x08
	CryptographicAlgorithmHMACSHA256       uint32 = 0x09
	CryptographicAlgorithmHMACSHA384       uint32 = 0x0a
	CryptographicAlgorithmHMACSHA512       uint32 = 0x0b
	CryptographicAlgorithmHMACMD5          uint32 = 0x0c
	CryptographicAlgorithmDH               uint32 = 0x0d
	CryptographicAlgorithmECDH             uint32 = 0x0e
	CryptographicAlgorithmECMQV            uint32 = 0x0f
	CryptographicAlgorithmBlowfish         uint32 = 0x10
	CryptographicAlgorithmCamellia         uint32 = 0x11
	CryptographicAlgorithmCAST5            uint32 = 0x12
	CryptographicAlgorithmIDEA             uint32 = 0x13
	CryptographicAlgorithmMARS             uint32 = 0x14
	CryptographicAlgorithmRC2              uint32 = 0x15
	CryptographicAlgorithmRC4              uint32 = 0x16
	CryptographicAlgorithmRC5              uint32 = 0x17
	CryptographicAlgorithmSKIPJACK         uint32 = 0x18
	CryptographicAlgorithmTwofish          uint32 = 0x19
	CryptographicAlgorithmEC               uint32 = 0x1a // since 1.2
	CryptographicAlgorithmOneTimePad       uint32 = 0x1b // since 1.3
	CryptographicAlgorithmChaCha20         uint32 = 0x1c // since 1.4
	CryptographicAlgorithmPoly1305         uint32 = 0x1d // since 1.4
	CryptographicAlgorithmChaCha20Poly1305 uint32 = 0x1e // since 1.4
	CryptographicAlgorithmSHA3224          uint32 = 0x1f // since 1.4
	CryptographicAlgorithmSHA3256          uint32 = 0x20 // since 1.4
	CryptographicAlgorithmSHA3384          uint32 = 0x21 // since 1.4
	CryptographicAlgorithmSHA3512          uint32 = 0x22 // since 1.4
	CryptographicAlgorithmHMACSHA3224      uint32 = 0x23 // since 1.4
	CryptographicAlgorithmHMACSHA3256      uint32 = 0x24 // since 1.4
	CryptographicAlgorithmHMACSHA3384      uint32 = 0x25 // since 1.4
	CryptographicAlgorithmHMACSHA3512      uint32 = 0x26 // since 1.4
	CryptographicAlgorithmSHAKE128         uint32 = 0x27 // since 1.4
	CryptographicAlgorithmSHAKE256         uint32 = 0x28 // since 1.4
	CryptographicAlgorithmARIA             uint32 = 0x29 // since 2.0
	CryptographicAlgorithmSEED             uint32 = 0x2a // since 2.0
	CryptographicAlgorithmSM2              uint32 = 0x2b // since 2.0
	CryptographicAlgorithmSM3              uint32 = 0x2c // since 2.0
	CryptographicAlgorithmSM4              uint32 = 0x2d // since 2.0
	CryptographicAlgorithmGOSTR34102012    uint32 = 0x2e // since 2.0
	CryptographicAlgorithmGOSTR34112012    uint32 = 0x2f // since 2.0
	CryptographicAlgorithmGOSTR34132015    uint32 = 0x30 // since 2.0
	CryptographicAlgorithmGOST2814789      uint32 = 0x31 // since 2.0
	CryptographicAlgorithmXMSS             uint32 = 0x32 // since 2.0
	CryptographicAlgorithmSPHINCS256       uint32 = 0x33 // since 2.0
	CryptographicAlgorithmMcEliece         uint32 = 0x34 // since 2.0
	CryptographicAlgorithmMcEliece6960119  uint32 = 0x35 // since 2.0
	CryptographicAlgorithmMcEliece8192128  uint32 = 0x36 // since 2.0
	CryptographicAlgorithmEd25519          uint32 = 0x37 // since 2.0
	CryptographicAlgorithmEd448            uint32 = 0x38 // since 2.0
)

// Values of TagBlockCipherMode.
const (
	BlockCipherModeCBC               uint32 = 0x01
	BlockCipherModeECB               uint32 = 0x02
	BlockCipherModePCBC              uint32 = 0x03
	BlockCipherModeCFB               uint32 = 0x04
	BlockCipherModeOFB               uint32 = 0x05
	BlockCipherModeCTR               uint32 = 0x06
	BlockCipherModeCMAC              uint32 = 0x07
	BlockCipherModeCCM               uint32 = 0x08
	BlockCipherModeGCM               uint32 = 0x09
	BlockCipherModeCBCMAC            uint32 = 0x0a
	BlockCipherModeXTS               uint32 = 0x0b
	BlockCipherModeAESKeyWrapPadding uint32 = 0x0c
	BlockCipherModeNISTKeyWrap       uint32 = 0x0d
	BlockCipherModeX9102AESKW        uint32 = 0x0e
	BlockCipherModeX9102TDKW         uint32 = 0x0f
	BlockCipherModeX9102AKW1         uint32 = 0x10
	BlockCipherModeX9102AKW2         uint32 = 0x11
	BlockCipherModeAEAD              uint32 = 0x12 // since 1.4
)

// Values of TagPaddingMethod.
const (
	PaddingMethodNone     uint32 = 0x01
	PaddingMethodOAEP     uint32 = 0x02
	PaddingMethodPKCS5    uint32 = 0x03
	PaddingMethodSSL3     uint32 = 0x04
	PaddingMethodZeros    uint32 = 0x05
	PaddingMethodANSIX923 uint32 = 0x06
	PaddingMethodISO10126 uint32 = 0x07
	PaddingMethodPKCS1V15 uint32 = 0x08
	PaddingMethodX931     uint32 = 0x09
	PaddingMethodPSS      uint32 = 0x0a
)

// Values of TagHashingAlgorithm.
const (
	HashingAlgorithmMD2       uint32 = 0x01
	HashingAlgorithmMD4       uint32 = 0x02
	HashingAlgorithmMD5       uint32 = 0x03
	HashingAlgorithmSHA1      uint32 = 0x04
	HashingAlgorithmSHA224    uint32 = 0x05
	HashingAlgorithmSHA256    uint32 = 0x06
	HashingAlgorithmSHA384    uint32 = 0x07
	HashingAlgorithmSHA512    uint32 = 0x08
	HashingAlgorithmRIPEMD160 uint32 = 0x09
	HashingAlgorithmTiger     uint32 = 0x0a
	HashingAlgorithmWhirlpool uint32 = 0x0b
	HashingAlgorithmSHA512224 uint32 = 0x0c // since 1.2
	HashingAlgorithmSHA512256 uint32 = 0x0d // since 1.2
	HashingAlgorithmSHA3224   uint32 = 0x0e // since 1.4
	HashingAlgorithmSHA3256   uint32 = 0x0f // since 1.4
	HashingAlgorithmSHA3384   uint32 = 0x10 // since 1.4
	HashingAlgorithmSHA3512   uint32 = 0x11 // since 1.4
)

// Values of TagMaskGenerator.
const (
	MaskGeneratorMGF1 uint32 = 0x01
)

// Values of TagDigitalSignatureAlgorithm.
const (
	DigitalSignatureAlgorithmMD2WithRSAEncryption     uint32 = 0x01 // since 1.1
	DigitalSignatureAlgorithmMD5WithRSAEncryption     uint32 = 0x02 // since 1.1
	DigitalSignatureAlgorithmSHA1WithRSAEncryption    uint32 = 0x03 // since 1.1
	DigitalSignatureAlgorithmSHA224WithRSAEncryption  uint32 = 0x04 // since 1.1
	DigitalSignatureAlgorithmSHA256WithRSAEncryption  uint32 = 0x05 // since 1.1
	DigitalSignatureAlgorithmSHA384WithRSAEncryption  uint32 = 0x06 // since 1.1
	DigitalSignatureAlgorithmSHA512WithRSAEncryption  uint32 = 0x07 // since 1.1
	DigitalSignatureAlgorithmRSASSAPSS                uint32 = 0x08 // since 1.1
	DigitalSignatureAlgorithmDSAWithSHA1              uint32 = 0x09 // since 1.1
	DigitalSignatureAlgorithmDSAWithSHA224            uint32 = 0x0a // since 1.1
	DigitalSignatureAlgorithmDSAWithSHA256            uint32 = 0x0b // since 1.1
	DigitalSignatureAlgorithmECDSAWithSHA1            uint32 = 0x0c // since 1.1
	DigitalSignatureAlgorithmECDSAWithSHA224          uint32 = 0x0d // since 1.1
	DigitalSignatureAlgorithmECDSAWithSHA256          uint32 = 0x0e // since 1.1
	DigitalSignatureAlgorithmECDSAWithSHA384          uint32 = 0x0f // since 1.1
	DigitalSignatureAlgorithmECDSAWithSHA512          uint32 = 0x10 // since 1.1
	DigitalSignatureAlgorithmSHA3256WithRSAEncryption uint32 = 0x11 // since 1.4
	DigitalSignatureAlgorithmSHA3384WithRSAEncryption uint32 = 0x12 // since 1.4
	DigitalSignatureAlgorithmSHA3512WithRSAEncryption uint32 = 0x13 // since 1.4
)

// Values of TagDerivationMethod.
const (
	DerivationMethodPBKDF2               uint32 = 0x01
	DerivationMethodHASH                 uint32 = 0x02
	DerivationMethodHMAC                 uint32 = 0x03
	DerivationMethodENCRYPT              uint32 = 0x04
	DerivationMethodNIST800108C          uint32 = 0x05
	DerivationMethodNIST800108F          uint32 = 0x06
	DerivationMethodNIST800108DPI        uint32 = 0x07
	DerivationMethodAsymmetricKey        uint32 = 0x08 // since 1.4
	DerivationMethodAWSSignatureVersion4 uint32 = 0x09 // since 2.0
	DerivationMethodHKDF                 uint32 = 0x0a // since 2.0
)

// Values of TagRecommendedCurve: those that are in use; the table has all.
const (
	RecommendedCurveP224       uint32 = 0x04
	RecommendedCurveP256       uint32 = 0x07
	RecommendedCurveP384       uint32 = 0x0a
	RecommendedCurveP521       uint32 = 0x0d
	RecommendedCurveSECP256K1  uint32 = 0x19 // since 1.2
	RecommendedCurveCURVE25519 uint32 = 0x45 // since 2.0
	RecommendedCurveCURVE448   uint32 = 0x46 // since 2.0
)

// Values of TagRNGAlgorithm.
const (
	RNGAlgorithmUnspecified uint32 = 0x01
	RNGAlgorithmFIPS1862    uint32 = 0x02
	RNGAlgorithmDRBG        uint32 = 0x03
	RNGAlgorithmNRBG        uint32 = 0x04
	RNGAlgorithmANSIX931    uint32 = 0x05
	RNGAlgorithmANSIX962    uint32 = 0x06
)

// Values of TagDRBGAlgorithm.
const (
	DRBGAlgorithmUnspecified uint32 = 0x01
	DRBGAlgorithmDualEC      uint32 = 0x02
	DRBGAlgorithmHash        uint32 = 0x03
	DRBGAlgorithmHMAC        uint32 = 0x04
	DRBGAlgorithmCTR         uint32 = 0x05
)

// Values of TagFIPS186Variation.
const (
	FIPS186VariationUnspecified     uint32 = 0x01
	FIPS186VariationGPXOriginal     uint32 = 0x02
	FIPS186VariationGPXChangeNotice uint32 = 0x03
	FIPS186VariationXOriginal       uint32 = 0x04
	FIPS186VariationXChangeNotice   uint32 = 0x05
	FIPS186VariationKOriginal       uint32 = 0x06
	FIPS186VariationKChangeNotice   uint32 = 0x07
)

package ttlv

// Values of TagQueryFunction.
const (
	QueryFunctionQueryOperations                uint32 = 0x01
	QueryFunctionQueryObjects                   uint32 = 0x02
	QueryFunctionQueryServerInformation         uint32 = 0x03
	QueryFunctionQueryApplicationNamespaces     uint32 = 0x04
	QueryFunctionQueryExtensionList             uint32 = 0x05 // since 1.1
	QueryFunctionQueryExtensionMap              uint32 = 0x06 // since 1.1
	QueryFunctionQueryAttestationTypes          uint32 = 0x07 // since 1.2
	QueryFunctionQueryRNGs                      uint32 = 0x08 // since 1.3
	QueryFunctionQueryValidations               uint32 = 0x09 // since 1.3
	QueryFunctionQueryProfiles                  uint32 = 0x0a // since 1.3
	QueryFunctionQueryCapabilities              uint32 = 0x0b // since 1.3
	QueryFunctionQueryClientRegistrationMethods uint32 = 0x0c // since 1.3
	QueryFunctionQueryDefaultsInformation       uint32 = 0x0d // since 2.0
	QueryFunctionQueryStorageProtectionMasks    uint32 = 0x0e // since 2.0
)

// Values of TagUnwrapMode.
const (
	UnwrapModeUnspecified  uint32 = 0x01
	UnwrapModeProcessed    uint32 = 0x02
	UnwrapModeNotProcessed uint32 = 0x03
)

// Values of TagDestroyAction.
const (
	DestroyActionUnspecified         uint32 = 0x01
	DestroyActionKeyMaterialDeleted  uint32 = 0x02
	DestroyActionKeyMaterialShredded uint32 = 0x03
	DestroyActionMetaDataDeleted     uint32 = 0x04
	DestroyActionMetaDataShredded    uint32 = 0x05
	DestroyActionDeleted             uint32 = 0x06
	DestroyActionShredded            uint32 = 0x07
)

// Values of TagShreddingAlgorithm.
const (
	ShreddingAlgorithmUnspecified   uint32 = 0x01
	ShreddingAlgorithmCryptographic uint32 = 0x02
	ShreddingAlgorithmUnsupported   uint32 = 0x03
)

// Values of TagRNGMode.
const (
	RNGModeUnspecified            uint32 = 0x01
	RNGModeSharedInstantiation    uint32 = 0x02
	RNGModeNonSharedInstantiation uint32 = 0x03
)

// Values of TagClientRegistrationMethod.
const (
	ClientRegistrationMethodUnspecified        uint32 = 0x01
	ClientRegistrationMethodServerPreGenerated uint32 = 0x02
	ClientRegistrationMethodServerOnDemand     uint32 = 0x03
	ClientRegistrationMethodClientGenerated    uint32 = 0x04
	ClientRegistrationMethodClientRegistered   uint32 = 0x05
)

// Values of TagValidationAuthorityType.
const (
	ValidationAuthorityTypeUnspecified    uint32 = 0x01
	ValidationAuthorityTypeNISTCMVP       uint32 = 0x02
	ValidationAuthorityTypeCommonCriteria uint32 = 0x03
)

// Values of TagValidationType.
const (
	ValidationTypeUnspecified uint32 = 0x01
	ValidationTypeHardware    uint32 = 0x02
	ValidationTypeSoftware    uint32 = 0x03
	ValidationTypeFirmware    uint32 = 0x04
	ValidationTypeHybrid      uint32 = 0x05
)

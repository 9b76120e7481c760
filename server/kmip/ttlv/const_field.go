package ttlv

// Values of TagBatchErrorContinuationOption.
const (
	BatchErrorContinuationOptionContinue uint32 = 0x01
	BatchErrorContinuationOptionStop     uint32 = 0x02
	BatchErrorContinuationOptionUndo     uint32 = 0x03
)

// Values of TagAsynchronousIndicator.
const (
	AsynchronousIndicatorMandatory  uint32 = 0x01
	AsynchronousIndicatorOptional   uint32 = 0x02
	AsynchronousIndicatorProhibited uint32 = 0x03
)

// Values of TagCancellationResult.
const (
	CancellationResultCanceled       uint32 = 0x01
	CancellationResultUnableToCancel uint32 = 0x02
	CancellationResultCompleted      uint32 = 0x03
	CancellationResultFailed         uint32 = 0x04
	CancellationResultUnavailable    uint32 = 0x05
)

// Values of TagProcessingStage.
const (
	ProcessingStageSubmitted uint32 = 0x01
	ProcessingStageInProcess uint32 = 0x02
	ProcessingStageCompleted uint32 = 0x03
)

// Values of TagPutFunction.
const (
	PutFunctionNew     uint32 = 0x01
	PutFunctionReplace uint32 = 0x02
)

// Values of TagAdjustmentType.
const (
	AdjustmentTypeIncrement uint32 = 0x01
	AdjustmentTypeDecrement uint32 = 0x02
	AdjustmentTypeNegate    uint32 = 0x03
)

// Values of TagInteropFunction.
const (
	InteropFunctionBegin uint32 = 0x01
	InteropFunctionEnd   uint32 = 0x02
	InteropFunctionReset uint32 = 0x03
)

// Values of TagEndpointRole.
const (
	EndpointRoleClient uint32 = 0x01
	EndpointRoleServer uint32 = 0x02
)

// Values of TagTicketType.
const (
	TicketTypeLogin uint32 = 0x01
)

// Values of TagCredentialType.
const (
	CredentialTypeUsernameAndPassword uint32 = 0x01
	CredentialTypeDevice              uint32 = 0x02 // since 1.1
	CredentialTypeAttestation         uint32 = 0x03 // since 1.2
	CredentialTypeOneTimePassword     uint32 = 0x04 // since 2.0
	CredentialTypeHashedPassword      uint32 = 0x05 // since 2.0
	CredentialTypeTicket              uint32 = 0x06 // since 2.0
)

// Values of TagAttestationType.
const (
	AttestationTypeTPMQuote           uint32 = 0x01
	AttestationTypeTCGIntegrityReport uint32 = 0x02
	AttestationTypeSAMLAssertion      uint32 = 0x03
)

// Values of TagObjectGroupMember.
const (
	ObjectGroupMemberGroupMemberFresh   uint32 = 0x01
	ObjectGroupMemberGroupMemberDefault uint32 = 0x02
)

// Values of TagValidityIndicator.
const (
	ValidityIndicatorValid   uint32 = 0x01
	ValidityIndicatorInvalid uint32 = 0x02
	ValidityIndicatorUnknown uint32 = 0x03
)

// Values of TagData.
const (
	DataDecrypt           uint32 = 0x01
	DataEncrypt           uint32 = 0x02
	DataHash              uint32 = 0x03
	DataMACMACData        uint32 = 0x04
	DataRNGRetrieve       uint32 = 0x05
	DataSignSignatureData uint32 = 0x06
	DataSignatureVerify   uint32 = 0x07
)

// Values of TagUniqueIdentifier.
const (
	UniqueIdentifierIDPlaceholder           uint32 = 0x01
	UniqueIdentifierCertify                 uint32 = 0x02
	UniqueIdentifierCreate                  uint32 = 0x03
	UniqueIdentifierCreateKeyPair           uint32 = 0x04
	UniqueIdentifierCreateKeyPairPrivateKey uint32 = 0x05
	UniqueIdentifierCreateKeyPairPublicKey  uint32 = 0x06
	UniqueIdentifierCreateSplitKey          uint32 = 0x07
	UniqueIdentifierDeriveKey               uint32 = 0x08
	UniqueIdentifierImport                  uint32 = 0x09
	UniqueIdentifierJoinSplitKey            uint32 = 0x0a
	UniqueIdentifierLocate                  uint32 = 0x0b
	UniqueIdentifierRegister                uint32 = 0x0c
	UniqueIdentifierReKey                   uint32 = 0x0d
	UniqueIdentifierReCertify               uint32 = 0x0e
	UniqueIdentifierReKeyKeyPair            uint32 = 0x0f
	UniqueIdentifierReKeyKeyPairPrivateKey  uint32 = 0x10
	UniqueIdentifierReKeyKeyPairPublicKey   uint32 = 0x11
)

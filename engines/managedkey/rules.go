package managedkey

import "github.com/trstctl/trstctl/fsm"

// Attributes by their names in KMIP 1.x.
const (
	AttrUniqueID         Attribute = "Unique Identifier"
	AttrName             Attribute = "Name"
	AttrObjectType       Attribute = "Object Type"
	AttrAlgorithm        Attribute = "Cryptographic Algorithm"
	AttrLength           Attribute = "Cryptographic Length"
	AttrParameters       Attribute = "Cryptographic Parameters"
	AttrDomain           Attribute = "Cryptographic Domain Parameters"
	AttrCertType         Attribute = "Certificate Type"
	AttrCertLength       Attribute = "Certificate Length"
	AttrX509ID           Attribute = "X.509 Certificate Identifier"
	AttrX509Subject      Attribute = "X.509 Certificate Subject"
	AttrX509Issuer       Attribute = "X.509 Certificate Issuer"
	AttrCertID           Attribute = "Certificate Identifier"
	AttrCertSubject      Attribute = "Certificate Subject"
	AttrCertIssuer       Attribute = "Certificate Issuer"
	AttrSignature        Attribute = "Digital Signature Algorithm"
	AttrDigest           Attribute = "Digest"
	AttrPolicy           Attribute = "Operation Policy Name"
	AttrUsage            Attribute = "Cryptographic Usage Mask"
	AttrLease            Attribute = "Lease Time"
	AttrLimits           Attribute = "Usage Limits"
	AttrState            Attribute = "State"
	AttrInitial          Attribute = "Initial Date"
	AttrActivation       Attribute = "Activation Date"
	AttrProcessStart     Attribute = "Process Start Date"
	AttrProtectStop      Attribute = "Protect Stop Date"
	AttrDeactivation     Attribute = "Deactivation Date"
	AttrDestroy          Attribute = "Destroy Date"
	AttrOccurrence       Attribute = "Compromise Occurrence Date"
	AttrCompromise       Attribute = "Compromise Date"
	AttrRevocation       Attribute = "Revocation Reason"
	AttrArchive          Attribute = "Archive Date"
	AttrGroup            Attribute = "Object Group"
	AttrFresh            Attribute = "Fresh"
	AttrLink             Attribute = "Link"
	AttrApplication      Attribute = "Application Specific Information"
	AttrContact          Attribute = "Contact Information"
	AttrLastChange       Attribute = "Last Change Date"
	AttrAltName          Attribute = "Alternative Name"
	AttrPresent          Attribute = "Key Value Present"
	AttrLocation         Attribute = "Key Value Location"
	AttrOriginal         Attribute = "Original Creation Date"
	AttrRNG              Attribute = "Random Number Generator"
	AttrFriendlyName     Attribute = "PKCS#12 Friendly Name"
	AttrDescription      Attribute = "Description"
	AttrComment          Attribute = "Comment"
	AttrSensitive        Attribute = "Sensitive"
	AttrAlwaysSensitive  Attribute = "Always Sensitive"
	AttrExtractable      Attribute = "Extractable"
	AttrNeverExtractable Attribute = "Never Extractable"
	AttrFormat           Attribute = "Key Format Type"
)

// Types that attributes apply to.
var (
	keys       = []ObjectType{SymmetricKey, PublicKey, PrivateKey, SplitKey, PGPKey}
	described  = append([]ObjectType{Certificate, SecretData, CertificateRequest}, keys...) // cryptographic objects
	living     = append([]ObjectType{OpaqueObject}, described...)                           // have a life cycle
	asymmetric = []ObjectType{PublicKey, PrivateKey}
	certified  = []ObjectType{Certificate}
)

// Operations that set attributes.
var (
	making  = []Operation{OpCreate, OpCreateKeyPair, OpRegister, OpImport, OpDeriveKey, OpCertify, OpReCertify, OpReKey, OpReKeyKeyPair}
	again   = []Operation{OpReKey, OpReKeyKeyPair, OpReCertify}
	issuing = []Operation{OpRegister, OpImport, OpCertify, OpReCertify}
	anyOp   = append([]Operation{OpActivate, OpRevoke, OpDestroy, OpArchive, OpRecover, OpGet, OpGetUsageAllocation, OpAddAttribute, OpModifyAttribute,
		OpDeleteAttribute, OpSetAttribute}, making...)
	using = []Operation{OpGetUsageAllocation, OpEncrypt, OpSign, OpMAC}
)

var (
	early  = []State{PreActive}
	before = []State{PreActive, Active}
)

// rules is the table of attributes, in the order of KMIP 1.4 section 3. A client's right to add an attribute is that to modify it: "initially set by
// client" with no right to modify means at creation only.
//
// Where the specification leaves a choice:
//   - Sensitive can only become true, and Extractable only false, as in PKCS#11: else who may change attributes could read what was made to stay here.
//   - Dates that have come are as they are.
//   - Process start and protect stop dates are for all keys, as in KMIP 2.1 and as cases of OASIS for 1.4 set them, not for symmetric keys alone.
var rules = []Rule{
	{Attribute: AttrUniqueID, Since: 10, By: making, access: shown[string](func(o *Object, _ fsm.Time) []string { return []string{o.ID} })},
	{Attribute: AttrName, Since: 10, Many: true, Create: true, Modify: true, Delete: true, By: again,
		access: several[Name]{func(o *Object) *Many[Name] { return &o.Attributes.Names }, MaxNames, checkName}},
	{Attribute: AttrObjectType, Since: 10, By: making, access: shown[ObjectType](func(o *Object, _ fsm.Time) []ObjectType { return []ObjectType{o.Type} })},
	{Attribute: AttrAlgorithm, Since: 10, Create: true, Types: append([]ObjectType{Certificate, SecretData}, keys...), By: making,
		access: single[Algorithm]{at: func(o *Object) *Algorithm { return &o.Key.Algorithm }}},
	{Attribute: AttrLength, Since: 10, Create: true, Types: append([]ObjectType{Certificate, SecretData}, keys...), By: making,
		access: single[uint32]{at: func(o *Object) *uint32 { return &o.Key.Length }}},
	{Attribute: AttrParameters, Since: 10, Many: true, Create: true, Modify: true, Delete: true, Types: described, By: again,
		access: several[Parameters]{func(o *Object) *Many[Parameters] { return &o.Attributes.Parameters }, MaxParameters, checkParameters}},
	{Attribute: AttrDomain, Since: 10, Create: true, Types: asymmetric, By: again,
		access: pointed[Domain]{at: func(o *Object) **Domain { return &o.Attributes.Domain }}},
	{Attribute: AttrCertType, Since: 10, Create: true, Types: certified, By: issuing,
		access: single[CertificateType]{at: func(o *Object) *CertificateType { return &o.Key.CertificateType }}},
	{Attribute: AttrCertLength, Since: 11, Types: certified, By: issuing, access: shown[uint32](certificateLength)},
	{Attribute: AttrX509ID, Since: 11, Types: certified, By: issuing, access: shown[CertificateInfo](certificate)},
	{Attribute: AttrX509Subject, Since: 11, Types: certified, By: issuing, access: shown[CertificateInfo](certificate)},
	{Attribute: AttrX509Issuer, Since: 11, Types: certified, By: issuing, access: shown[CertificateInfo](certificate)},
	{Attribute: AttrCertID, Since: 10, Until: 14, Types: certified, By: issuing, access: shown[CertificateInfo](certificate)},
	{Attribute: AttrCertSubject, Since: 10, Until: 14, Types: certified, By: issuing, access: shown[CertificateInfo](certificate)},
	{Attribute: AttrCertIssuer, Since: 10, Until: 14, Types: certified, By: issuing, access: shown[CertificateInfo](certificate)},
	{Attribute: AttrSignature, Since: 11, Many: true, Types: certified, By: issuing,
		access: several[Signature]{func(o *Object) *Many[Signature] { return &o.Attributes.Signatures }, MaxSignatures, nil}},
	{Attribute: AttrDigest, Since: 10, Many: true, Types: living, By: making, access: shown[Digest](func(o *Object, _ fsm.Time) []Digest { return o.Key.Digests })},
	{Attribute: AttrPolicy, Since: 10, Until: 14, Create: true, By: making,
		access: single[string]{at: func(o *Object) *string { return &o.Attributes.Policy }, check: text("operation policy name", MaxName)}},
	{Attribute: AttrUsage, Since: 10, Create: true, Types: living, By: making,
		access: single[UsageMask]{at: func(o *Object) *UsageMask { return &o.Attributes.Usage }}},
	{Attribute: AttrLease, Since: 10, By: making, access: single[uint32]{at: func(o *Object) *uint32 { return &o.Attributes.Lease }, check: checkLease}},
	{Attribute: AttrLimits, Since: 10, Create: true, Modify: true, Delete: true, Types: keys,
		By: append(append([]Operation{}, using...), again...), access: limits{}},
	{Attribute: AttrState, Since: 10, Types: living, By: anyOp, access: shown[State](func(o *Object, now fsm.Time) []State { return []State{o.StateAt(now)} })},
	{Attribute: AttrInitial, Since: 10, By: making, access: dated(func(o *Object) *fsm.Time { return &o.Dates.Initial })},
	{Attribute: AttrActivation, Since: 10, Create: true, Modify: true, States: early, Types: living,
		By: []Operation{OpActivate, OpReKey, OpReKeyKeyPair, OpReCertify}, access: dated(func(o *Object) *fsm.Time { return &o.Dates.Activation })},
	{Attribute: AttrProcessStart, Since: 10, Create: true, Modify: true, States: before, Types: keys, By: []Operation{OpReKey, OpReKeyKeyPair},
		access: dated(func(o *Object) *fsm.Time { return &o.Dates.ProcessStart })},
	{Attribute: AttrProtectStop, Since: 10, Create: true, Modify: true, States: before, Types: keys, By: []Operation{OpReKey, OpReKeyKeyPair},
		access: dated(func(o *Object) *fsm.Time { return &o.Dates.ProtectStop })},
	{Attribute: AttrDeactivation, Since: 10, Create: true, Modify: true, States: before, Types: living,
		By:     []Operation{OpRevoke, OpReKey, OpReKeyKeyPair, OpReCertify},
		access: dated(func(o *Object) *fsm.Time { return &o.Dates.Deactivation })},
	{Attribute: AttrDestroy, Since: 10, By: []Operation{OpDestroy}, access: dated(func(o *Object) *fsm.Time { return &o.Dates.Destroy })},
	{Attribute: AttrOccurrence, Since: 10, Types: living, By: []Operation{OpRevoke}, access: dated(func(o *Object) *fsm.Time { return &o.Dates.Occurrence })},
	{Attribute: AttrCompromise, Since: 10, Types: living, By: []Operation{OpRevoke}, access: dated(func(o *Object) *fsm.Time { return &o.Dates.Compromise })},
	{Attribute: AttrRevocation, Since: 10, Types: living, By: []Operation{OpRevoke},
		access: pointed[Revocation]{at: func(o *Object) **Revocation { return &o.Attributes.Revocation }}},
	{Attribute: AttrArchive, Since: 10, By: []Operation{OpArchive, OpRecover}, access: dated(func(o *Object) *fsm.Time { return &o.Dates.Archive })},
	{Attribute: AttrGroup, Since: 10, Many: true, Create: true, Modify: true, Delete: true, By: again,
		access: several[string]{func(o *Object) *Many[string] { return &o.Attributes.Groups }, MaxGroups, text("object group", MaxName)}},
	{Attribute: AttrFresh, Since: 11, Create: true, Types: living, By: append([]Operation{OpGet}, making...),
		access: single[bool]{at: func(o *Object) *bool { return &o.Attributes.Fresh }, always: true}},
	{Attribute: AttrLink, Since: 10, Many: true, Create: true, Modify: true, Delete: true,
		By:     []Operation{OpCreateKeyPair, OpDeriveKey, OpCertify, OpReCertify, OpReKey, OpReKeyKeyPair},
		access: several[Link]{func(o *Object) *Many[Link] { return &o.Attributes.Links }, MaxLinks, checkLink}},
	{Attribute: AttrApplication, Since: 10, Many: true, Create: true, Modify: true, Delete: true, By: again,
		access: several[Application]{func(o *Object) *Many[Application] { return &o.Attributes.Applications }, MaxApplications, checkApplication}},
	{Attribute: AttrContact, Since: 10, Create: true, Modify: true, Delete: true, By: again,
		access: single[string]{at: func(o *Object) *string { return &o.Attributes.Contact }, check: text("contact information", MaxText)}},
	{Attribute: AttrLastChange, Since: 10, By: anyOp, access: dated(func(o *Object) *fsm.Time { return &o.Dates.LastChange })},
	{Attribute: AttrAltName, Since: 12, Many: true, Create: true, Modify: true, Delete: true, By: again,
		access: several[AltName]{func(o *Object) *Many[AltName] { return &o.Attributes.AltNames }, MaxAltNames, checkAltName}},
	{Attribute: AttrPresent, Since: 12, Types: described, By: []Operation{OpRegister, OpImport}, access: shown[bool](absent)},
	{Attribute: AttrLocation, Since: 12, Many: true, Create: true, Modify: true, Delete: true, Types: described,
		access: several[Location]{func(o *Object) *Many[Location] { return &o.Attributes.Locations }, MaxLocations, checkLocation}},
	{Attribute: AttrOriginal, Since: 12, Create: true, By: []Operation{OpCreate, OpCreateKeyPair, OpDeriveKey, OpReKey, OpReKeyKeyPair},
		access: dated(func(o *Object) *fsm.Time { return &o.Dates.Original })},
	{Attribute: AttrRNG, Since: 13, Create: true, Types: described, By: making, access: pointed[RNG]{at: func(o *Object) **RNG { return &o.Attributes.RNG }}},
	{Attribute: AttrFriendlyName, Since: 14, Create: true, Modify: true, Delete: true, By: again,
		access: single[string]{at: func(o *Object) *string { return &o.Attributes.FriendlyName }, check: text("friendly name", MaxName)}},
	{Attribute: AttrDescription, Since: 14, Create: true, Modify: true, Delete: true, By: again,
		access: single[string]{at: func(o *Object) *string { return &o.Attributes.Description }, check: text("description", MaxText)}},
	{Attribute: AttrComment, Since: 14, Create: true, Modify: true, Delete: true, By: again,
		access: single[string]{at: func(o *Object) *string { return &o.Attributes.Comment }, check: text("comment", MaxText)}},
	{Attribute: AttrSensitive, Since: 14, Create: true, Modify: true, Types: described, By: making, access: sensitive{}},
	{Attribute: AttrAlwaysSensitive, Since: 14, Types: described, By: making,
		access: single[bool]{at: func(o *Object) *bool { return &o.Attributes.AlwaysSensitive }, always: true}},
	{Attribute: AttrExtractable, Since: 14, Create: true, Modify: true, Types: described, By: making, access: extractable{}},
	{Attribute: AttrNeverExtractable, Since: 14, Types: described, By: making,
		access: single[bool]{at: func(o *Object) *bool { return &o.Attributes.NeverExtractable }, always: true}},
	{Attribute: AttrFormat, Since: 20, Types: described, By: making, access: single[KeyFormat]{at: func(o *Object) *KeyFormat { return &o.Key.Format }}},
}

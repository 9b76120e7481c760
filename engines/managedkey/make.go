package managedkey

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Spec is an object to be made. Its material is there already: this package draws ids and no keys.
type Spec struct {
	Type        ObjectType
	Owner       string // id of the client
	Material    []byte // stays the caller's; empty for a key whose value is kept elsewhere
	Key         Key    // without digests
	Generated   bool   // the material was made here, and its creation date is now
	RNG         *RNG   // that drew it, if it was made here
	Certificate *CertificateInfo
	Signatures  []Signature // of a certificate
	Attributes  []Value     // that the client gave
	Past        *Past       // of an object that is imported
}

// Value is an attribute that a client gives.
type Value struct {
	Attribute Attribute
	Value     any
}

// Past is what an import brings beside what a client may set otherwise (KMIP 1.4 chapter 4).
type Past struct {
	ID               string // empty: one is drawn
	Initial          fsm.Time
	Compromise       fsm.Time
	Occurrence       fsm.Time
	Revocation       *Revocation
	UsageLeft        *int64 // of the usage limits among the attributes
	AlwaysSensitive  bool   // counts only if the object is sensitive
	NeverExtractable bool   // counts only if the object is not extractable
}

// Create makes an object whose material was drawn here, and returns its id (KMIP 1.4 section 4.1; 4.6 derives one).
func (s *Stage) Create(spec Spec) (id string, err error) {
	spec.Generated = true
	return s.Register(spec)
}

// Register makes an object whose material comes from elsewhere, and returns its id (section 4.3).
func (s *Stage) Register(spec Spec) (id string, err error) {
	spec.Past = nil
	err = s.do(func() error {
		id, err = s.make(spec)
		return err
	})
	return id, err
}

// Import makes an object that another server had, with its past and under its id, if it names one. An object that is or was there under that id is not
// replaced: what was sealed for an id is sealed for it alone.
func (s *Stage) Import(spec Spec) (id string, err error) {
	if spec.Past == nil {
		spec.Past = &Past{}
	}
	err = s.do(func() error {
		id, err = s.make(spec)
		return err
	})
	return id, err
}

// CreatePair makes a private and a public key that link to each other, and returns their ids (section 4.2).
func (s *Stage) CreatePair(private, public Spec) (privateID, publicID string, err error) {
	private.Type, public.Type, private.Generated, public.Generated = PrivateKey, PublicKey, true, true
	private.Past, public.Past = nil, nil
	err = s.do(func() error {
		privateID, publicID = newID(), newID()
		if err := s.makeAs(privateID, private, Link{PublicKeyLink, publicID}); err != nil {
			return err
		}
		return s.makeAs(publicID, public, Link{PrivateKeyLink, privateID})
	})
	if err != nil {
		return "", "", err
	}
	return privateID, publicID, nil
}

func (s *Stage) make(spec Spec) (string, error) {
	id := newID()
	if spec.Past != nil && spec.Past.ID != "" {
		id = spec.Past.ID
	}
	if err := s.makeAs(id, spec); err != nil {
		return "", err
	}
	return id, nil
}

// makeAs makes an object under an id, with links in front of those that the client gave.
func (s *Stage) makeAs(id string, spec Spec, links ...Link) error {
	o := Object{ID: id, Type: spec.Type, Owner: spec.Owner, Key: spec.Key, Dates: Dates{Initial: s.date()},
		Attributes: Attributes{Lease: DefaultLease, Certificate: spec.Certificate}}
	if o.Type.lifecycle() {
		o.Attributes.Fresh = true
	}
	if slices.Contains(described, o.Type) {
		o.Attributes.Extractable = true
	}
	for _, l := range links {
		o.Attributes.Links = o.Attributes.Links.with(l)
	}
	for _, v := range spec.Signatures {
		o.Attributes.Signatures = o.Attributes.Signatures.with(v)
	}
	if err := o.give(spec.Attributes); err != nil {
		return err
	}
	if spec.Generated {
		o.Dates.Original, o.Attributes.RNG = s.date(), spec.RNG
	}
	o.Attributes.AlwaysSensitive, o.Attributes.NeverExtractable = o.Attributes.Sensitive, o.bound()
	if spec.Past != nil {
		if err := o.remember(*spec.Past, s.now); err != nil {
			return err
		}
	}
	return s.enter(o, spec.Material)
}

// bound reports whether the object is one that could be extracted, and may not be.
func (o *Object) bound() bool { return slices.Contains(described, o.Type) && !o.Attributes.Extractable }

// enter lets an object that is complete into the stage.
func (s *Stage) enter(o Object, plain []byte) error {
	if err := o.checkNew(plain); err != nil {
		return err
	}
	if _, found, err := s.find(o.ID); err != nil || found {
		if err == nil {
			err = refuse(ReasonObjectExists, fault.New(fault.Conflict, "there is or was an object %s", o.ID))
		}
		return err
	}
	if err := s.room(o.Owner); err != nil {
		return err
	}
	o.Present, o.Dates.LastChange = len(plain) > 0, s.date()
	o.Key.Digests = o.digests(plain)
	var sealed fsm.Sealed
	if o.Present {
		var err error
		if sealed, err = s.keys.Seal(s.r, binding(s.tenant, o.ID), plain); err != nil {
			return fmt.Errorf("seal an object: %w", err)
		}
		s.over.materials[o.ID] = sealed
	}
	if err := s.rename(&o); err != nil {
		return err
	}
	s.over.objects[o.ID] = &o
	s.over.made = append(s.over.made, o.ID)
	s.emit(ObjectMade{o, sealed})
	return nil
}

// checkNew holds an object that is to be made against what it must have.
func (o *Object) checkNew(plain []byte) error {
	absent := slices.Contains(keys, o.Type) || o.Type == Template
	switch {
	case !o.Type.valid():
		return refuse(ReasonWrongType, fault.Bad("object type", "is none that KMIP has"))
	case len(plain) == 0 && !absent:
		return invalid("material", "is empty")
	case len(plain) > MaxMaterial:
		return refuse(ReasonLimitReached, fault.New(fault.TooLarge, "the material has %d bytes, the limit is %d", len(plain), MaxMaterial))
	case (o.Type == SplitKey) != (o.Key.Split != nil):
		return invalid("split key", "says which part it is, and nothing else does")
	case len(o.Key.Wrapping) > MaxWrapping || len(o.Attributes.Signatures) > MaxSignatures:
		return refuse(ReasonLimitReached, fault.New(fault.TooLarge, "the key wrapping data or the signature algorithms are too many"))
	}
	if o.Owner != "" {
		if err := checkText("owner", o.Owner, MaxName); err != nil {
			return err
		}
	}
	if o.Key.Split != nil {
		if err := o.Key.Split.check(); err != nil {
			return err
		}
	}
	if err := checkID(o.ID); err != nil {
		return err
	}
	return checkSize(o)
}

// strong is the least length of material in bytes whose digest may stand in clear: who reads a disk tries out what is shorter, and passwords of any length.
const strong = 16

// digests returns the digests that are kept of an object's material (section 3.17). Those of secret data, opaque objects and short keys are not kept: see
// Stage.Attributes.
func (o *Object) digests(plain []byte) []Digest {
	if len(plain) < strong || o.Type == SecretData || o.Type == OpaqueObject || o.Type == Template {
		return nil
	}
	return []Digest{digestOf(o, plain)}
}

func digestOf(o *Object, plain []byte) Digest {
	sum := sha256.Sum256(plain)
	return Digest{SHA256, sum[:], o.Key.Format}
}

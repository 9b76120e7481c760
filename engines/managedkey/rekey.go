package managedkey

import (
	"slices"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Replacement is what comes in the place of an object. What it does not say it has from the object.
type Replacement struct {
	Material    []byte // stays the caller's
	Key         Key    // format and what else differs; algorithm and length are the object's when they are 0
	RNG         *RNG
	Certificate *CertificateInfo
	Signatures  []Signature
	Offset      *time.Duration // from now to the activation date; the other dates keep their distance from that. nil: dates are copied
	Attributes  []Value        // that the client gave
	Owner       string
}

// ReKey makes a symmetric key that comes in the place of another, and returns its id (KMIP 1.4 section 4.4). Names move to it, links lead from each to the
// other.
func (s *Stage) ReKey(id string, r Replacement) (string, error) {
	return s.replaceOne(id, SymmetricKey, r)
}

// ReCertify makes a certificate that comes in the place of another, and returns its id (section 4.8).
func (s *Stage) ReCertify(id string, r Replacement) (string, error) {
	return s.replaceOne(id, Certificate, r)
}

func (s *Stage) replaceOne(id string, t ObjectType, r Replacement) (next string, err error) {
	err = s.do(func() error {
		next = newID()
		return s.replace(id, next, t, r)
	})
	if err != nil {
		return "", err
	}
	return next, nil
}

// ReKeyPair makes a pair of keys that comes in the place of a private key and the public key that it links to, and returns their ids (section 4.5).
func (s *Stage) ReKeyPair(id string, private, public Replacement) (privateID, publicID string, err error) {
	err = s.do(func() error {
		o, err := s.object(id)
		if err != nil {
			return err
		}
		partner, found := o.linked(PublicKeyLink)
		if !found {
			return refuse(ReasonAttributeNotFound, fault.New(fault.Conflict, "object %s has no link to its public key", id))
		}
		privateID, publicID = newID(), newID()
		if err := s.replace(id, privateID, PrivateKey, private, Link{PublicKeyLink, publicID}); err != nil {
			return err
		}
		return s.replace(partner, publicID, PublicKey, public, Link{PrivateKeyLink, privateID})
	})
	if err != nil {
		return "", "", err
	}
	return privateID, publicID, nil
}

// linked returns the target of the first link of a type.
func (o *Object) linked(t LinkType) (string, bool) {
	for _, l := range o.Attributes.Links {
		if l.Value.Type == t {
			return l.Value.Target, true
		}
	}
	return "", false
}

// replace makes an object that comes in the place of one of a type, with links in front of that to what it replaces.
func (s *Stage) replace(id, next string, t ObjectType, r Replacement, links ...Link) error {
	old, err := s.object(id)
	if err != nil {
		return err
	}
	if old.Type != t {
		return refuse(ReasonWrongType, fault.New(fault.Conflict, "object %s is of another type", id))
	}
	if err := decideReplace(&old, r.Offset != nil); err != nil {
		return err
	}
	if err := s.unreplaced(&old); err != nil {
		return err
	}
	o, err := s.successor(&old, next, r, append(links, Link{ReplacedLink, id}))
	if err != nil {
		return err
	}
	old.Attributes.Names = nil
	old.Attributes.Links = slices.DeleteFunc(slices.Clone(old.Attributes.Links), func(l Indexed[Link]) bool { return l.Value.Type == ReplacementLink })
	old.Attributes.Links = old.Attributes.Links.with(Link{ReplacementLink, next})
	if err := s.put(old); err != nil {
		return err
	}
	return s.enter(o, r.Material)
}

// unreplaced refuses what was replaced already by something that lives.
func (s *Stage) unreplaced(o *Object) error {
	id, found := o.linked(ReplacementLink)
	if !found {
		return nil
	}
	other, found, err := s.find(id)
	if err == nil && found && !other.dead() {
		err = refuse(ReasonReplaced, fault.New(fault.Conflict, "object %s was replaced already: replace its replacement", o.ID))
	}
	return err
}

// successor is the object that comes in the place of another. State, revocation and compromise are not copied, usage limits begin anew (KMIP 1.4, table
// under Re-key).
func (s *Stage) successor(old *Object, id string, r Replacement, links []Link) (Object, error) {
	o := *old
	o.ID, o.Number, o.Present, o.Key = id, 0, false, r.Key
	if o.Owner == "" || r.Owner != "" {
		o.Owner = r.Owner
	}
	if o.Key.Algorithm == 0 {
		o.Key.Algorithm = old.Key.Algorithm
	}
	if o.Key.Length == 0 {
		o.Key.Length = old.Key.Length
	}
	a := &o.Attributes
	a.Names, a.Links, a.Revocation, a.Fresh, a.RNG = nil, nil, nil, true, r.RNG
	a.Certificate, a.Signatures, a.AlwaysSensitive, a.NeverExtractable = r.Certificate, nil, a.Sensitive, o.bound()
	if u := a.Limits; u != nil {
		a.Limits = &UsageLimits{u.Total, u.Total, u.Unit}
	}
	for _, n := range old.Attributes.Names {
		a.Names = a.Names.with(n.Value)
	}
	for _, l := range links {
		a.Links = a.Links.with(l)
	}
	for _, v := range r.Signatures {
		a.Signatures = a.Signatures.with(v)
	}
	var err error
	if o.Dates, err = s.shifted(old.Dates, r.Offset); err != nil {
		return o, err
	}
	return o, s.override(&o, r)
}

// override applies what the client gave for a replacement. Dates and an offset exclude each other.
func (s *Stage) override(o *Object, r Replacement) error {
	for _, v := range r.Attributes {
		rule, err := lookup(v.Attribute)
		if err != nil {
			return err
		}
		if _, date := rule.access.(dated); date && rule.Attribute != AttrOriginal && r.Offset != nil {
			return invalid(string(v.Attribute), "cannot be given together with an offset")
		}
	}
	if err := o.give(r.Attributes); err != nil {
		return err
	}
	o.Dates.Original = s.date()
	o.Attributes.AlwaysSensitive, o.Attributes.NeverExtractable = o.Attributes.Sensitive, o.bound()
	return nil
}

// shifted are the dates of a replacement.
func (s *Stage) shifted(d Dates, offset *time.Duration) (Dates, error) {
	out := Dates{Initial: s.date(), Original: s.date(), Activation: d.Activation,
		ProcessStart: d.ProcessStart, ProtectStop: d.ProtectStop, Deactivation: d.Deactivation}
	if offset == nil {
		return out, nil
	}
	out.Activation = s.date().Add(*offset)
	by := out.Activation - d.Activation
	for _, at := range []*fsm.Time{&out.ProcessStart, &out.ProtectStop, &out.Deactivation} {
		if *at == 0 {
			continue
		}
		if by > 0 && *at > lastDate-by {
			return out, invalid("Offset", "a date of the key would lie behind the year 2261")
		}
		*at += by
	}
	return out, nil
}

// lastDate is the last that fsm.Time holds with some room.
const lastDate = fsm.Time(9_214_646_400 * int64(time.Second))

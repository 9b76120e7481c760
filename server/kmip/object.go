package kmip

import (
	"crypto/x509"
	"encoding/asn1"
	"reflect"
	"slices"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// kind is how objects of a type stand in messages (KMIP 1.4 section 2.2): a structure with fields in front and then a key block, or a byte string with all of it.
type kind struct {
	tag   ttlv.Tag
	value ttlv.Tag                                     // of the byte string; 0: a key block
	read  func(it *ttlv.Item, k *managedkey.Key) error // the fields in front; nil: there are none
	write func(k *managedkey.Key) []ttlv.Item          // the same
	check func(c *call, s *managedkey.Spec) error      // holds the material against what was said of it, and fills in what it says itself; nil: nobody looks
}

var kinds = map[managedkey.ObjectType]kind{
	managedkey.SymmetricKey: {tag: ttlv.TagSymmetricKey, check: (*call).checkKey},
	managedkey.PublicKey:    {tag: ttlv.TagPublicKey, check: (*call).checkKey},
	managedkey.PrivateKey:   {tag: ttlv.TagPrivateKey, check: (*call).checkKey},
	managedkey.SecretData: {tag: ttlv.TagSecretData,
		read: func(it *ttlv.Item, k *managedkey.Key) error {
			return into(&k.SecretDataType, it, ttlv.TagSecretDataType)
		},
		write: func(k *managedkey.Key) []ttlv.Item {
			return []ttlv.Item{ttlv.Enumeration(ttlv.TagSecretDataType, uint32(k.SecretDataType))}
		}},
	managedkey.SplitKey: {tag: ttlv.TagSplitKey, read: readSplit, write: splitItems},
	managedkey.PGPKey:   {tag: ttlv.TagPGPKey, read: readPGP, write: pgpItems},
	managedkey.Certificate: {tag: ttlv.TagCertificate, value: ttlv.TagCertificateValue, check: (*call).checkCertificate,
		read: func(it *ttlv.Item, k *managedkey.Key) error {
			return into(&k.CertificateType, it, ttlv.TagCertificateType)
		},
		write: func(k *managedkey.Key) []ttlv.Item {
			return []ttlv.Item{ttlv.Enumeration(ttlv.TagCertificateType, uint32(k.CertificateType))}
		}},
	managedkey.OpaqueObject: {tag: ttlv.TagOpaqueObject, value: ttlv.TagOpaqueDataValue,
		read: func(it *ttlv.Item, k *managedkey.Key) error {
			return into(&k.OpaqueDataType, it, ttlv.TagOpaqueDataType)
		},
		write: func(k *managedkey.Key) []ttlv.Item {
			return []ttlv.Item{ttlv.Enumeration(ttlv.TagOpaqueDataType, uint32(k.OpaqueDataType))}
		}},
	managedkey.CertificateRequest: {tag: ttlv.TagCertificateRequest, value: ttlv.TagCertificateRequestValue, check: (*call).checkRequest,
		read: readRequest,
		write: func(*managedkey.Key) []ttlv.Item {
			return []ttlv.Item{ttlv.Enumeration(ttlv.TagCertificateRequestType, ttlv.CertificateRequestTypePKCS10)}
		}},
}

// into reads an enumeration that must be there.
func into[E ~uint32](to *E, it *ttlv.Item, tag ttlv.Tag) (err error) {
	*to, err = required(it, tag, enumeration[E])
	return err
}

// readSplit reads which part of a key a split key is (section 2.2.5).
func readSplit(it *ttlv.Item, k *managedkey.Key) (err error) {
	s := &managedkey.Split{}
	k.Split = s
	for tag, to := range map[ttlv.Tag]*uint32{ttlv.TagSplitKeyParts: &s.Parts, ttlv.TagKeyPartIdentifier: &s.Identifier, ttlv.TagSplitKeyThreshold: &s.Threshold} {
		if *to, err = required(it, tag, count); err != nil {
			return err
		}
	}
	if err := into(&s.Method, it, ttlv.TagSplitKeyMethod); err != nil {
		return err
	}
	s.Prime, _, err = optional(it, ttlv.TagPrimeFieldSize, (*ttlv.Item).BigIntegerBytes)
	if err == nil && (len(s.Prime) > 0) != (suite.Sharing(s.Method) == suite.PrimeField) {
		err = refuse(ttlv.ResultReasonInvalidField, "the prime field size goes with the method of that name")
	}
	return err
}

func splitItems(k *managedkey.Key) []ttlv.Item {
	s := k.Split
	out := []ttlv.Item{ttlv.Integer(ttlv.TagSplitKeyParts, int32(s.Parts)), ttlv.Integer(ttlv.TagKeyPartIdentifier, int32(s.Identifier)),
		ttlv.Integer(ttlv.TagSplitKeyThreshold, int32(s.Threshold)), ttlv.Enumeration(ttlv.TagSplitKeyMethod, uint32(s.Method))}
	if len(s.Prime) > 0 {
		out = append(out, ttlv.BigIntegerOf(ttlv.TagPrimeFieldSize, slices.Clone(s.Prime)))
	}
	return out
}

// readPGP keeps the version of a PGP key where opaque objects have their type: a key of the engine has no field for it, and a PGP key no such type.
func readPGP(it *ttlv.Item, k *managedkey.Key) error {
	n, err := required(it, ttlv.TagPGPKeyVersion, count)
	k.OpaqueDataType = managedkey.OpaqueDataType(n)
	return err
}

func pgpItems(k *managedkey.Key) []ttlv.Item {
	return []ttlv.Item{ttlv.Integer(ttlv.TagPGPKeyVersion, int32(k.OpaqueDataType))}
}

// readRequest takes requests in PKCS#10 alone: of others nothing here says what they are.
func readRequest(it *ttlv.Item, _ *managedkey.Key) error {
	t, err := required(it, ttlv.TagCertificateRequestType, (*ttlv.Item).Enumeration)
	if err == nil && t != ttlv.CertificateRequestTypePKCS10 {
		err = refuse(ttlv.ResultReasonInvalidField, "certificate requests are kept in PKCS#10, in DER")
	}
	return err
}

// received is the object of a request that registers or imports one, with the attributes that stand in it. Its material is a copy, to be wiped also when
// the object is refused.
func (c *call) received(t managedkey.ObjectType) (*managedkey.Spec, error) {
	s := &managedkey.Spec{Type: t, Owner: c.caller.ID}
	if t == managedkey.Template && c.version < ttlv.V20 {
		return s, c.receivedTemplate(s)
	}
	k, known := kinds[t]
	if span, _ := ttlv.EnumSpan(ttlv.TagObjectType, uint32(t)); !known || !span.Has(c.version) {
		return s, refuse(ttlv.ResultReasonInvalidObjectType, "version %s has no such type of object", c.version)
	}
	it, err := c.in.Need(k.tag)
	if err != nil {
		return s, err
	}
	if k.value != 0 {
		return s, c.receivedValue(s, k, it)
	}
	b, err := c.keyBlock(it)
	if err != nil {
		return s, err
	}
	s.Key, s.Material, s.Attributes = b.Key, b.material, b.given
	return s, k.fields(it, &s.Key)
}

func (k kind) fields(it *ttlv.Item, to *managedkey.Key) error {
	if k.read == nil {
		return nil
	}
	return k.read(it, to)
}

// receivedValue reads an object that is one byte string.
func (c *call) receivedValue(s *managedkey.Spec, k kind, it *ttlv.Item) error {
	value, err := required(it, k.value, (*ttlv.Item).ByteString)
	if err == nil && len(value) == 0 {
		err = refuse(ttlv.ResultReasonInvalidField, "%s is empty", k.value)
	}
	s.Material = slices.Clone(value)
	if err != nil {
		return err
	}
	return k.fields(it, &s.Key)
}

// settle adds the attributes of a request to those that stand in the object, and holds the material against all that was said of it.
func (c *call) settle(s *managedkey.Spec, given []managedkey.Value) error {
	s.Attributes = laid(s.Attributes, given)
	if s.Key.Algorithm == 0 {
		s.Key.Algorithm, _ = valueOf[managedkey.Algorithm](s.Attributes, managedkey.AttrAlgorithm)
	}
	if s.Key.Length == 0 {
		s.Key.Length, _ = valueOf[uint32](s.Attributes, managedkey.AttrLength)
	}
	if check := kinds[s.Type].check; check != nil && len(s.Material) > 0 && len(s.Key.Wrapping) == 0 {
		return check(c, s)
	}
	return nil
}

// laid is the union of attributes: where one has a single value, that of over counts (section 4.2).
func laid(under, over []managedkey.Value) (out []managedkey.Value) {
	for _, v := range under {
		again := func(o managedkey.Value) bool {
			return o.Attribute == v.Attribute && (!several(v.Attribute) || reflect.DeepEqual(o.Value, v.Value))
		}
		if !slices.ContainsFunc(over, again) {
			out = append(out, v)
		}
	}
	return append(out, over...)
}

// several reports whether an attribute may have several values. Custom ones may.
func several(a managedkey.Attribute) bool {
	many, standard := manyValued[a]
	return many || !standard
}

var manyValued = func() map[managedkey.Attribute]bool {
	out := map[managedkey.Attribute]bool{}
	rules, _ := managedkey.Rules()
	for _, r := range rules {
		out[r.Attribute] = r.Many
	}
	return out
}()

// valueOf is the first value that was given for an attribute.
func valueOf[T any](given []managedkey.Value, a managedkey.Attribute) (v T, found bool) {
	for _, g := range given {
		if g.Attribute == a {
			v, found = g.Value.(T)
			return v, found
		}
	}
	return v, false
}

// checkKey reads a key, and refuses one that is none.
func (c *call) checkKey(s *managedkey.Spec) error {
	if u, found := unread[s.Key.Format]; found {
		if s.Type != u.of || s.Key.Algorithm != 0 && s.Key.Algorithm != u.algorithm {
			return refuse(ttlv.ResultReasonInvalidField, "keys of this object type or algorithm have another key format type")
		}
		s.Key.Algorithm = u.algorithm
		return nil
	}
	if encrypted(&s.Key, s.Material) {
		return nil
	}
	key, err := parseKey(s.Type, &s.Key, s.Material)
	if err != nil {
		return err
	}
	defer key.Wipe()
	s.Key.Algorithm, s.Key.Length = managedkey.Algorithm(key.Algorithm()), uint32(key.Length())
	return key.Sound()
}

// encrypted reports whether a key in PKCS#8 is encrypted (RFC 5958 section 3): it is kept as it came, since nothing here has its password.
func encrypted(k *managedkey.Key, material []byte) bool {
	var outer struct {
		Algorithm asn1.RawValue
		Data      []byte
	}
	if k.Format != managedkey.KeyFormat(ttlv.KeyFormatTypePKCS8) {
		return false
	}
	rest, err := asn1.Unmarshal(material, &outer)
	return err == nil && len(rest) == 0 && outer.Algorithm.Tag == asn1.TagSequence && len(outer.Data) > 0
}

// checkCertificate reads a certificate, of X.509, and notes what it says of itself. Its public key may be one that nothing is done with here.
func (c *call) checkCertificate(s *managedkey.Spec) error {
	if s.Key.CertificateType != managedkey.CertificateType(ttlv.CertificateTypeX509) {
		return refuse(ttlv.ResultReasonInvalidField, "certificates are kept in X.509")
	}
	read, err := suite.ParseCertificate(s.Material)
	if err != nil {
		return err
	}
	s.Key.Format = managedkey.KeyFormat(ttlv.KeyFormatTypeX509)
	s.Certificate = &managedkey.CertificateInfo{Length: uint32(read.Length), Subject: read.Subject.Text, Issuer: read.Issuer.Text, Serial: read.Serial,
		SubjectDER: read.Subject.Raw, IssuerDER: read.Issuer.Raw, SubjectAltName: read.AlternativeName}
	if read.Signature != 0 {
		s.Signatures = []managedkey.Signature{managedkey.Signature(read.Signature)}
	}
	if key, err := read.PublicKey(); err == nil {
		s.Key.Algorithm, s.Key.Length = managedkey.Algorithm(key.Algorithm()), uint32(key.Length())
	}
	return nil
}

// checkRequest reads a certificate request.
func (c *call) checkRequest(s *managedkey.Spec) error {
	if _, err := x509.ParseCertificateRequest(s.Material); err != nil {
		return refuse(ttlv.ResultReasonInvalidField, "this is no certificate request in PKCS#10")
	}
	s.Key.Format = managedkey.KeyFormat(ttlv.KeyFormatTypePKCS10)
	return nil
}

// objectItem writes an object around its key block or value.
func objectItem(o *managedkey.Object, content ttlv.Item) ttlv.Item {
	k := kinds[o.Type]
	out := ttlv.Structure(k.tag)
	if k.write != nil {
		out.Add(k.write(&o.Key)...)
	}
	out.Add(content)
	return out
}

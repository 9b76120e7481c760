package managedkey

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// sample has two values of each attribute that a client may set.
func sample(a Attribute, now fsm.Time) (first, second any) {
	switch a {
	case AttrName:
		return Name{"n1", TextName}, Name{"n2", URIName}
	case AttrAltName:
		return AltName{"n1", 1}, AltName{"n2", 2}
	case AttrApplication:
		return Application{"ns", "1"}, Application{"ns", "2"}
	case AttrLink:
		return Link{PublicKeyLink, "a"}, Link{PublicKeyLink, "b"}
	case AttrLocation:
		return Location{"hsm", 1}, Location{"hsm2", 1}
	case AttrParameters:
		return Parameters{BlockMode: 1}, Parameters{BlockMode: 2, TagLength: to[uint32](16)}
	case AttrLimits:
		return UsageLimits{10, 10, ByteUnit}, UsageLimits{20, 20, ObjectUnit}
	case AttrDomain:
		return Domain{Curve: 7}, Domain{Curve: 9}
	case AttrRNG:
		return RNG{Algorithm: 3}, RNG{Algorithm: 2}
	case AttrSensitive, AttrFresh:
		return false, true
	case AttrExtractable:
		return true, false
	case AttrActivation, AttrProcessStart, AttrProtectStop, AttrDeactivation, AttrOriginal:
		return now.Add(time.Hour), now.Add(2 * time.Hour)
	case AttrAlgorithm:
		return AES, RSA
	case AttrLength:
		return uint32(128), uint32(256)
	case AttrCertType:
		return CertificateType(1), CertificateType(2)
	case AttrUsage:
		return UseEncrypt, UseSign
	case "x-custom":
		return Text("one"), Field{Kind: Structure, Fields: []Field{{Tag: 0x420008, Kind: Integer, Number: 2}}}
	}
	return "one", "two"
}

// bare is an object of a type with as little as can be.
func bare(t ObjectType) Spec {
	s := Spec{Type: t, Material: []byte(secret)}
	if t == SplitKey {
		s.Key.Split = &Split{Parts: 3, Identifier: 1, Threshold: 2, Method: 1}
	}
	return s
}

// TestTheTableOfAttributes walks the table over all types of objects: what a client may set when an object is made, and add, change and delete later.
func TestTheTableOfAttributes(t *testing.T) {
	r := newRig(t)
	table, zero := Rules()
	table, zero = append(table, customRule("x-custom"), customRule("y-custom")), append(zero, Field{}, Field{})
	for i, rule := range table {
		require.Len(t, strings.Fields(string(rule.Attribute)), len(strings.Split(string(rule.Attribute), " ")))
		require.True(t, rule.Since >= 10 && rule.Since <= 21, rule.Attribute)
		require.NotEmpty(t, rule.Create || rule.Modify || len(rule.By) > 0, "somebody sets %s", rule.Attribute)
		require.True(t, rule.Create || !rule.Modify, "%s can be changed by whom it can be set", rule.Attribute)
		for kind := Certificate; kind <= CertificateRequest; kind++ {
			t.Run(fmt.Sprintf("%s of type %d", rule.Attribute, kind), func(t *testing.T) {
				checkCreation(t, r, rule, kind, zero[i])
				checkLater(t, r, rule, kind, zero[i])
			})
		}
	}
}

func checkCreation(t *testing.T, r *rig, rule Rule, kind ObjectType, zero any) {
	s, spec := r.stage(), bare(kind)
	first, second := sample(rule.Attribute, s.Now())
	if !rule.Create {
		first = zero
	}
	spec.Attributes = []Value{{rule.Attribute, first}}
	id, err := s.Register(spec)
	switch {
	case !rule.applies(kind):
		requireReason(t, ReasonUnknownAttribute, fault.Invalid, err)
		return
	case !rule.Create:
		requireReason(t, ReasonReadOnly, fault.Denied, err)
		return
	}
	require.NoError(t, err)
	all, err := s.Attribute(id, rule.Attribute)
	require.NoError(t, err)
	require.Equal(t, []Instance{{rule.Attribute, 0, first}}, all)
	spec.Attributes = append(spec.Attributes, Value{rule.Attribute, second})
	id, err = r.stage().Register(spec)
	if !rule.Many {
		requireReason(t, ReasonSingleValued, fault.Invalid, err)
		return
	}
	require.NoError(t, err)
	require.NotEmpty(t, id)
	_, err = r.stage().Register(Spec{Type: kind, Material: spec.Material, Key: spec.Key, Attributes: []Value{{rule.Attribute, struct{}{}}}})
	requireReason(t, ReasonInvalidValue, fault.Invalid, err)
}

func checkLater(t *testing.T, r *rig, rule Rule, kind ObjectType, zero any) {
	s := r.stage()
	first, second := sample(rule.Attribute, s.Now())
	if !rule.Create {
		first, second = zero, zero
	}
	id, err := s.Register(bare(kind))
	require.NoError(t, err)
	had, err := s.Attribute(id, rule.Attribute)
	require.NoError(t, err)
	added, err := s.AddAttribute(id, rule.Attribute, first)
	switch {
	case !rule.applies(kind):
		requireReason(t, ReasonUnknownAttribute, fault.Invalid, err)
		return
	case !rule.Modify:
		requireReason(t, ReasonReadOnly, fault.Denied, err)
		_, err = s.SetAttribute(id, rule.Attribute, first)
		requireReason(t, ReasonReadOnly, fault.Denied, err)
		_, err = s.DeleteAttribute(id, rule.Attribute, 0)
		requireReason(t, ReasonReadOnly, fault.Denied, err)
		return
	case len(had) > 0:
		requireReason(t, ReasonSingleValued, fault.Invalid, err)
	default:
		require.NoError(t, err)
		require.Equal(t, Instance{rule.Attribute, 0, first}, added)
	}
	changed, err := s.ModifyAttribute(id, rule.Attribute, 0, second)
	require.NoError(t, err)
	require.Equal(t, Instance{rule.Attribute, 0, second}, changed)
	_, err = s.ModifyAttribute(id, rule.Attribute, 7, second)
	requireReason(t, ReasonInstanceNotFound, fault.NotFound, err)
	set, err := s.SetAttribute(id, rule.Attribute, second)
	if rule.Many {
		requireReason(t, ReasonMultiValued, fault.Invalid, err)
	} else {
		require.NoError(t, err)
		require.Equal(t, second, set.Value)
	}
	gone, err := s.DeleteAttribute(id, rule.Attribute, 0)
	if !rule.Delete {
		requireReason(t, ReasonReadOnly, fault.Denied, err)
		return
	}
	require.NoError(t, err)
	require.Equal(t, second, gone.Value)
	_, err = s.DeleteAttribute(id, rule.Attribute, 0)
	requireReason(t, ReasonAttributeNotFound, fault.NotFound, err)
	_, err = s.ModifyAttribute(id, rule.Attribute, 0, first)
	requireReason(t, ReasonAttributeNotFound, fault.NotFound, err)
}

func TestIndexesStay(t *testing.T) {
	r := newRig(t)
	id := r.make(key(name("a"), name("b"), name("c"), Value{"x-a", Text("0")}, Value{"x-b", Text("0")}, Value{"x-a", Text("1")}))
	r.must(func(s *Stage) error {
		gone, err := s.DeleteAttribute(id, AttrName, 0)
		require.Equal(t, Name{"a", TextName}, gone.Value)
		require.NoError(t, err)
		added, err := s.AddAttribute(id, AttrName, Name{"d", TextName})
		require.EqualValues(t, 3, added.Index)
		require.NoError(t, err)
		_, err = s.DeleteAttribute(id, "x-a", 0)
		return err
	})
	all, err := r.stage().Attributes(id)
	require.NoError(t, err)
	all = slices.DeleteFunc(all, func(i Instance) bool { return i.Attribute != AttrName && i.Attribute[:2] != "x-" })
	require.Equal(t, []Instance{{AttrName, 1, Name{"b", TextName}}, {AttrName, 2, Name{"c", TextName}}, {AttrName, 3, Name{"d", TextName}},
		{"x-a", 1, Text("1")}, {"x-b", 0, Text("0")}}, all)
	r.must(func(s *Stage) error { // as KMIP 2.x does it
		if _, err := s.ModifyValue(id, AttrName, Name{"c", TextName}, Name{"e", TextName}); err != nil {
			return err
		}
		_, err := s.ModifyValue(id, AttrName, Name{"c", TextName}, Name{"f", TextName})
		requireReason(t, ReasonInstanceNotFound, fault.NotFound, err)
		if err := s.DeleteValue(id, AttrName, Name{"b", TextName}); err != nil {
			return err
		}
		return s.DeleteAll(id, "x-a")
	})
	require.Equal(t, []any{Name{"e", TextName}, Name{"d", TextName}}, r.values(id, AttrName))
	require.Empty(t, r.values(id, "x-a"))
	requireIndexed(t, r.view(), acme)
}

func TestDatesThatHaveComeStay(t *testing.T) {
	r := newRig(t)
	now := r.log.Now()
	id := r.make(key())
	set := func(a Attribute, at fsm.Time) error {
		return r.commit(func(s *Stage) error { _, err := s.SetAttribute(id, a, at); return err })
	}
	require.NoError(t, set(AttrActivation, now.Add(time.Hour)))
	require.NoError(t, set(AttrActivation, now.Add(time.Minute)))
	requireReason(t, ReasonInvalidValue, fault.Invalid, set(AttrDeactivation, now))
	require.NoError(t, set(AttrDeactivation, now.Add(time.Hour)))
	requireReason(t, ReasonInvalidValue, fault.Invalid, set(AttrProtectStop, now.Add(2*time.Hour)))
	require.NoError(t, set(AttrProtectStop, now.Add(2*time.Minute)))
	r.log.Pass(time.Minute)
	requireReason(t, ReasonWrongState, fault.Conflict, set(AttrActivation, now.Add(time.Hour)))
	require.NoError(t, set(AttrProtectStop, now.Add(3*time.Minute)))
	r.log.Pass(2 * time.Minute)
	requireReason(t, ReasonWrongState, fault.Conflict, set(AttrProtectStop, now.Add(time.Hour)))
	require.NoError(t, set(AttrDeactivation, now.Add(4*time.Minute)))
	r.log.Pass(time.Minute)
	requireReason(t, ReasonWrongState, fault.Conflict, set(AttrDeactivation, now.Add(time.Hour)))
	epoch := r.make(key())
	id = epoch
	require.NoError(t, set(AttrActivation, 0))
	require.Equal(t, Active, r.state(epoch), "1970 is a date, too")
}

func TestSensitiveAndExtractableGoOneWay(t *testing.T) {
	r := newRig(t)
	id := r.make(key(Value{AttrSensitive, true}))
	all := func() (out [4]any) {
		for i, a := range []Attribute{AttrSensitive, AttrAlwaysSensitive, AttrExtractable, AttrNeverExtractable} {
			out[i] = r.values(id, a)[0]
		}
		return out
	}
	require.Equal(t, [4]any{true, true, true, false}, all())
	s := r.stage()
	_, err := s.SetAttribute(id, AttrSensitive, false)
	requireReason(t, ReasonReadOnly, fault.Denied, err)
	r.must(func(s *Stage) error { _, err := s.SetAttribute(id, AttrExtractable, false); return err })
	require.Equal(t, [4]any{true, true, false, false}, all())
	_, err = r.stage().SetAttribute(id, AttrExtractable, true)
	requireReason(t, ReasonReadOnly, fault.Denied, err)
	id = r.make(key(Value{AttrExtractable, false}))
	require.Equal(t, [4]any{false, false, false, true}, all())
	r.must(func(s *Stage) error { _, err := s.SetAttribute(id, AttrSensitive, true); return err })
	require.Equal(t, [4]any{true, false, false, true}, all())
}

func TestBounds(t *testing.T) {
	r := newRig(t)
	deep := Field{Kind: Integer, Number: 1}
	for range MaxCustomDepth {
		deep = Field{Kind: Structure, Fields: []Field{deep}}
	}
	r.make(key(Value{"x-deep", deep})) // can be committed and read back
	many := func(n int, a Attribute, v func(i int) any) Spec {
		s := key()
		for i := range n {
			s.Attributes = append(s.Attributes, Value{a, v(i)})
		}
		return s
	}
	for what, c := range map[string]struct {
		spec   Spec
		reason Reason
		kind   fault.Kind
	}{
		"names":    {many(MaxNames+1, AttrName, func(i int) any { return Name{fmt.Sprint(i), TextName} }), ReasonLimitReached, fault.Limit},
		"custom":   {many(MaxCustom+1, "x-a", func(i int) any { return Text(fmt.Sprint(i)) }), ReasonLimitReached, fault.Limit},
		"in all":   {many(17, "x-a", func(i int) any { return Text(strings.Repeat("a", 4090)) }), ReasonLimitReached, fault.Limit},
		"a text":   {key(Value{AttrComment, strings.Repeat("a", MaxText+1)}), ReasonInvalidValue, fault.Invalid},
		"a value":  {key(Value{"x-a", Text(strings.Repeat("a", MaxCustomValue))}), ReasonInvalidValue, fault.Invalid},
		"depth":    {key(Value{"x-a", Field{Kind: Structure, Fields: []Field{deep}}}), ReasonInvalidValue, fault.Invalid},
		"utf-8":    {key(Value{"x-a", Text("\xff")}), ReasonInvalidValue, fault.Invalid},
		"a link":   {key(Value{AttrLink, Link{PublicKeyLink, "a\x00b"}}), ReasonInvalidValue, fault.Invalid},
		"material": {Spec{Type: OpaqueObject, Material: make([]byte, MaxMaterial+1)}, ReasonLimitReached, fault.TooLarge},
		"nothing":  {Spec{Type: SecretData}, ReasonInvalidValue, fault.Invalid},
		"no type":  {Spec{Material: []byte(secret)}, ReasonWrongType, fault.Invalid},
		"a server": {key(Value{"y-a", Text("a")}), ReasonReadOnly, fault.Denied},
		"unknown":  {key(Value{"Unheard Of", "a"}), ReasonUnknownAttribute, fault.Invalid},
		"message":  {key(Value{AttrAlgorithm, RSA}), ReasonInvalidValue, fault.Invalid},
		"a split":  {Spec{Type: SplitKey, Material: []byte(secret), Key: Key{Split: &Split{Parts: 2, Threshold: 3, Identifier: 1}}}, ReasonInvalidValue, fault.Invalid},
	} {
		t.Run(what, func(t *testing.T) {
			_, err := r.stage().Register(c.spec)
			requireReason(t, c.reason, c.kind, err)
		})
	}
	full := r.make(many(15, "x-a", func(i int) any { return Text(strings.Repeat("a", 4090)) }))
	err := r.commit(func(s *Stage) error {
		for range 3 {
			if _, err := s.AddAttribute(full, "x-b", Text(strings.Repeat("b", 4000))); err != nil {
				return err
			}
		}
		return nil
	})
	requireReason(t, ReasonLimitReached, fault.Limit, err)
}

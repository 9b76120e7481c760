package managedkey

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestLocate(t *testing.T) {
	r := newRig(t)
	h := func(n int) fsm.Time { return begin.Add(time.Duration(n) * time.Hour) }
	ids := map[string]string{}
	add := func(name string, s Spec) {
		s.Attributes = append(s.Attributes, Value{AttrName, Name{name, TextName}})
		ids[name] = r.make(s)
		r.log.Pass(time.Minute)
	}
	add("a", key(Value{AttrGroup, "g"}, Value{AttrUsage, UseEncrypt | UseDecrypt}, Value{"x-a", Text("1")}, Value{AttrActivation, h(-5)}, Value{AttrAltName, AltName{"alt", 1}}))
	add("b", key(Value{AttrGroup, "g"}, Value{AttrGroup, "h"}, Value{AttrUsage, UseEncrypt}, Value{"x-a", Text("2")}, Value{AttrLink, Link{0x108, "p"}}, Value{AttrActivation, h(-3)}))
	add("c", Spec{Type: PrivateKey, Material: []byte(secret), Key: Key{Algorithm: RSA, Length: 2048}, Attributes: []Value{{"x-a", Text("1")}, {AttrApplication, Application{"ns", "d"}},
		{AttrParameters, Parameters{BlockMode: 1, Padding: 3}}}})
	add("d", Spec{Type: OpaqueObject, Material: []byte("o"), Attributes: []Value{{AttrGroup, "h"}}})
	r.must(func(s *Stage) error { return s.Archive(ids["d"]) })
	add("e", key(Value{AttrGroup, "g"}, Value{"x-a", Text("1")}))
	r.must(func(s *Stage) error { return s.Destroy(ids["e"]) })
	group := Value{AttrGroup, "g"}
	for what, c := range map[string]struct {
		q    Query
		want []string
	}{
		"all":                {Query{}, []string{"c", "b", "a"}},
		"archived too":       {Query{Storage: Online | Archived}, []string{"d", "c", "b", "a"}},
		"archived":           {Query{Storage: Archived}, []string{"d"}},
		"everything":         {Query{Storage: Online | Archived | DestroyedToo}, []string{"e", "d", "c", "b", "a"}},
		"destroyed":          {Query{Storage: DestroyedToo, Match: []Value{group}}, []string{"e"}},
		"by state destroyed": {Query{Match: []Value{{AttrState, Destroyed}}}, []string{"e"}},
		"name":               {Query{Match: []Value{name("b")}}, []string{"b"}},
		"name of another":    {Query{Match: []Value{name("b"), {AttrObjectType, PrivateKey}}}, nil},
		"part of a name":     {Query{Match: []Value{{AttrName, Name{Value: "b"}}}}, []string{"b"}},
		"a name that is not": {Query{Match: []Value{{AttrName, Name{"b", URIName}}}}, nil},
		"destroyed name":     {Query{Match: []Value{name("e")}}, nil},
		"type":               {Query{Match: []Value{{AttrObjectType, SymmetricKey}}}, []string{"b", "a"}},
		"group":              {Query{Match: []Value{group}}, []string{"b", "a"}},
		"two groups":         {Query{Match: []Value{group, {AttrGroup, "h"}}}, []string{"b"}},
		"custom":             {Query{Match: []Value{{"x-a", Text("1")}}}, []string{"c", "a"}},
		"custom and group":   {Query{Match: []Value{{"x-a", Text("1")}, group}}, []string{"a"}},
		"link":               {Query{Match: []Value{{AttrLink, Link{0x108, "p"}}}}, []string{"b"}},
		"any link of a type": {Query{Match: []Value{{AttrLink, Link{Type: 0x108}}}}, []string{"b"}},
		"another name":       {Query{Match: []Value{{AttrAltName, AltName{"alt", 1}}}}, []string{"a"}},
		"application":        {Query{Match: []Value{{AttrApplication, Application{"ns", "d"}}}}, []string{"c"}},
		"a namespace":        {Query{Match: []Value{{AttrApplication, Application{Namespace: "ns"}}}}, []string{"c"}},
		"parameters":         {Query{Match: []Value{{AttrParameters, Parameters{Padding: 3}}}}, []string{"c"}},
		"algorithm":          {Query{Match: []Value{{AttrAlgorithm, RSA}}}, []string{"c"}},
		"length":             {Query{Match: []Value{{AttrLength, uint32(256)}}}, []string{"b", "a"}},
		"mask":               {Query{Match: []Value{{AttrUsage, UseEncrypt}}}, []string{"b", "a"}},
		"whole mask":         {Query{Match: []Value{{AttrUsage, UseEncrypt | UseDecrypt}}}, []string{"a"}},
		"state":              {Query{Match: []Value{{AttrState, Active}}}, []string{"b", "a"}},
		"date":               {Query{Match: []Value{{AttrActivation, h(-3)}}}, []string{"b"}},
		"range":              {Query{Match: []Value{{AttrActivation, h(-3)}, {AttrActivation, h(-9)}}}, []string{"b", "a"}},
		"range beside":       {Query{Match: []Value{{AttrActivation, h(-2)}, {AttrActivation, h(-1)}}}, nil},
		"initial date":       {Query{Match: []Value{{AttrInitial, begin.Add(time.Minute)}, {AttrInitial, begin.Add(2 * time.Minute)}}}, []string{"c", "b"}},
		"id":                 {Query{Match: []Value{{AttrUniqueID, ids["c"]}}}, []string{"c"}},
		"id and state":       {Query{Match: []Value{{AttrUniqueID, ids["c"]}, {AttrState, Active}}}, nil},
		"no id":              {Query{Match: []Value{{AttrUniqueID, "?"}}}, nil},
		"most":               {Query{Max: 2}, []string{"c", "b"}},
		"offset":             {Query{Max: 2, Offset: 2}, []string{"a"}},
		"visible":            {Query{Visible: func(o *Object) bool { return o.Type == PrivateKey }}, []string{"c"}},
		"fresh members":      {Query{Match: []Value{group}, Member: MemberFresh}, []string{"a", "b"}},
		"absent attribute":   {Query{Match: []Value{{AttrCertLength, uint32(0)}}}, nil},
		"key value present":  {Query{Match: []Value{{AttrPresent, true}, group}}, []string{"b", "a"}},
	} {
		t.Run(what, func(t *testing.T) {
			var want []string
			for _, n := range c.want {
				want = append(want, ids[n])
			}
			require.Equal(t, want, r.locate(c.q))
			c.q.Total, c.q.Offset, c.q.Max = true, 0, 1
			f, err := r.stage().Locate(t.Context(), c.q)
			require.NoError(t, err)
			if what != "most" && what != "offset" {
				require.Equal(t, len(want), f.Total)
				require.Equal(t, len(want) > 1, f.More)
			}
		})
	}
	for what, q := range map[string]Query{
		"no group": {Member: MemberFresh}, "no member": {Match: []Value{group}, Member: 9}, "wrong type": {Match: []Value{{AttrLength, "256"}}},
		"negative": {Max: -1}, "unknown": {Match: []Value{{"Unheard Of", "a"}}},
	} {
		_, err := r.stage().Locate(t.Context(), q)
		require.Equal(t, fault.Invalid, fault.KindOf(err), what)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.stage().Locate(ctx, Query{})
	require.Equal(t, fault.NotDone, fault.KindOf(err))
	require.ErrorIs(t, err, context.Canceled)
}

func TestLocateSeesWhatItsStageHasDone(t *testing.T) {
	r := newRig(t)
	var old []string
	for range 3 {
		old = append(old, r.make(key(Value{AttrGroup, "g"})))
	}
	r.must(func(s *Stage) error {
		made, err := s.Create(key(Value{AttrGroup, "g"}))
		require.NoError(t, err)
		_, err = s.DeleteAttribute(old[1], AttrGroup, 0)
		require.NoError(t, err)
		require.NoError(t, s.Destroy(old[2]))
		require.Equal(t, []string{made, old[0]}, must(t, s, Query{Match: []Value{{AttrGroup, "g"}}}))
		require.Equal(t, []string{made, old[1], old[0]}, must(t, s, Query{}))
		require.Equal(t, []string{made, old[2], old[1], old[0]}, must(t, s, Query{Storage: Online | DestroyedToo}))
		require.Equal(t, []string{old[0], made}, must(t, s, Query{Match: []Value{{AttrGroup, "g"}}, Member: MemberFresh}))
		return nil
	})
	require.Len(t, r.locate(Query{Match: []Value{{AttrGroup, "g"}}}), 2)
}

// TestMembersOfAGroup are the OASIS cases TC-152-12 and TC-153-12.
func TestMembersOfAGroup(t *testing.T) {
	r := newRig(t)
	group := []Value{{AttrGroup, "round robin"}}
	var all []string
	for range 3 {
		all = append(all, r.make(key(group...)))
	}
	next := func(m GroupMember) (id string) {
		r.must(func(s *Stage) error {
			id = ""
			ids := must(t, s, Query{Match: group, Member: m, Max: 1})
			if len(ids) == 0 {
				return nil
			}
			id = ids[0]
			_, err := s.Get(id)
			return err
		})
		return id
	}
	for i := range 7 {
		require.Equal(t, all[i%3], next(MemberDefault))
	}
	require.Empty(t, next(MemberFresh), "all were given")
	fresh := []string{r.make(key(group...)), r.make(key(group...))}
	r.log.Before(func() { require.Equal(t, fresh[0], next(MemberFresh)) })
	require.Equal(t, fresh[1], next(MemberFresh), "two clients never get the same fresh object")
	require.Empty(t, next(MemberFresh))
}

func TestLists(t *testing.T) {
	r := newRig(t)
	var want []string
	r.must(func(s *Stage) error {
		for i := range 300 {
			id, err := s.Create(key(Value{AttrGroup, fmt.Sprint(i % 2)}))
			if err != nil {
				return err
			}
			want = append(want, id)
		}
		return nil
	})
	slices.Reverse(want)
	require.Equal(t, want, r.locate(Query{}))
	require.Equal(t, want[100:150], r.locate(Query{Offset: 100, Max: 50}))
	require.Len(t, r.locate(Query{Match: []Value{{AttrGroup, "1"}}}), 150)
	for _, i := range []int{299, 7} {
		r.must(func(s *Stage) error { return s.Destroy(want[i]) })
	}
	want = slices.Concat(want[:7], want[8:299], []string{want[7], want[299]})
	var got []string
	var at Cursor
	for {
		page, next, err := List(t.Context(), r.view(), acme, at, 49, nil)
		require.NoError(t, err)
		for _, o := range page {
			got = append(got, o.ID)
		}
		if at = next; at == (Cursor{}) {
			break
		}
	}
	require.Equal(t, want, got)
	page, next, err := List(t.Context(), r.view(), acme, Cursor{}, 2, func(o *Object) bool { return o.dead() })
	require.NoError(t, err)
	require.Len(t, page, 2)
	require.Zero(t, next)
}

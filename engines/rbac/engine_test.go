package rbac

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestWriteAnswersWhatGetReads(t *testing.T) {
	r := newRig(t)
	rules := []Rule{{"secrets/a/*", Read}, {"secrets/a/hr/*", Deny}}
	first := r.must(acme, "a", rules...)
	require.Equal(t, uint64(1), first.Version)
	second := r.must(acme, "a", rules[0])
	require.Equal(t, uint64(2), second.Version)
	require.Equal(t, "ann", second.By)
	got, found, err := r.e.Get(r.view(), acme, "a")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, second, got)
	_, found, err = r.e.Get(r.view(), other, "a")
	require.NoError(t, err)
	require.False(t, found, "another tenant's")
}

func TestARepeatedWriteAnswersTheSame(t *testing.T) {
	r := newRig(t)
	req := r.request(acme)
	first, err := r.e.Write(t.Context(), req, "a", []Rule{{"x", Read}}, sudo)
	require.NoError(t, err)
	r.must(acme, "a", Rule{"y", Read})
	again, err := r.e.Write(t.Context(), req, "a", []Rule{{"x", Read}}, sudo)
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.True(t, r.load(acme, "a").Check("y", Read), "the repetition had no effect")
}

func TestDeleteEndsWhatAPolicyGranted(t *testing.T) {
	r := newRig(t)
	r.must(acme, "a", Rule{"x", Read})
	require.True(t, r.load(acme, "a").Check("x", Read))
	require.NoError(t, r.e.Delete(t.Context(), r.request(acme), "a", sudo))
	require.False(t, r.load(acme, "a").Check("x", Read))
	require.True(t, fault.Is(r.e.Delete(t.Context(), r.request(acme), "a", sudo), fault.NotFound))
	require.Equal(t, uint64(3), r.must(acme, "a", Rule{"y", Read}).Version, "versions go on")
	require.False(t, r.load(acme, "a").Check("x", Read))
}

func TestWriteRefuses(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		name string
		rule Rule
		kind fault.Kind
	}{
		{"root", Rule{"x", Read}, fault.Denied},
		{"Root", Rule{"x", Read}, fault.Invalid},
		{"a", Rule{"", Read}, fault.Invalid},
		{"a", Rule{"x", 0}, fault.Invalid},
	} {
		for _, tenant := range []fsm.UID{acme, fsm.RootTenant} {
			_, err := r.write(tenant, c.name, sudo, c.rule)
			require.True(t, fault.Is(err, c.kind), "%s: %v", c.name, err)
		}
	}
	require.True(t, fault.Is(r.e.Delete(t.Context(), r.request(fsm.RootTenant), Root, sudo), fault.Denied))
	require.Zero(t, r.store.Applied())
}

func TestNobodyWritesMoreThanTheyMayDo(t *testing.T) {
	r := newRig(t)
	r.must(acme, "writer", Rule{"secrets/a/*", Read | List}, Rule{"secrets/a/hr/*", Deny})
	writer := Bound{Tenant: acme, Policies: []string{"writer", "absent"}}
	for _, c := range []struct {
		ok    bool
		rules []Rule
	}{
		{true, []Rule{{"secrets/a/b", Read}}},
		{true, []Rule{{"secrets/a/*", Read}, {"secrets/a/hr/*", Deny}}},
		{false, []Rule{{"secrets/a/*", Read}}},
		{false, []Rule{{"secrets/a/hr/x", Read}}},
		{false, []Rule{{"secrets/a/b", Write}}},
		{false, []Rule{{"secrets/+/b", Read}}},
		{false, []Rule{{"*", Read}}},
	} {
		_, err := r.write(acme, "new", writer, c.rules...)
		require.Equal(t, !c.ok, fault.Is(err, fault.Denied), "%v: %v", c.rules, err)
	}
	_, err := r.write(acme, "new", Bound{Tenant: acme}, Rule{"x", Read})
	require.True(t, fault.Is(err, fault.Denied), "no policies, nothing to give")
	r.must(acme, "absent", Rule{"policies/new", Sudo})
	_, err = r.write(acme, "new", writer, Rule{"*", All})
	require.NoError(t, err)
}

// TestADenialIsTakenBackWithSudoOnly: whoever may write a policy that denies them something must not write the denial away.
func TestADenialIsTakenBackWithSudoOnly(t *testing.T) {
	r := newRig(t)
	r.must(acme, "limits", Rule{"secrets/hr/*", Deny}, Rule{"secrets/it/*", Read})
	r.must(acme, "writer", Rule{"secrets/*", Read}, Rule{"policies/*", Read | Write | Delete})
	writer := Bound{Tenant: acme, Policies: []string{"writer", "limits"}}
	_, err := r.write(acme, "limits", writer)
	require.True(t, fault.Is(err, fault.Denied), "%v", err)
	_, err = r.write(acme, "limits", writer, Rule{"secrets/hr/x", Deny})
	require.True(t, fault.Is(err, fault.Denied), "%v", err)
	require.True(t, fault.Is(r.e.Delete(t.Context(), r.request(acme), "limits", writer), fault.Denied))
	_, err = r.write(acme, "limits", writer, Rule{"secrets/*", Deny})
	require.NoError(t, err, "to deny more is free")
	require.NoError(t, r.e.Delete(t.Context(), r.request(acme), "limits", sudo))
}

// TestAWriterWhoLosesRightsMeanwhileIsRefused: the decision guards the policies that it rested on.
func TestAWriterWhoLosesRightsMeanwhileIsRefused(t *testing.T) {
	r := newRig(t)
	r.must(acme, "writer", Rule{"secrets/*", Read})
	r.log.before = func() { r.propose(acme, Deleted{"writer"}) }
	_, err := r.write(acme, "new", Bound{Tenant: acme, Policies: []string{"writer"}}, Rule{"secrets/x", Read})
	require.True(t, fault.Is(err, fault.Denied), "%v", err)
	_, found, err := r.e.Get(r.view(), acme, "new")
	require.NoError(t, err)
	require.False(t, found)
}

func TestTheRootPolicyExistsInTheRootTenantOnly(t *testing.T) {
	r := newRig(t)
	require.True(t, r.load(fsm.RootTenant, Root).Check("sys/members", Sudo))
	require.False(t, r.load(acme, Root).Check("secrets/x", Read))
	for tenant, want := range map[fsm.UID]bool{fsm.RootTenant: true, acme: false} {
		_, found, err := r.e.Get(r.view(), tenant, Root)
		require.NoError(t, err)
		require.Equal(t, want, found)
	}
}

func TestAConfinedTenantStaysInside(t *testing.T) {
	r := newRig(t)
	r.must(acme, "all", Rule{"*", All}, Rule{"audit/*", All})
	s := r.load(acme, "all")
	require.True(t, s.Check("secrets/x", Read))
	require.True(t, s.Check("audit/events", Read))
	for _, path := range []string{"sys", "sys/members", "tenants", "tenants/acme", "audit/verify"} {
		require.False(t, s.Check(path, Read), path)
	}
	r.must(fsm.RootTenant, "verifier", Rule{"audit/verify", Read}, Rule{"sys/members", List})
	require.True(t, r.load(fsm.RootTenant, "verifier").Check("audit/verify", Read))
}

// TestATenantsPolicyDoesNotSpeakOfTheCluster: such a rule would have no effect, whether it grants or denies.
func TestATenantsPolicyDoesNotSpeakOfTheCluster(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"sys", "sys/*", "sys/members", "tenants", "tenants/+", "+", "+/*", "+/members", "audit/verify"} {
		for _, c := range []Capability{Read, Deny} {
			_, err := r.write(acme, "a", sudo, Rule{"x", Read}, Rule{path, c})
			requireField(t, "rules[1].path", err)
		}
		r.must(fsm.RootTenant, "a", Rule{"x", Read}, Rule{path, Read})
	}
	for _, path := range []string{"*", "audit/*", "audit/+", "systems/x", "secrets/sys", "secrets/*"} {
		r.must(acme, "a", Rule{path, Read})
	}
}

func requireField(t *testing.T, field string, err error) {
	t.Helper()
	var f *fault.Error
	require.ErrorAs(t, err, &f)
	require.Equal(t, fault.Invalid, f.Kind)
	require.Equal(t, field, f.Field)
}

func TestABadRuleIsNamed(t *testing.T) {
	good := Rule{"secrets/*", Read}
	require.NoError(t, checkRules([]Rule{good, good}))
	for _, c := range []struct {
		rule  Rule
		field string
	}{{Rule{"", Read}, "rules[2].path"}, {Rule{"a//b", Read}, "rules[2].path"}, {Rule{"a", 0}, "rules[2].capabilities"}, {Rule{"a", Deny | Read}, "rules[2].capabilities"}} {
		requireField(t, c.field, checkRules([]Rule{good, good, c.rule}))
	}
}

// TestTooManyRulesAreNotCompared: a comparison is made by the leader while it decides.
func TestTooManyRulesAreNotCompared(t *testing.T) {
	r := newRig(t)
	var names []string
	for i := range 9 {
		var rules []Rule
		for j := range 255 {
			rules = append(rules, Rule{fmt.Sprintf("secrets/%d/%d", i, j), Read})
		}
		names = append(names, fmt.Sprint("p", i))
		r.must(acme, names[i], rules...)
	}
	require.True(t, r.within(acme, names[:8], acme, names[:8]...))
	_, err := r.e.Within(r.view(), acme, names, fsm.RootTenant, []string{Root})
	require.True(t, fault.Is(err, fault.Limit), "%v", err)
	_, err = r.e.Within(r.view(), acme, names[:1], acme, names)
	require.True(t, fault.Is(err, fault.Limit), "%v", err)
	_, err = r.write(acme, "new", Bound{Tenant: acme, Policies: names}, Rule{"secrets/0/0", Read})
	require.True(t, fault.Is(err, fault.Limit), "%v", err)
	_, err = r.write(acme, "new", Bound{Tenant: acme, Policies: names[:8]}, Rule{"secrets/0/0", Read})
	require.NoError(t, err)

	deep := strings.Repeat("a/", 100) + "a"
	var rules []Rule
	for range 90 {
		rules = append(rules, Rule{deep, Read})
	}
	r.must(acme, "deep", rules...)
	_, err = r.e.Within(r.view(), acme, []string{"deep"}, fsm.RootTenant, []string{Root})
	require.True(t, fault.Is(err, fault.Limit), "%v", err)
}

func TestWithinOfTokens(t *testing.T) {
	r := newRig(t)
	r.must(acme, "wide", Rule{"secrets/*", All})
	r.must(acme, "narrow", Rule{"secrets/a/*", Read})
	r.must(acme, "everything", Rule{"*", All})
	require.True(t, r.within(acme, []string{"narrow"}, acme, "wide"))
	require.False(t, r.within(acme, []string{"wide"}, acme, "narrow"))
	require.True(t, r.within(acme, nil, acme), "nothing within nothing")
	require.True(t, r.within(acme, []string{"narrow"}, acme, "absent", "wide"))
	require.True(t, r.within(acme, []string{"everything"}, fsm.RootTenant, Root))
	require.False(t, r.within(fsm.RootTenant, []string{Root}, acme, "everything"), "sys lies outside")
	for _, absent := range []string{"absent", Root} { // whoever makes it later would fill it; there is no root in a tenant
		within, err := r.e.Within(r.view(), acme, []string{"narrow", absent}, fsm.RootTenant, []string{Root})
		require.False(t, within)
		require.True(t, fault.Is(err, fault.Denied))
		require.ErrorContains(t, err, absent)
	}
}

func TestGuardsNoticeEveryChange(t *testing.T) {
	r := newRig(t)
	r.must(acme, "a", Rule{"x", Read})
	guards := func() []fsm.Guard {
		g, err := r.e.Guards(r.view(), acme, []string{"a", "absent"})
		require.NoError(t, err)
		return g
	}
	require.Equal(t, []fsm.Guard{{Tenant: acme, Stream: "policy/a", Version: 1}, {Tenant: acme, Stream: "policy/absent"}}, guards())
	require.NoError(t, r.e.Delete(t.Context(), r.request(acme), "a", sudo))
	require.Equal(t, uint64(2), guards()[0].Version)
}

func TestListGoesOnWhereItEnded(t *testing.T) {
	r := newRig(t)
	for _, n := range []string{"c", "a", "b"} {
		r.must(acme, n, Rule{"x", Read})
	}
	r.must(other, "z", Rule{"x", Read})
	var names []string
	after, pages := "", 0
	for more := true; more; more = after != "" {
		page, next, err := r.e.List(r.view(), acme, after, 2)
		require.NoError(t, err)
		for _, p := range page {
			names = append(names, p.Name)
		}
		after, pages = next, pages+1
	}
	require.Equal(t, []string{"a", "b", "c"}, names)
	require.Equal(t, 2, pages)
	for _, limit := range []int{0, -1, 1 << 30} {
		page, next, err := r.e.List(r.view(), acme, "", limit)
		require.NoError(t, err)
		require.Len(t, page, 3)
		require.Empty(t, next)
	}
}

func TestATenantHoldsSoManyPolicies(t *testing.T) {
	r := newRig(t)
	r.must(acme, "a", Rule{"x", Read})
	r.propose(acme, crowded{maxPolicies})
	_, err := r.write(acme, "b", sudo, Rule{"x", Read})
	require.True(t, fault.Is(err, fault.Limit), "%v", err)
	r.must(acme, "a", Rule{"y", Read})
	r.must(other, "b", Rule{"x", Read})
	require.NoError(t, r.e.Delete(t.Context(), r.request(acme), "a", sudo))
	r.must(acme, "b", Rule{"x", Read})
}

func TestANewTenantHasAnAdmin(t *testing.T) {
	r := newRig(t)
	events, err := r.e.NewTenant(r.view(), acme)
	require.NoError(t, err)
	r.propose(acme, events...)
	s := r.load(acme, "admin")
	require.NoError(t, checkRules(admin()))
	for _, path := range []string{"secrets/a/b", "tokens", "tokens/x", "policies", "policies/x", "audit/events"} {
		require.True(t, s.Check(path, All), path)
	}
	require.True(t, s.Check("secrets", List))
	require.False(t, s.Check("secrets", Read))
	for _, path := range []string{"sys/members", "tenants/acme"} {
		require.False(t, s.Check(path, Read), path)
	}
}

// TestAnOldViewSeesTheOldPolicy: what is cached for one view never answers for another.
func TestAnOldViewSeesTheOldPolicy(t *testing.T) {
	r := newRig(t)
	r.must(acme, "a", Rule{"old", Read})
	before := r.view()
	r.must(acme, "a", Rule{"new", Read})
	after := r.view()
	for range 3 {
		s, err := r.e.Load(before, acme, []string{"a"})
		require.NoError(t, err)
		require.True(t, s.Check("old", Read) && !s.Check("new", Read))
		s, err = r.e.Load(after, acme, []string{"a"})
		require.NoError(t, err)
		require.True(t, s.Check("new", Read) && !s.Check("old", Read))
	}
}

func TestTheCacheKeepsNoAbsentNames(t *testing.T) {
	r := newRig(t)
	r.must(acme, "a", Rule{"x", Read})
	for i := range 100 {
		require.False(t, r.load(acme, "a", strings.Repeat("n", 1000)+fmt.Sprint(i), Root).Check("y", Read))
	}
	r.e.mu.RLock()
	defer r.e.mu.RUnlock()
	require.Len(t, r.e.ready, 1)
}

func TestLoadInParallelWithWrites(t *testing.T) {
	r := newRig(t)
	r.must(acme, "a", Rule{"v1", Read})
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					loadMatchesItsView(t, r)
				}
			}
		})
	}
	for i := 2; i < 40; i++ {
		r.must(acme, "a", Rule{fmt.Sprint("v", i), Read})
	}
	close(done)
	readers.Wait()
}

// loadMatchesItsView: version n of the policy grants v<n> and nothing else.
func loadMatchesItsView(t *testing.T, r *rig) {
	v, err := r.store.View()
	if err != nil {
		t.Error(err)
		return
	}
	defer v.Close()
	n, err := fsm.StreamVersion(v, acme, "policy/a")
	s, err2 := r.e.Load(v, acme, []string{"a"})
	if err != nil || err2 != nil || !s.Check(fmt.Sprint("v", n), Read) || s.Check(fmt.Sprint("v", n-1), Read) {
		t.Errorf("at version %d: %s (%v, %v)", n, describe(s), err, err2)
	}
}

func TestASnapshotAndARebuildAgree(t *testing.T) {
	r := newRig(t)
	r.must(acme, "a", Rule{"x", Read})
	r.must(acme, "b", Rule{"x", Deny})
	require.NoError(t, r.e.Delete(t.Context(), r.request(acme), "a", sudo))
	digest := func(v *fsm.View) [32]byte {
		d, err := fsm.Digest(t.Context(), v)
		require.NoError(t, err)
		return d
	}
	opened := func(s *fsm.Store) *fsm.View { return (&rig{t: t, store: s}).view() }
	v := r.view()
	var out bytes.Buffer
	require.NoError(t, v.Export(&out))
	restored, rebuilt := openStore(t), openStore(t)
	require.NoError(t, restored.Restore(bytes.NewReader(out.Bytes())))
	require.NoError(t, fsm.Rebuild(t.Context(), v, rebuilt))
	require.Equal(t, digest(v), digest(opened(restored)))
	require.Equal(t, digest(v), digest(opened(rebuilt)))
}

func BenchmarkLoad(b *testing.B) {
	r := newRig(b)
	_, err := r.e.Write(b.Context(), r.request(acme), "a", []Rule{{"secrets/*", Read}}, sudo)
	require.NoError(b, err)
	v := r.view()
	b.ReportAllocs()
	for b.Loop() {
		if s, err := r.e.Load(v, acme, []string{"a"}); err != nil || !s.Check("secrets/x", Read) {
			b.Fatal(err)
		}
	}
}

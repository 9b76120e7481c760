package replay

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEveryPublishedCasePassesAgainstItself(t *testing.T) {
	groups := load(t)
	skip := ClientBound(groups)
	var report Report
	for _, g := range groups {
		report = append(report, Run(t.Context(), g, newFake(g, skip).dial, Options{NotApplicable: skip})...)
	}
	require.Zero(t, report.Count(Failed), "%s", report)
	require.Equal(t, len(skip), report.Count(Skipped))
	require.Greater(t, report.Count(Passed), 100)
	for _, r := range report {
		if r.Outcome == Skipped {
			t.Log(r)
		}
	}
}

// TestSurvey prints what a server needs for the published cases.
func TestSurvey(t *testing.T) {
	groups := load(t)
	s := NewSurvey(groups)
	require.Contains(t, s["Operations"], "Locate")
	require.Contains(t, s["Object Type"], "SymmetricKey")
	require.Contains(t, s["Attributes"], "Cryptographic Usage Mask")
	t.Logf("\n%s", s)
}

func TestCasesThatShareObjectsAreOneGroup(t *testing.T) {
	sizes := map[string]int{}
	for _, g := range load(t) {
		sizes[g.Name] = len(g.Cases)
	}
	require.Equal(t, 3, sizes["v1.4/SASED-M-14"])
	require.Equal(t, 3, sizes["v1.4/TL-M-14"])
	require.Equal(t, 1, sizes["v1.4/CS-BC-M-1-14"])
}

func TestTheClientsOfACase(t *testing.T) {
	clients := map[string][]string{}
	for _, g := range load(t) {
		for _, c := range g.Cases {
			clients[c.Name] = c.Clients()
		}
	}
	require.Equal(t, []string{"A", "B", "C"}, clients["v1.2/TC_51_12_Get_Usage_Allocation_Scenario"])
	require.Equal(t, []string{"A", "B"}, clients["v1.2/TC_314_12_Dual_Client_Test_Case_ID_Placeholder_linked_Locate_Get_Batch"])
	require.Equal(t, []string{""}, clients["v1.4/TL-M-1-14"])
}

// TestClientsHaveConnectionsOfTheirOwn looks at who sends what.
func TestClientsHaveConnectionsOfTheirOwn(t *testing.T) {
	g := find(t, "v1.2/TC_51_12_Get_Usage_Allocation_Scenario")
	f := newFake(g, nil)
	var senders []string
	open := 0
	dial := func(_ context.Context, client string) (Exchange, func(), error) {
		open++
		return func(ctx context.Context, request []byte) ([]byte, error) {
			senders = append(senders, client)
			return f.exchange(ctx, request)
		}, func() { open-- }, nil
	}
	report := Run(t.Context(), g, dial, Options{})
	require.Equal(t, 1, report.Count(Passed), "%s", report)
	require.Equal(t, []string{"A", "A", "A", "B", "B", "B", "A", "C", "C", "C"}, senders[:10])
	require.Zero(t, open)
}

func TestAClientBoundCaseOutsideOfTheTableFails(t *testing.T) {
	g := find(t, "v1.4/TC-NP-1-14")
	report := Run(t.Context(), g, newFake(g, nil).dial, Options{})
	require.Equal(t, 1, report.Count(Failed))
	require.ErrorContains(t, report[0].Err, "step 2 is Put")
	require.Equal(t, []string{"v9/no-such-case"}, NotApplicable{"v9/no-such-case": "", "v1.4/TC-NP-1-14": ""}.Unknown([]Group{g}))
}

func TestAStepHasATimeout(t *testing.T) {
	g := find(t, "v1.4/TL-M-1-14")
	dial := func(context.Context, string) (Exchange, func(), error) {
		return func(ctx context.Context, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }, nil, nil
	}
	report := Run(t.Context(), g, dial, Options{Step: time.Millisecond})
	require.ErrorIs(t, report[0].Err, context.DeadlineExceeded)
	refuse := func(context.Context, string) (Exchange, func(), error) { return nil, nil, errors.New("refused") }
	require.ErrorContains(t, Run(t.Context(), g, refuse, Options{})[0].Err, "refused")
}

// find returns the group with this case, alone.
func find(t *testing.T, name string) Group {
	t.Helper()
	for _, g := range load(t) {
		for _, c := range g.Cases {
			if c.Name == name {
				return Group{g.Name, []Case{c}}
			}
		}
	}
	t.Fatalf("there is no case %s", name)
	return Group{}
}

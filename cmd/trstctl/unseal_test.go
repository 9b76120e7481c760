package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
)

// TestANodeThatRefusesAShareKeepsNoOtherClosed: one that lags behind a rekey, say, wants other shares than the rest.
func TestANodeThatRefusesAShareKeepsNoOtherClosed(t *testing.T) {
	node := func(id string, refuses bool) *opening {
		have := 0
		return &opening{Node: id, UnsealProgress: sdk.UnsealProgress{Sealed: true}, give: func(_ context.Context, _ sdk.Secret, _ string) (sdk.UnsealProgress, error) {
			if refuses {
				return sdk.UnsealProgress{}, &sdk.Error{Kind: sdk.Denied, Detail: "this share is not of the set"}
			}
			have++
			return sdk.UnsealProgress{Have: have, Need: 2, Sealed: have < 2}, nil
		}}
	}
	a := &app{in: strings.NewReader("one\ntwo\nthree\n"), out: &bytes.Buffer{}, err: &bytes.Buffer{}, env: func(string) string { return "" }}
	all := []*opening{node("n1", true), node("n2", false), node("n3", false)}
	given, err := a.giveShares(t.Context(), all)
	require.ErrorContains(t, err, "n1")
	require.Equal(t, sdk.Denied, sdk.KindOf(err))
	require.Equal(t, 2, given)
	require.True(t, all[0].Sealed)
	require.False(t, all[1].Sealed || all[2].Sealed)

	a.in = strings.NewReader("mistyped\ntwo\n")
	given, err = a.giveShares(t.Context(), []*opening{node("n1", true)})
	require.Error(t, err)
	require.Equal(t, 1, given, "nobody is left to give the next to")
}

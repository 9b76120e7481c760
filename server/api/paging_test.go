package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCursorsNameOnlyWhatIsShown(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{"a1", "b-hidden", "c1", "d-hidden", "e-hidden"} {
		b.put("/policies/"+name, b.root, rules("x read")).is(200)
		b.post("/tenants", b.root, `{"name":"`+name+`"}`).is(200)
	}
	caller := b.token("policies list", "tenants list", "policies/b-hidden deny", "policies/d-hidden deny", "policies/e-hidden deny", "policies/pkey-* read",
		"tenants/b-hidden deny", "tenants/d-hidden deny", "tenants/e-hidden deny")
	for url, end := range map[string]string{"/policies": "pkey-", "/tenants": "root"} {
		first := b.get(url+"?limit=1", caller).is(200).reply()
		require.Equal(t, "a1", first["items"].([]any)[0].(map[string]any)["name"])
		require.Equal(t, "a1", first["next_cursor"])
		second := b.get(url+"?limit=1&cursor=a1", caller).is(200).reply()
		require.Equal(t, "c1", second["items"].([]any)[0].(map[string]any)["name"], "a page is filled")
		require.Equal(t, "c1", second["next_cursor"])
		third := b.get(url+"?limit=1&cursor=c1", caller).is(200).reply()
		require.True(t, strings.HasPrefix(third["items"].([]any)[0].(map[string]any)["name"].(string), end))
	}
}

func TestAListLooksThroughABoundedNumber(t *testing.T) {
	asked := 0
	page := func(after string, limit int) (out []string, next string, err error) {
		asked++
		for i := range limit {
			out = append(out, fmt.Sprintf("%s%d", after, i))
		}
		return out, fmt.Sprint("n", asked), nil
	}
	self := func(s string) string { return s }
	out, next, err := shown("", 5, page, self, func(string) bool { return true })
	require.NoError(t, err)
	require.Empty(t, out)
	require.Equal(t, "n10", next, "the next call has to get on")
	require.Equal(t, lookThrough, asked)
	out, next, err = shown("", 5, page, self, func(s string) bool { return s != "3" })
	require.NoError(t, err)
	require.Equal(t, []string{"3"}, out)
	require.Equal(t, "3", next)
}

func TestAListShowsRulesToWhoMayReadThem(t *testing.T) {
	b := newBench(t)
	b.put("/policies/open", b.root, rules("x read")).is(200)
	b.put("/policies/closed", b.root, rules("y read")).is(200)
	for _, it := range b.get("/policies", b.token("policies list", "policies/open read")).is(200).reply()["items"].([]any) {
		m := it.(map[string]any)
		require.Equal(t, m["name"] == "open", m["rules"] != nil, "%v", m)
		require.Equal(t, m["name"] == "open", m["updated_by"] != nil, "%v", m)
	}
}

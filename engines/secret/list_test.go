package secret

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestAListIsInTheOrderOfBytes(t *testing.T) {
	r := newRig(t)
	paths := []string{"a b", "a-b", "a/b", "a/b/c", "a/b-c", "a0", "a", "b", "ab", "A", "é", "~", "\U0001f511", "a/é", "a\ufffd", " "}
	for _, p := range paths {
		r.put(p, "x")
	}
	slices.Sort(paths)
	for limit := 1; limit <= len(paths)+1; limit++ {
		require.Equal(t, paths, r.list(Query{Limit: limit}), "limit %d", limit)
	}
	require.Equal(t, []string{"a", "a b", "a-b", "a/b", "a/b-c", "a/b/c", "a/é", "a0", "ab", "a\ufffd"}, r.list(Query{Prefix: "a"}))
	require.Equal(t, []string{"a/b", "a/b-c", "a/b/c", "a/é"}, r.list(Query{Prefix: "a/"}))
	require.Equal(t, []string{"a/b", "a/b-c", "a/b/c"}, r.list(Query{Prefix: "a/b"}))
	require.Equal(t, []string{"a/b/c"}, r.list(Query{Prefix: "a/b/"}))
	require.Equal(t, []string{"é"}, r.list(Query{Prefix: "\xc3"}), "a prefix may end inside a character")
	for _, none := range []string{"a/b/c/", "x", "\xff", "a\x00", "\x00\x01", "/"} {
		require.Empty(t, r.list(Query{Prefix: none}), "%q", none)
	}
}

func TestFoldersAreOneLevelBeneathThePrefix(t *testing.T) {
	r := newRig(t)
	for _, p := range []string{"a", "a-b", "a-b/x", "a/b", "a/b/c", "a/b/d", "a/b-c", "a/c/d/e", "a0", "z/y"} {
		r.put(p, "x")
	}
	for prefix, want := range map[string][]string{
		"":       {"a", "a-b", "a-b/", "a/", "a0", "z/"},
		"a":      {"a", "a-b", "a-b/", "a/", "a0"},
		"a/":     {"a/b", "a/b-c", "a/b/", "a/c/"},
		"a/b":    {"a/b", "a/b-c", "a/b/"},
		"a/b/":   {"a/b/c", "a/b/d"},
		"a/c":    {"a/c/"},
		"a/c/":   {"a/c/d/"},
		"a/c/d/": {"a/c/d/e"},
		"a-":     {"a-b", "a-b/"},
		"z":      {"z/"},
		"y":      nil,
	} {
		for limit := 1; limit <= 7; limit++ {
			require.Equal(t, want, r.list(Query{Prefix: prefix, Folders: true, Limit: limit}), "%q, limit %d", prefix, limit)
		}
	}
}

func TestAListedSecretShowsItsLastVersion(t *testing.T) {
	r := newRig(t)
	r.put("a", "1")
	r.log.pass(time.Second)
	a := Attributes{Labels: map[string]string{"k": "v"}, ContentType: "x", Expires: begin.Add(time.Hour)}
	r.put("a", "2", a)
	r.put("b/c", "1")
	page, err := r.e.List(r.view(), acme, Query{Limit: 10, Folders: true, Now: r.now()})
	require.NoError(t, err)
	require.Equal(t, Page{Items: []Listed{{Path: "a", Version: 2, At: begin.Add(time.Second), Attributes: a}, {Folder: "b/"}}}, page)
}

func TestWhatCannotBeReadIsNotListed(t *testing.T) {
	r := newRig(t)
	for _, p := range []string{"deleted", "purged", "last-purged", "expired", "d/deleted", "m/deleted", "m/there", "there"} {
		r.put(p, "x")
	}
	r.must(r.delete("deleted", nil))
	r.must(r.delete("d/deleted", nil))
	r.must(r.delete("m/deleted", nil))
	r.must(r.purge("purged", 0))
	r.put("last-purged", "y")
	r.must(r.purge("last-purged", 2))
	r.put("expired", "y", Attributes{Expires: begin.Add(time.Hour)})
	require.Contains(t, r.list(Query{}), "expired")
	r.log.pass(time.Hour)
	require.Equal(t, []string{"m/there", "there"}, r.list(Query{Limit: 1}))
	require.Equal(t, []string{"m/", "there"}, r.list(Query{Folders: true, Limit: 1}), "a folder with nothing to show is not there")
	require.Empty(t, r.list(Query{Prefix: "d/"}))
}

func TestAListLeavesOutWhatIsDenied(t *testing.T) {
	r := newRig(t)
	for _, p := range []string{"a", "b", "f/secret", "g/open", "g/secret", "h"} {
		r.put(p, "x")
	}
	q := Query{Limit: 1, Allowed: func(p string) bool { return p != "b" && !strings.HasSuffix(p, "/secret") }}
	require.Equal(t, []string{"a", "g/open", "h"}, r.list(q))
	q.Folders = true
	require.Equal(t, []string{"a", "g/", "h"}, r.list(q), "a folder is shown for what may be shown in it")
	q.Allowed = func(string) bool { return false }
	require.Empty(t, r.list(q))
}

func TestACursorMayBeAnyText(t *testing.T) {
	r := newRig(t)
	for _, p := range []string{"a", "b/c", "b/d", "e"} {
		r.put(p, "x")
	}
	for after, want := range map[string][]string{
		"": {"a", "b/c", "b/d", "e"}, "\x00": {"a", "b/c", "b/d", "e"}, "a": {"b/c", "b/d", "e"}, "aa": {"b/c", "b/d", "e"}, "b": {"b/c", "b/d", "e"},
		"b/c": {"b/d", "e"}, "b/": {"e"}, "b/c/": {"b/d", "e"}, "e": nil, "z": nil, "z/": nil, "\xff": nil, "\xff/": nil, "b/\xff": {"e"}, "a\x00\x01": {"b/c", "b/d", "e"},
	} {
		require.Equal(t, want, r.list(Query{After: after}), "%q", after)
		var beneath []string
		for _, p := range want {
			if strings.HasPrefix(p, "b/") {
				beneath = append(beneath, p)
			}
		}
		require.Equal(t, beneath, r.list(Query{After: after, Prefix: "b/"}), "%q, with a prefix before or behind it", after)
	}
}

// fill writes n paths of a pattern without sealing anything: for lists only.
func (r *rig) fill(pattern string, n int) (paths []string) {
	r.t.Helper()
	var events []fsm.Event
	for i := range n {
		paths = append(paths, fmt.Sprintf(pattern, i))
		events = append(events, VersionWritten{Path: paths[i], Version: 1})
	}
	r.propose(events...)
	return paths
}

func TestAPageHasBoundedWorkAndTheListIsWholeAllTheSame(t *testing.T) {
	r := newRig(t)
	hidden := r.fill("h/%05d", 2*maxLooked+100)
	seen := []string{hidden[0], hidden[maxLooked-1], hidden[maxLooked], hidden[2*maxLooked+17], hidden[len(hidden)-1]}
	asked := 0
	q := Query{Limit: 100, Now: begin, Allowed: func(p string) bool { asked++; return slices.Contains(seen, p) }}
	require.Equal(t, seen, r.list(q))
	q.Prefix, q.Folders = "h/", true
	require.Equal(t, seen, r.list(q))
	q.Prefix = ""
	require.Equal(t, []string{"h/"}, r.list(q))
	asked = 0
	q.Allowed = func(string) bool { asked++; return false }
	page, err := r.e.List(r.view(), acme, q)
	require.NoError(t, err)
	require.Empty(t, page.Items)
	require.NotEmpty(t, page.Next)
	require.LessOrEqual(t, asked, maxLooked)
}

func TestFoldersAreSkippedNotWalked(t *testing.T) {
	r := newRig(t)
	r.fill("f/%05d", maxLooked+100)
	r.put("g/x", "x")
	asked := 0
	page, err := r.e.List(r.view(), acme, Query{Limit: 100, Folders: true, Now: begin, Allowed: func(string) bool { asked++; return true }})
	require.NoError(t, err)
	require.Equal(t, Page{Items: []Listed{{Folder: "f/"}, {Folder: "g/"}}}, page)
	require.Equal(t, 2, asked)
}

func TestNoCursorNamesWhatMayNotBeShown(t *testing.T) {
	r := newRig(t)
	r.put("a", "x")
	hidden := r.fill("h/%05d", 2*maxLooked+100)
	for _, mine := range []string{"a", hidden[7], hidden[maxLooked-2], hidden[maxLooked+3]} {
		q := Query{Limit: 100, Now: begin, Allowed: func(p string) bool { return p == mine }}
		r.look(func(v *fsm.View) {
			for {
				page, err := r.e.List(v, acme, q)
				require.NoError(t, err)
				if page.Next == "" {
					return
				}
				for _, p := range hidden {
					require.True(t, p == mine || !strings.Contains(page.Next, p), "the cursor %q tells the name of %q", page.Next, p)
				}
				q.After = page.Next
			}
		})
	}
}

func TestAClosedCursorOpensInItsTenantOnly(t *testing.T) {
	r := newRig(t)
	r.fill("h/%05d", maxLooked+10)
	q := Query{Limit: 1, Now: begin, Allowed: func(string) bool { return false }}
	page, err := r.e.List(r.view(), acme, q)
	require.NoError(t, err)
	again, err := r.e.List(r.view(), acme, q)
	require.NoError(t, err)
	require.Equal(t, page, again, "the same on every node")
	q.After = page.Next
	_, err = r.e.List(r.view(), umbra, q)
	r.blames(err, fault.Invalid, "cursor")
	for _, forged := range []string{"/", "//", "/h", "/" + strings.Repeat("A", 30), page.Next[:len(page.Next)-2], page.Next + "AA", "/!", "/B" + page.Next[2:]} {
		if forged == page.Next {
			continue
		}
		_, err = r.e.List(r.view(), acme, Query{Limit: 1, After: forged})
		require.Error(t, err, forged)
		r.blames(err, fault.Invalid, "cursor")
	}
}

// naive is what a list must be, by the plainest means.
func naive(paths []string, q Query, shown func(string) bool) (out []string) {
	for _, p := range slices.Sorted(slices.Values(paths)) {
		if !strings.HasPrefix(p, q.Prefix) || !shown(p) || !q.Allowed(p) {
			continue
		}
		if folder, _, deeper := strings.Cut(p[len(q.Prefix):], "/"); q.Folders && deeper {
			p = q.Prefix + folder + "/"
		}
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

func TestListsAgreeWithAPlainModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			r := newRig(t)
			segments := []string{"a", "b", "a-", "a0", "a b", "é", "~", "a.", "\U0001f511", "ab"}
			path := func() string {
				var s []string
				for range 1 + rnd.IntN(4) {
					s = append(s, segments[rnd.IntN(len(segments))])
				}
				return strings.Join(s, "/")
			}
			state := map[string]int{}
			var paths []string
			for range 150 {
				p := path()
				if _, there := state[p]; there {
					continue
				}
				paths, state[p] = append(paths, p), rnd.IntN(8)
				e := VersionWritten{Path: p, Version: 1}
				switch state[p] {
				case 1:
					e.Attributes.Expires = begin
					r.propose(e)
				case 2:
					r.propose(e, Deleted{p})
				case 3:
					r.propose(e, VersionPurged{p, uint64(rnd.IntN(2))})
				default:
					r.propose(e)
				}
			}
			shown := func(p string) bool { return state[p] == 0 || state[p] > 3 }
			for range 150 {
				q := Query{Limit: 1 + rnd.IntN(7), Folders: rnd.IntN(2) == 0, Now: begin}
				if p := path(); rnd.IntN(4) > 0 {
					q.Prefix = p[:rnd.IntN(len(p)+1)]
				}
				salt := rnd.IntN(5)
				q.Allowed = func(p string) bool { return salt == 0 || (len(p)+salt)%3 > 0 }
				require.Equal(t, naive(paths, q, shown), r.list(q), "prefix %q, folders %v, limit %d, salt %d", q.Prefix, q.Folders, q.Limit, salt)
			}
		})
	}
}

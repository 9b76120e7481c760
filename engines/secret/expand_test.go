package secret

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func anyone(string) error { return nil }

// expand expands a value that stands at path "top".
func (r *rig) expand(value string, allow func(string) error) (out string, err error) {
	r.t.Helper()
	in := []byte(value)
	r.look(func(v *fsm.View) {
		var b []byte
		b, err = r.e.Expand(v, r.tenant, "top", in, r.now(), allow)
		out = string(b)
	})
	require.Equal(r.t, value, string(in), "the value stays as it is")
	return out, err
}

func TestReferencesAreReplaced(t *testing.T) {
	r := newRig(t)
	r.put("db/user", "ann")
	r.put("db/password", "p\x00\xff}${")
	r.put("db/url", "pg://${secret:db/user}:${secret:db/password}@host")
	r.put("empty", "")
	r.put("literal", "$${secret:db/user}")
	r.put("größe x", "ok")
	r.put("a$b", "dollar")
	for in, want := range map[string]string{
		"":                                   "",
		"plain":                              "plain",
		"${secret:db/user}":                  "ann",
		"<${secret:db/user}>":                "<ann>",
		"${secret:db/user}${secret:db/user}": "annann",
		"${secret:db/url}":                   "pg://ann:p\x00\xff}${@host",
		"\x00\xff${secret:db/user}\xff\x00":  "\x00\xffann\xff\x00",
		"[${secret:empty}]":                  "[]",
		"${secret:größe x}":                  "ok",
		"${secret:a$b}":                      "dollar",
		"$${secret:db/user}":                 "${secret:db/user}",
		"$$${secret:db/user}":                "$${secret:db/user}",
		"$$$${secret:db/user}":               "$$${secret:db/user}",
		"${secret:literal}":                  "${secret:db/user}",
		"$${${secret:db/user}}":              "${ann}",
		"${secret:db/user}$${":               "ann${",
		"$${$${":                             "${${",
		"$$":                                 "$$",
		"$":                                  "$",
		"${":                                 "${",
		"${}":                                "${}",
		"${HOME} $HOME $$":                   "${HOME} $HOME $$",
		"$${HOME}":                           "${HOME}",
		"${secret":                           "${secret",
		"${Secret:db/user}":                  "${Secret:db/user}",
		"${ secret:db/user}":                 "${ secret:db/user}",
		"secret:db/user}":                    "secret:db/user}",
	} {
		got, err := r.expand(in, anyone)
		require.NoError(t, err, "%q", in)
		require.Equal(t, want, got, "%q", in)
	}
}

func TestReferencesThatAreNotOnesAreRefused(t *testing.T) {
	r := newRig(t)
	r.put("a", "x")
	for _, in := range []string{
		"${secret:", "${secret:a", "${secret:a ${secret:b", "${secret:}", "${secret:a/}", "${secret:../a}", "${secret:*}",
		"${secret:a\n}", "${secret:\xff}", "${secret:\u202ea}", "${secret:" + strings.Repeat("a", 1025) + "}", "x${secret:a}${secret:b",
	} {
		_, err := r.expand(in, anyone)
		require.Error(t, err, "%q", in)
		r.blames(err, fault.Invalid, "value")
	}
	long := strings.Repeat("a", MaxPath)
	r.put(long, "long")
	got, err := r.expand("${secret:"+long+"}", anyone)
	require.NoError(t, err)
	require.Equal(t, "long", got)
}

func TestAReferenceNeedsALatestValue(t *testing.T) {
	r := newRig(t)
	r.put("deleted", "x")
	r.must(r.delete("deleted", nil))
	r.put("purged", "x")
	r.put("purged", "y")
	r.must(r.purge("purged", 2))
	r.put("expired", "x", Attributes{Expires: begin.Add(1)})
	r.log.pass(time.Hour)
	r.in(umbra).put("theirs", "x")
	for _, path := range []string{"missing", "deleted", "purged", "expired", "theirs"} {
		got, err := r.expand("a${secret:"+path+"}", anyone)
		r.refused(err, fault.NotFound)
		require.ErrorContains(t, err, path)
		require.Empty(t, got)
	}
}

func TestACycleIsNamed(t *testing.T) {
	r := newRig(t)
	r.put("a", "${secret:b}")
	r.put("b", "${secret:a}")
	r.put("self", "${secret:self}")
	r.put("into", "${secret:a}")
	r.put("twice", "${secret:x}${secret:x}")
	r.put("x", "x")
	for in, cycle := range map[string]string{
		"${secret:top}":  "top -> top",
		"${secret:a}":    "a -> b -> a",
		"${secret:b}":    "b -> a -> b",
		"${secret:into}": "a -> b -> a",
		"${secret:self}": "self -> self",
	} {
		_, err := r.expand(in, anyone)
		r.refused(err, fault.Conflict)
		require.ErrorContains(t, err, "cycle: "+cycle)
		require.True(t, strings.HasSuffix(err.Error(), ": "+cycle), err)
	}
	got, err := r.expand("${secret:twice}${secret:x}", anyone)
	require.NoError(t, err, "the same path side by side is no cycle")
	require.Equal(t, "xxx", got)
}

func TestReferencesAreEightDeepAtMost(t *testing.T) {
	r := newRig(t)
	r.put("d/1", "end")
	for i := 2; i <= 9; i++ {
		r.put(fmt.Sprint("d/", i), fmt.Sprintf("%d>${secret:d/%d}", i, i-1))
	}
	got, err := r.expand("${secret:d/8}", anyone)
	require.NoError(t, err)
	require.Equal(t, "8>7>6>5>4>3>2>end", got)
	_, err = r.expand("${secret:d/9}", anyone)
	r.refused(err, fault.Limit)
	require.ErrorContains(t, err, "8 deep")
}

func TestAValueHasAHundredReferencesAtMost(t *testing.T) {
	r := newRig(t)
	r.put("x", "x")
	r.put("ten", strings.Repeat("${secret:x}", 10))
	got, err := r.expand(strings.Repeat("${secret:x}", 100), anyone)
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("x", 100), got)
	_, err = r.expand(strings.Repeat("${secret:x}", 101), anyone)
	r.refused(err, fault.Limit)
	got, err = r.expand(strings.Repeat("${secret:ten}", 9), anyone)
	require.NoError(t, err)
	require.Len(t, got, 90)
	_, err = r.expand(strings.Repeat("${secret:ten}", 10), anyone)
	r.refused(err, fault.Limit)
	require.ErrorContains(t, err, "100 references", "those inside count too")
	r.put("bomb/0", "${secret:x}${secret:x}${secret:x}")
	for i := range 7 {
		r.put(fmt.Sprint("bomb/", i+1), strings.Repeat(fmt.Sprintf("${secret:bomb/%d}", i), 9))
	}
	asked := 0
	_, err = r.expand("${secret:bomb/6}", func(string) error { asked++; return nil })
	r.refused(err, fault.Limit)
	require.LessOrEqual(t, asked, 100)
}

func TestTheResultHasAMebibyteAtMost(t *testing.T) {
	r := newRig(t)
	half := strings.Repeat("h", MaxValue/2)
	r.put("half", half)
	r.put("one", "1")
	got, err := r.expand("${secret:half}${secret:half}", anyone)
	require.NoError(t, err)
	require.Len(t, got, MaxValue)
	for _, in := range []string{"${secret:half}${secret:half}${secret:one}", ".${secret:half}${secret:half}", half + half + "${secret:one}"} {
		_, err = r.expand(in, anyone)
		r.refused(err, fault.TooLarge)
	}
	got, err = r.expand(half+half, anyone)
	require.NoError(t, err)
	require.Len(t, got, MaxValue)
}

func TestEachReferenceIsAskedForBeforeItIsRead(t *testing.T) {
	r := newRig(t)
	r.put("a", "${secret:b}")
	r.put("b", "b")
	denied := fault.New(fault.Denied, "you may not")
	var asked []string
	only := func(allowed ...string) func(string) error {
		asked = nil
		return func(path string) error {
			asked = append(asked, path)
			for _, a := range allowed {
				if a == path {
					return nil
				}
			}
			return denied
		}
	}
	got, err := r.expand("${secret:a}${secret:b}", only("a", "b"))
	require.NoError(t, err)
	require.Equal(t, "bb", got)
	require.Equal(t, []string{"a", "b", "b"}, asked)
	_, err = r.expand("${secret:a}", only("a"))
	require.Equal(t, denied, err, "the reader's rights count inside too")
	_, err = r.expand("${secret:missing}", only())
	require.Equal(t, denied, err, "whether it exists is not told")
	_, err = r.expand("$${secret:a}", only())
	require.NoError(t, err)
	require.Empty(t, asked, "an escape is no reference")
}

// TestAMebibyteOfDollarsIsExpandedInOnePass would take minutes if each step looked at all that is left.
func TestAMebibyteOfDollarsIsExpandedInOnePass(t *testing.T) {
	r := newRig(t)
	for in, want := range map[string]string{"$${": "${", "${": "${", "$": "$", "$$": "$$", "{$": "{$", "${secret": "${secret"} {
		n := MaxValue / len(in)
		start := time.Now()
		got, err := r.expand(strings.Repeat(in, n), anyone)
		require.NoError(t, err)
		require.Less(t, time.Since(start), 5*time.Second, "%q", in)
		require.True(t, strings.Repeat(want, n) == got, "%q", in)
	}
}

func FuzzExpand(f *testing.F) {
	for _, s := range []string{"", "$", "${", "$${", "${secret:a}", "$${secret:a}", "${secret:b}x${secret:", "${secret:c}", "$$${secret:a}\xff\x00"} {
		f.Add([]byte(s))
	}
	r := newRig(f)
	r.put("a", "A$${B")
	r.put("b", "<${secret:a}>")
	r.put("c", "${secret:c}")
	v := r.view()
	f.Fuzz(func(t *testing.T, value []byte) {
		in := bytes.Clone(value)
		reads := 0
		out, err := r.e.Expand(v, acme, "top", value, begin, func(string) error { reads++; return nil })
		require.Equal(t, in, value)
		require.LessOrEqual(t, reads, maxReferences)
		require.LessOrEqual(t, len(out), MaxValue)
		if err != nil {
			require.Nil(t, out)
			require.NotEqual(t, fault.Internal, fault.KindOf(err), "%v", err)
			return
		}
		if bytes.Contains(value, refOpen) {
			return
		}
		require.Zero(t, reads)
		require.Equal(t, string(bytes.ReplaceAll(in, []byte("$${"), []byte("${"))), string(out))
	})
}

// FuzzNextReference holds the scanner to: it takes something off, and what it gives is what stood there.
func FuzzNextReference(f *testing.F) {
	for _, s := range []string{"$", "${", "$${", "${secret:a}", "a$${secret:a}", "${secret:b}x${secret:", "$$${secret:a}\xff\x00", "${${secret:a}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		for left := value; len(left) > 0; {
			plain, path, rest, err := nextReference(left)
			if err != nil {
				require.Equal(t, fault.Invalid, fault.KindOf(err))
				return
			}
			require.Less(t, len(rest), len(left), "it does not go on")
			taken := left[:len(left)-len(rest)]
			switch {
			case path != "":
				require.NoError(t, ValidPath(path))
				require.Equal(t, string(taken), string(plain)+"${secret:"+path+"}")
			case string(taken) == "$${":
				require.Equal(t, "${", string(plain))
			default:
				require.Equal(t, string(taken), string(plain))
				require.NotContains(t, string(plain), "${secret:")
			}
			left = rest
		}
	})
}

package secret

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestAPathIsPrintableUTF8InWholeSegments(t *testing.T) {
	for name, path := range map[string]string{
		"one character":         "a",
		"segments":              "db/prod/password",
		"1024 bytes":            strings.Repeat("a", MaxPath),
		"1024 bytes of runes":   strings.Repeat("é", MaxPath/2),
		"one long segment more": "a/" + strings.Repeat("b", MaxPath-2),
		"512 segments":          strings.Repeat("a/", 511) + "a",
		"spaces":                " a / b ",
		"only a space":          " ",
		"dots in a name":        "a../..b/.c/...",
		"stars in a name":       "a*/+b/**/++",
		"looks like a route":    "import/versions/metadata",
		"percent":               "a%2Fb/%2e%2e",
		"URL characters":        "a?b#c&d=e;f:g@h",
		"backslash and quotes":  `a\b"c'd`,
		"braces and dollar":     "${secret:a}",
		"other scripts":         "пароль/密码/كلمة/パス",
		"precomposed":           "caf\u00e9",
		"combining":             "cafe\u0301",
		"begins with a mark":    "\u0301a",
		"emoji":                 "🔑/key",
		"beyond the BMP":        "\U00020000",
		"replacement character": "a\ufffd",
		"full-width dot":        "．．/a",
		"DEL's neighbours":      "~\u00a1",
	} {
		require.NoError(t, ValidPath(path), name)
	}
	for name, path := range map[string]string{
		"empty":                  "",
		"1025 bytes":             strings.Repeat("a", MaxPath+1),
		"1026 bytes of runes":    strings.Repeat("é", MaxPath/2+1),
		"a slash":                "/",
		"slash at the start":     "/a",
		"slash at the end":       "a/",
		"two slashes":            "a//b",
		"dot":                    ".",
		"dot first":              "./a",
		"dot inside":             "a/./b",
		"dot last":               "a/.",
		"dots":                   "..",
		"dots inside":            "a/../b",
		"dots last":              "a/..",
		"star":                   "*",
		"star inside":            "a/*/b",
		"plus":                   "+",
		"plus last":              "a/+",
		"NUL":                    "a\x00b",
		"tab":                    "a\tb",
		"newline":                "a\n",
		"carriage return":        "\ra",
		"escape":                 "\x1b[31m",
		"DEL":                    "a\x7f",
		"C1 control":             "a\u0085b",
		"first C1":               "\u0080",
		"no-break space":         "a\u00a0b",
		"ideographic space":      "a\u3000b",
		"soft hyphen":            "a\u00adb",
		"zero width space":       "a\u200bb",
		"zero width joiner":      "a\u200db",
		"word joiner":            "a\u2060b",
		"byte order mark":        "\ufeffa",
		"right-to-left override": "a\u202eb",
		"left-to-right isolate":  "a\u2066b",
		"line separator":         "a\u2028b",
		"paragraph separator":    "a\u2029b",
		"tag character":          "a\U000e0041",
		"private use":            "\ue000",
		"noncharacter":           "\uffff",
		"unassigned":             "\U000e0fff",
		"lone continuation":      "a\x80",
		"truncated rune":         "a\xe2\x82",
		"overlong slash":         "a\xc0\xafb",
		"surrogate":              "a\xed\xa0\x80",
		"0xff":                   "\xff",
	} {
		err := ValidPath(path)
		require.Error(t, err, name)
		require.Equal(t, fault.Invalid, fault.KindOf(err), name)
		require.Equal(t, "path", err.(*fault.Error).Field, name)
		require.True(t, utf8.ValidString(err.Error()), "%s: the message can be shown", name)
	}
}

func FuzzValidPath(f *testing.F) {
	for _, s := range []string{"", "a", "a/b", "a/../b", "*", "\x00", "\u202e", "\xff", "a//b", strings.Repeat("x", 1025)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		whole := path != "" && len(path) <= 1024 && utf8.ValidString(path)
		for _, r := range path {
			whole = whole && unicode.IsPrint(r) && !unicode.IsControl(r)
		}
		for _, s := range strings.Split(path, "/") {
			whole = whole && s != "" && s != "." && s != ".." && s != "*" && s != "+"
		}
		require.Equal(t, whole, ValidPath(path) == nil, "%q", path)
		if whole {
			require.Equal(t, path, pathOf(fsm.K(acme, path)), "its key gives it back")
		}
	})
}

func labels(n int, key, value string) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[key+strings.Repeat("k", i)] = value
	}
	return m
}

func TestAttributesHaveLimits(t *testing.T) {
	for name, a := range map[string]Attributes{
		"none":                {},
		"64 labels":           {Labels: labels(64, "a", "v")},
		"label without value": {Labels: map[string]string{"a": ""}},
		"long label":          {Labels: map[string]string{strings.Repeat("k", 128): strings.Repeat("v", 256)}},
		"printable":           {Labels: map[string]string{"größe/x y": "🔑"}, ContentType: "text/plain; charset=utf-8"},
		"long type":           {ContentType: strings.Repeat("t", 128)},
	} {
		require.NoError(t, checkAttributes(a), name)
	}
	for name, c := range map[string]struct {
		a     Attributes
		field string
	}{
		"65 labels":          {Attributes{Labels: labels(65, "a", "v")}, "labels"},
		"empty key":          {Attributes{Labels: map[string]string{"": "v"}}, "labels"},
		"key of 129":         {Attributes{Labels: map[string]string{strings.Repeat("k", 129): "v"}}, "labels"},
		"value of 257":       {Attributes{Labels: map[string]string{"k": strings.Repeat("v", 257)}}, "labels"},
		"control in key":     {Attributes{Labels: map[string]string{"a\n": "v"}}, "labels"},
		"NUL in value":       {Attributes{Labels: map[string]string{"a": "\x00"}}, "labels"},
		"key is not UTF-8":   {Attributes{Labels: map[string]string{"\xff": "v"}}, "labels"},
		"value is not UTF-8": {Attributes{Labels: map[string]string{"a": "\xff"}}, "labels"},
		"type of 129":        {Attributes{ContentType: strings.Repeat("t", 129)}, "content_type"},
		"header injection":   {Attributes{ContentType: "a\r\nb: c"}, "content_type"},
		"type is not UTF-8":  {Attributes{ContentType: "\xff"}, "content_type"},
	} {
		err := checkAttributes(c.a)
		require.Equal(t, fault.Invalid, fault.KindOf(err), name)
		require.Equal(t, c.field, err.(*fault.Error).Field, name)
	}
}

func kindOf(err error) string {
	if err == nil {
		return "done"
	}
	return fault.KindOf(err).String()
}

func TestWhatMayBeWritten(t *testing.T) {
	const now = fsm.Time(1000)
	for _, c := range []struct {
		name    string
		h       head
		cas     *uint64
		expires fsm.Time
		want    string
	}{
		{"a new secret", head{}, nil, 0, "done"},
		{"a new secret that must be new", head{}, ptr[uint64](0), 0, "done"},
		{"a new secret that must have a version", head{}, ptr[uint64](1), 0, "conflict"},
		{"the next version", head{Version: 3, Live: 3}, nil, 0, "done"},
		{"the next version behind the last", head{Version: 3, Live: 3}, ptr[uint64](3), 0, "done"},
		{"behind an older one", head{Version: 3, Live: 3}, ptr[uint64](2), 0, "conflict"},
		{"behind one to come", head{Version: 3, Live: 3}, ptr[uint64](4), 0, "conflict"},
		{"what must be new and is not", head{Version: 1, Live: 1}, ptr[uint64](0), 0, "conflict"},
		{"what must be new and was deleted", head{Version: 1, Live: 1, Deleted: true}, ptr[uint64](0), 0, "conflict"},
		{"what must be new and was purged", head{Version: 2, Purged: true}, ptr[uint64](0), 0, "conflict"},
		{"behind a deletion", head{Version: 1, Live: 1, Deleted: true}, ptr[uint64](1), 0, "done"},
		{"behind a purge", head{Version: 2, Purged: true}, ptr[uint64](2), 0, "done"},
		{"one version more than fit", head{Version: 10000, Live: 10000}, nil, 0, "limit"},
		{"the last that fits", head{Version: 12345, Live: 9999}, nil, 0, "done"},
		{"a conflict before a limit", head{Version: 10000, Live: 10000}, ptr[uint64](1), 0, "conflict"},
		{"what expires later", head{}, nil, now + 1, "done"},
		{"what expires now", head{}, nil, now, "invalid"},
		{"what expired", head{}, nil, now - 1, "invalid"},
		{"what expired before 1970", head{}, nil, -1, "invalid"},
	} {
		require.Equal(t, c.want, kindOf(decideWrite(c.h, "p", c.cas, c.expires, now)), c.name)
	}
}

func TestWhatMayBeDeletedAndBack(t *testing.T) {
	for _, c := range []struct {
		name             string
		h                head
		cas              *uint64
		delete, undelete string
	}{
		{"nothing", head{}, nil, "not-found", "not-found"},
		{"a secret", head{Version: 2, Live: 2}, nil, "done", "conflict"},
		{"a secret at its version", head{Version: 2, Live: 2}, ptr[uint64](2), "done", "conflict"},
		{"a secret that moved on", head{Version: 2, Live: 2}, ptr[uint64](1), "conflict", "conflict"},
		{"a deleted one", head{Version: 2, Live: 2, Deleted: true}, nil, "not-found", "done"},
		{"a deleted one at its version", head{Version: 2, Live: 2, Deleted: true}, ptr[uint64](2), "not-found", "done"},
		{"one whose last version is purged", head{Version: 2, Live: 1, Purged: true}, nil, "done", "conflict"},
		{"a deleted one whose last version is purged", head{Version: 2, Live: 1, Purged: true, Deleted: true}, nil, "not-found", "done"},
		{"a purged one", head{Version: 2, Purged: true}, nil, "not-found", "not-found"},
		{"a deleted and purged one", head{Version: 2, Purged: true, Deleted: true}, nil, "not-found", "not-found"},
		{"an expired one", head{Version: 1, Live: 1, Attributes: Attributes{Expires: 1}}, nil, "done", "conflict"},
	} {
		require.Equal(t, c.delete, kindOf(decideDelete(c.h, "p", c.cas)), "delete %s", c.name)
		require.Equal(t, c.undelete, kindOf(decideUndelete(c.h, "p")), "undelete %s", c.name)
	}
}

func TestWhatMayBePurged(t *testing.T) {
	for _, c := range []struct {
		name  string
		h     head
		which uint64
		row   version
		found bool
		want  string
	}{
		{"all of nothing", head{}, 0, version{}, false, "not-found"},
		{"one of nothing", head{}, 1, version{}, false, "not-found"},
		{"all", head{Version: 2, Live: 1}, 0, version{}, false, "done"},
		{"all of a deleted one", head{Version: 2, Live: 2, Deleted: true}, 0, version{}, false, "done"},
		{"all a second time", head{Version: 2, Purged: true}, 0, version{}, false, "not-found"},
		{"one", head{Version: 2, Live: 2}, 1, version{}, true, "done"},
		{"one a second time", head{Version: 2, Live: 1}, 1, version{Purged: true}, true, "not-found"},
		{"one to come", head{Version: 2, Live: 2}, 3, version{}, false, "not-found"},
	} {
		require.Equal(t, c.want, kindOf(decidePurge(c.h, "p", c.which, c.row, c.found)), c.name)
	}
}

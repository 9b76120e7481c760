package ttlv_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// cases returns the files of the published test cases, which stand beside the repository or where TRSTCTL_KMIP_CASES says.
func cases(t testing.TB) []string {
	t.Helper()
	root := os.Getenv("TRSTCTL_KMIP_CASES")
	if root == "" {
		root = filepath.FromSlash("../../../../shared/kmip/oasis")
	}
	if _, err := os.Stat(root); err != nil {
		t.Skip("the published KMIP test cases are not here; TRSTCTL_KMIP_CASES names their folder")
	}
	var files []string
	require.NoError(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".xml") {
			files = append(files, path)
		}
		return err
	}))
	require.NotEmpty(t, files)
	return files
}

// placeholder puts a value in the place of "$NOW" and the like, as a replayer does.
func placeholder(_ ttlv.Tag, typ ttlv.Type, raw string) (string, error) {
	switch {
	case !strings.HasPrefix(raw, "$"):
		return raw, nil
	case typ == ttlv.TypeByteString:
		return "00ff", nil
	case typ == ttlv.TypeDateTime:
		return "2020-02-29T23:59:59+00:00", nil
	}
	return "placeholder", nil
}

var comment = regexp.MustCompile(`(?s)<!--.*?-->`)

// TestThePublishedCasesDecodeAndRoundTrip takes every message of every case through all three encodings.
func TestThePublishedCasesDecodeAndRoundTrip(t *testing.T) {
	messages := 0
	for _, file := range cases(t) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		items, err := ttlv.ParseXMLDocument(text, ttlv.Options{Value: placeholder})
		require.NoError(t, err, file)
		live := comment.ReplaceAllString(string(text), "")
		require.Equal(t, strings.Count(live, "<RequestMessage>")+strings.Count(live, "<ResponseMessage>"), len(items), file)
		for i := range items {
			requireRoundTrips(t, &items[i])
		}
		messages += len(items)
	}
	require.Greater(t, messages, 2000)
}

// requireRoundTrips fails unless it is the same after every encoding.
func requireRoundTrips(t testing.TB, it *ttlv.Item) {
	t.Helper()
	b, err := ttlv.Marshal(it, ttlv.Limits{})
	require.NoError(t, err)
	got, err := ttlv.Parse(b, ttlv.Limits{})
	require.NoError(t, err)
	require.True(t, got.Equal(it))

	b, err = ttlv.MarshalXML(it, ttlv.Limits{})
	require.NoError(t, err)
	require.LessOrEqual(t, len(b), ttlv.XMLBound(it))
	got, err = ttlv.ParseXML(b, ttlv.Options{})
	require.NoError(t, err, "%s", b)
	require.True(t, got.Equal(it), "%s", b)

	b, err = ttlv.MarshalJSON(it, ttlv.Limits{})
	require.NoError(t, err)
	require.LessOrEqual(t, len(b), ttlv.XMLBound(it))
	got, err = ttlv.ParseJSON(b, ttlv.Options{})
	require.NoError(t, err, "%s", b)
	require.True(t, got.Equal(it), "%s", b)
}

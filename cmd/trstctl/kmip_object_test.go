package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func anObject() map[string]any {
	return map[string]any{"id": "o-1", "type": "SymmetricKey", "state": "Active", "names": []string{"disk 7", "disk\x1b[2J"}, "groups": []string{"disks"}, "algorithm": "AES", "length": 256,
		"usage": []string{"Encrypt", "Decrypt"}, "sensitive": true, "created_at": "2030-01-01T00:00:00Z", "activation_date": "2030-01-02T00:00:00Z"}
}

func TestAnObjectIsDescribed(t *testing.T) {
	r := newRig(t, 200, anObject())
	require.Equal(t, exitOK, r.run(t, "kmip", "object", "read", "o-1"), r.err.String())
	require.Equal(t, "GET /api/v1/kmip/objects/o-1", r.asked[0].line)
	require.Regexp(t, `(?m)^key +AES-256$`, r.out.String())
	require.Regexp(t, `(?m)^names +disk 7, disk\\x1b\[2J$`, r.out.String())
	require.Regexp(t, `(?m)^activation +2030-01-02T00:00:00Z$`, r.out.String())
	require.NotContains(t, r.out.String(), "deactivation", "dates that it does not have are left out")
	require.Equal(t, exitOK, r.run(t, "kmip", "object", "read", "o-1", "-o", "json"))
	require.Contains(t, r.out.String(), `"sensitive": true`)
	require.Equal(t, exitUsage, r.run(t, "kmip", "object", "read", "a/b"))
	require.Empty(t, r.asked)
}

// TestTheWholeListOfObjectsIsShown although the server gives it in pages, unless one page is asked for.
func TestTheWholeListOfObjectsIsShown(t *testing.T) {
	page := map[string]any{"items": []any{anObject(), map[string]any{"id": "o-2", "type": "OpaqueObject", "state": "Destroyed"}}, "next_cursor": ""}
	r := newRig(t, 200, page)
	require.Equal(t, exitOK, r.run(t, "kmip", "object", "list", "--cursor", "d7"), r.err.String())
	require.Equal(t, "GET /api/v1/kmip/objects?cursor=d7", r.asked[0].line)
	require.Regexp(t, `(?m)^UID +TYPE +KEY +STATE +NAMES +GROUPS +OWNER +CREATED$`, r.out.String())
	require.Regexp(t, `(?m)^o-2 +OpaqueObject +- +Destroyed +- +- +- +-$`, r.out.String())
	page["next_cursor"] = "5"
	require.Equal(t, exitOK, r.run(t, "kmip", "object", "list", "--limit", "2", "-o", "json"))
	require.Len(t, r.asked, 1)
	require.Contains(t, r.out.String(), `"next_cursor": "5"`)
	require.Contains(t, r.err.String(), "repeat the command with --cursor 5")
}

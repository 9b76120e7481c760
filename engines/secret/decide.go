package secret

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Limits.
const (
	MaxValue    = 1 << 20 // bytes
	MaxPath     = 1024    // bytes
	maxVersions = 10000   // that are not purged, of one path
	maxImport   = 1000
	maxLabels   = 64
	maxLabelKey = 128 // bytes
	maxLabel    = 256 // bytes
	maxType     = 128 // bytes
)

// ValidPath checks a path: printable UTF-8 of 1 to 1,024 bytes in segments that are neither empty nor '.', '..', '*' or '+'. It is the
// name itself: nothing is normalised.
func ValidPath(path string) error {
	switch {
	case path == "":
		return fault.Bad("path", "a path has at least one character")
	case len(path) > MaxPath:
		return fault.Bad("path", "a path has at most %d bytes, this one has %d", MaxPath, len(path))
	case !utf8.ValidString(path):
		return fault.Bad("path", "a path is UTF-8")
	case strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fault.Bad("path", "a path has printable characters only")
	}
	for s := range strings.SplitSeq(path, "/") {
		switch s {
		case "":
			return fault.Bad("path", "a path has no empty segment: no '/' at its ends, no '//'")
		case ".", "..", "*", "+":
			return fault.Bad("path", "a path has no segment %q", s)
		}
	}
	return nil
}

func checkItem(it Item) error {
	if err := ValidPath(it.Path); err != nil {
		return err
	}
	if len(it.Value) > MaxValue {
		err := fault.New(fault.TooLarge, "the value has %d bytes, at most %d are allowed", len(it.Value), MaxValue)
		err.Field = "value"
		return err
	}
	return checkAttributes(it.Attributes)
}

func checkAttributes(a Attributes) error {
	if len(a.Labels) > maxLabels {
		return fault.Bad("labels", "a version has at most %d labels", maxLabels)
	}
	for k, v := range a.Labels {
		if k == "" || len(k) > maxLabelKey || len(v) > maxLabel || !plain(k) || !plain(v) {
			return fault.Bad("labels", "a label is 1 to %d bytes of printable UTF-8, its value at most %d", maxLabelKey, maxLabel)
		}
	}
	if len(a.ContentType) > maxType || !plain(a.ContentType) {
		return fault.Bad("content_type", "a content type is printable and has at most %d bytes", maxType)
	}
	return nil
}

func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// decideWrite lets the next version be written if cas, when given, is still the last number.
func decideWrite(h head, path string, cas *uint64, expires, now fsm.Time) error {
	switch {
	case cas != nil && *cas != h.Version:
		return fault.New(fault.Conflict, "secret %q is at version %d, not %d", path, h.Version, *cas)
	case h.Live >= maxVersions:
		return fault.New(fault.Limit, "secret %q holds %d versions, the most it may: purge some", path, h.Live)
	case expires != 0 && expires <= now:
		return fault.Bad("expires_at", "lies in the past")
	}
	return nil
}

func notFound(path string) error { return fault.New(fault.NotFound, "there is no secret %q", path) }

func decideDelete(h head, path string, cas *uint64) error {
	switch {
	case h.Version == 0 || h.Deleted || h.Live == 0:
		return notFound(path)
	case cas != nil && *cas != h.Version:
		return fault.New(fault.Conflict, "secret %q is at version %d, not %d", path, h.Version, *cas)
	}
	return nil
}

func decideUndelete(h head, path string) error {
	switch {
	case h.Version == 0 || h.Live == 0:
		return notFound(path)
	case !h.Deleted && h.Hidden == 0:
		return fault.New(fault.Conflict, "secret %q is not deleted", path)
	}
	return nil
}

func decidePurge(h head, path string, which uint64, row version, found bool) error {
	switch {
	case h.Version == 0 || which == 0 && h.Live == 0 || which > 0 && !found:
		return notFound(path)
	case which > 0 && row.Purged:
		return fault.New(fault.NotFound, "version %d of secret %q was purged", which, path)
	}
	return nil
}

package secret

import (
	"strings"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Value is one version with its plaintext, which the caller zeroes.
type Value struct {
	Path    string
	Version uint64
	Value   []byte
	Attributes
	At     fsm.Time
	By     string
	Latest uint64 // last version of the path
}

// Get returns a version of path, 0 for the latest. What is deleted, purged, expired or not there is fault.NotFound.
func (e *Engine) Get(v fsm.Reader, tenant fsm.UID, path string, number uint64, now fsm.Time) (Value, error) {
	h, _, err := heads.Get(v, fsm.K(tenant, path))
	if err != nil {
		return Value{}, err
	}
	if h.Version == 0 || h.Deleted {
		return Value{}, notFound(path)
	}
	if number == 0 {
		number = h.Version
	}
	row, found, err := versions.Get(v, fsm.K(tenant, path, number))
	switch {
	case err != nil:
		return Value{}, err
	case !found:
		return Value{}, fault.New(fault.NotFound, "secret %q has no version %d", path, number)
	case row.Purged:
		return Value{}, fault.New(fault.NotFound, "version %d of secret %q was purged", number, path)
	case h.hides(number):
		return Value{}, fault.New(fault.NotFound, "version %d of secret %q was deleted: an undelete brings it back", number, path)
	case expired(row.Attributes, now):
		return Value{}, fault.New(fault.NotFound, "version %d of secret %q has expired", number, path)
	}
	plaintext, err := e.keys.Open(v, binding(tenant, path, number), row.Value)
	if err != nil {
		return Value{}, err
	}
	return Value{path, number, plaintext, row.Attributes, row.At, row.By, h.Version}, nil
}

// History is the versions of a path.
type History struct {
	Path    string
	Latest  uint64
	Deleted bool
	Items   []Past
}

// Past is one version in a History.
type Past struct {
	Version uint64
	At      fsm.Time
	By      string
	Size    uint32
	State   string // live, deleted, expired or purged
	Attributes
}

// Versions returns up to limit versions of path below before (0: from the newest), newest first, and the number to go on below,
// 0 at the end. A deleted secret shows its history still.
func (e *Engine) Versions(v *fsm.View, tenant fsm.UID, path string, before uint64, limit int) (out History, next uint64, err error) {
	if err := ValidPath(path); err != nil {
		return History{}, 0, err
	}
	h, _, err := heads.Get(v, fsm.K(tenant, path))
	if err != nil {
		return History{}, 0, err
	}
	if h.Version == 0 {
		return History{}, 0, notFound(path)
	}
	out = History{Path: path, Latest: h.Version, Deleted: h.Deleted}
	upper := h.Version + 1
	if before > 0 {
		upper = min(upper, before)
	}
	last := upper
	now := present(v)
	span := fsm.Span{Prefix: fsm.K(tenant, path), After: fsm.K(tenant, path, upper), Reverse: true}
	err = versions.Scan(v, span, func(k fsm.Key, row version) (bool, error) {
		if len(out.Items) == limit {
			next = last
			return false, nil
		}
		number, ok := k.LastUint()
		if !ok {
			return false, fault.New(fault.Corrupt, "a version of secret %q has no number", path)
		}
		last = number
		out.Items = append(out.Items, Past{number, row.At, row.By, row.Size, state(h, number, row, now), row.Attributes})
		return true, nil
	})
	return out, next, err
}

// Places walks the values with where they stand.
func Places(r fsm.Reader, visit func(fsm.Binding, fsm.Sealed) error) error {
	return heads.Scan(r, fsm.Span{}, func(k fsm.Key, _ head) (bool, error) {
		tenant, _ := k.UID()
		path := pathOf(k)
		err := versions.Scan(r, fsm.Span{Prefix: fsm.K(tenant, path)}, func(k fsm.Key, row version) (bool, error) {
			number, _ := k.LastUint()
			if row.Purged {
				return true, nil
			}
			return true, visit(binding(tenant, path, number), row.Value)
		})
		return err == nil, err
	})
}

func state(h head, number uint64, row version, now fsm.Time) string {
	switch {
	case row.Purged:
		return "purged"
	case h.hides(number):
		return "deleted"
	case expired(row.Attributes, now):
		return "expired"
	}
	return "live"
}

// Query says what a list shows.
type Query struct {
	Prefix  string // text that paths begin with
	After   string // Next of the page before
	Limit   int
	Folders bool // one level beneath Prefix: what lies deeper is shown as its folder
	Now     fsm.Time
	Allowed func(path string) bool // nil allows all
}

// Page is a part of a list. A page may be short or empty and still have a Next, since the work for one is bounded.
type Page struct {
	Items []Listed
	Next  string
}

// Listed is a secret, or a folder when Folder is set: the path with a slash at its end.
type Listed struct {
	Path    string
	Folder  string
	Version uint64
	At      fsm.Time
	Attributes
}

// maxLooked bounds the rows that one page looks at.
const maxLooked = 5000

// List returns paths in the order of their bytes. What is deleted, expired, purged or not allowed is left out.
func (e *Engine) List(v *fsm.View, tenant fsm.UID, q Query) (Page, error) {
	after, err := e.openCursor(v, tenant, q.After)
	if err != nil {
		return Page{}, err
	}
	l := lister{q: q, tenant: tenant, v: v, after: after}
	for l.more = true; l.more; {
		if err := l.run(); err != nil {
			return Page{}, err
		}
	}
	if l.page.Next != "" && !l.listed {
		l.page.Next, err = e.closeCursor(v, tenant, l.page.Next)
	}
	return l.page, err
}

type lister struct {
	q      Query
	tenant fsm.UID
	v      *fsm.View
	page   Page
	after  string // path, or folder, that was dealt with last
	listed bool   // it is in the page
	looked int
	more   bool // the scan ended only to go on behind a folder
}

func (l *lister) run() error {
	l.more = false
	span := fsm.Span{Prefix: fsm.StringPrefix(l.q.Prefix, l.tenant)}
	if l.after != "" {
		span.After = l.position(l.after)
	}
	return heads.Scan(l.v, span, func(k fsm.Key, h head) (bool, error) {
		path := pathOf(k)
		if len(l.page.Items) >= l.q.Limit || l.looked >= maxLooked {
			l.page.Next = l.after
			return false, nil
		}
		l.looked++
		folder := l.folder(path)
		if !h.shown(l.q.Now) || l.q.Allowed != nil && !l.q.Allowed(path) {
			l.after, l.listed = path, false
			return true, nil
		}
		l.listed = true
		if folder != "" {
			l.page.Items = append(l.page.Items, Listed{Folder: folder})
			l.after, l.more = folder, true
			return false, nil
		}
		l.page.Items = append(l.page.Items, Listed{Path: path, Version: h.Version, At: h.At, Attributes: h.Attributes})
		l.after = path
		return true, nil
	})
}

// position is the key behind a path, or behind everything in a folder; paths never end in a slash.
func (l *lister) position(after string) fsm.Key {
	if strings.HasSuffix(after, "/") {
		return append(fsm.StringPrefix(after, l.tenant), 0xff)
	}
	return fsm.K(l.tenant, after)
}

// folder returns the folder beneath the prefix that path lies in, "" when it lies in none or folders are not asked for.
func (l *lister) folder(path string) string {
	if !l.q.Folders {
		return ""
	}
	rest := path[len(l.q.Prefix):]
	i := strings.IndexByte(rest, '/')
	if i < 0 {
		return ""
	}
	return path[:len(l.q.Prefix)+i+1]
}

// pathOf takes the path out of a key: behind the tenant (17 bytes) and the tag, before the two bytes that end a string. A path has no
// NUL, so nothing in it is escaped.
func pathOf(k fsm.Key) string { return string(k[18 : len(k)-2]) }

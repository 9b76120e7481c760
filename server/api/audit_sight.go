package api

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/journal"
)

// sight is what of the audit a caller sees and asked for: everything, or one tenant's.
type sight struct {
	renderer     renderer
	all          bool
	tenant       fsm.UID
	kind, stream string
	actor, path  string
	since, until fsm.Time
	source       string // "": all
}

// sight reads the parameters that select.
func (c *call) sight() (sight, error) {
	s := sight{renderer: c.api.events, all: c.session.Acting.UID == fsm.RootTenant, tenant: c.session.Acting.UID, kind: c.params["type"],
		stream: c.params["stream"], actor: c.params["actor"], path: c.params["path"], source: c.params["source"]}
	switch s.source {
	case "", "all":
		s.source = ""
	case sourceLog, PartReads, PartRefused:
	default:
		return s, fault.Bad("source", "must be all, log, reads or refused")
	}
	if s.stream != "" { // only changes stand on streams
		s.source = sourceLog
	}
	var err error
	if s.since, err = c.moment("since"); err == nil {
		s.until, err = c.moment("until")
	}
	return s, err
}

func (c *call) moment(name string) (fsm.Time, error) {
	text, given := c.params[name]
	if !given || text == "" {
		return 0, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0, fault.Bad(name, "must be a time such as 2026-01-02T15:04:05Z")
	}
	return fsm.At(t), nil
}

// covers reports whether the caller sees a source. Counts of unknown callers belong to no tenant.
func (s *sight) covers(source string) bool {
	return (s.source == "" || s.source == source) && (source != PartRefused || s.all)
}

// query selects from a journal what show does from the log.
func (s *sight) query() journal.Query {
	q := journal.Query{Actor: s.actor, Path: s.path, Op: s.kind, Since: s.since, Until: s.until}
	if !s.all {
		q.Tenant = s.tenant
	}
	return q
}

// show renders a record of the log; ok is false when the caller does not see it.
func (s *sight) show(r fsm.Record) (out auditRecord, ok bool, err error) {
	if !s.all && r.Tenant != s.tenant || s.actor != "" && s.actor != r.Actor.Identity && s.actor != r.Actor.Accessor || r.At < s.since || s.until > 0 && r.At > s.until {
		return out, false, nil
	}
	out = auditRecord{Source: sourceLog, Seq: r.Seq, Hash: hexOf(r.Hash), Index: r.Index, At: r.At, ID: r.ID.String(), Actor: auditActor(r.Actor),
		Origin: auditOrigin{r.Origin.Request, r.Origin.Address, r.Origin.Rule}, Tenant: r.Tenant.String(), Events: []auditEvent{}}
	for _, e := range r.Events {
		ok = ok || s.wants(e)
		if !s.all && e.Tenant != s.tenant {
			continue
		}
		data, err := s.renderer.fields(e)
		if err != nil {
			return out, false, fault.New(fault.Corrupt, "record %d of the event log cannot be shown", r.Seq).Because(err)
		}
		out.Events = append(out.Events, auditEvent{e.Type, e.Stream, e.Tenant.String(), data})
	}
	return out, ok || s.kind == "" && s.stream == "" && s.path == "", nil
}

// wants reports whether an event is of the type, stream and path that were asked for. A path is what stands behind a stream's kind, too.
func (s *sight) wants(e fsm.PastEvent) bool {
	_, path, _ := strings.Cut(e.Stream, "/")
	return (s.kind == "" || s.kind == e.Type) && (s.stream == "" || s.stream == e.Stream) &&
		(s.path == "" || journal.Beneath(e.Stream, s.path) || journal.Beneath(path, s.path))
}

// begin is where in the log to look first, as fsm.History takes it: what is before since or after until is passed over.
func (s *sight) begin(v *fsm.View, from uint64, cur auditCursor) (uint64, error) {
	switch {
	case from > 0 && cur.Reverse:
		return from + 1, nil
	case from > 0:
		return from - 1, nil
	case cur.Reverse && s.until > 0:
		seq, err := seek(v, s.until+1)
		return seq + 1, err
	case !cur.Reverse && s.since > 0:
		return seek(v, s.since)
	}
	return 0, nil
}

// seek returns the sequence of the last record before at. Times in the log never run backward.
func seek(v *fsm.View, at fsm.Time) (uint64, error) {
	low, high := uint64(0), uint64(0) // low is before at, high is not
	high, _ = v.Head()
	for high++; high-low > 1; {
		mid, before := low+(high-low)/2, false
		err := fsm.History(v, mid-1, false, func(r fsm.Record) (bool, error) {
			before = r.At < at
			return false, nil
		})
		if err != nil {
			return 0, err
		}
		if before {
			low = mid
		} else {
			high = mid
		}
	}
	return low, nil
}

// auditCursor says how far each source has been shown. End is where each ended at the first page: a list is itself a read that is recorded, and
// would never end.
type auditCursor struct {
	Reverse bool              `json:"desc,omitempty"`
	At      map[string]uint64 `json:"at"` // by source, the next sequence
	End     map[string]uint64 `json:"end"`
	Ended   []string          `json:"done,omitempty"` // sources that have no more

	plain bool // of the log alone: a number
}

func (a *auditCursor) ended(source string) bool { return slices.Contains(a.Ended, source) }

// cursor reads the parameter "after": a number is a sequence of the log, and then it is about the log alone.
func (c *call) cursor(s *sight) (auditCursor, error) {
	cur := auditCursor{Reverse: c.params["order"] == "desc", At: map[string]uint64{}, End: map[string]uint64{}, plain: s.source == sourceLog}
	if o := c.params["order"]; !cur.Reverse && o != "" && o != "asc" {
		return cur, fault.Bad("order", "must be asc or desc")
	}
	after := c.params["after"]
	text, packed := strings.CutPrefix(after, "p")
	switch {
	case after == "":
	case !packed:
		seq, err := c.number("after", 0)
		if err != nil {
			return cur, err
		}
		if s.source != "" && s.source != sourceLog {
			return cur, fault.Bad("after", "a number is a place in the log; use the next_cursor of the page before")
		}
		s.source, cur.plain = sourceLog, true
		if cur.Reverse && seq > 0 {
			seq--
			cur.Ended = map[bool][]string{true: {sourceLog}}[seq == 0]
		} else if !cur.Reverse {
			seq++
		}
		cur.At[sourceLog] = seq
	default:
		var page auditCursor
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || json.Unmarshal(b, &page) != nil || page.Reverse != cur.Reverse || page.At == nil || page.End == nil {
			return cur, fault.Bad("after", "is not the next_cursor of a page in this order")
		}
		return page, nil
	}
	return cur, nil
}

// after is the cursor of the next page, "" when there is none.
func (a auditCursor) after(stretches []*stretch) (string, error) {
	more := false
	for _, st := range stretches {
		more = more || st.next > 0 || st.taken < len(st.items)
		if a.ended(st.name) {
			continue
		}
		if a.End[st.name] == 0 {
			a.End[st.name] = st.end
		}
		seq, done := st.position()
		switch {
		case a.plain && more && a.Reverse:
			return formatSeq(seq + 1), nil
		case a.plain && more:
			return formatSeq(seq - 1), nil
		case done:
			a.Ended = append(a.Ended, st.name)
		default:
			a.At[st.name] = seq
		}
	}
	if !more {
		return "", nil
	}
	b, err := json.Marshal(a)
	return "p" + base64.RawURLEncoding.EncodeToString(b), err
}

func hexOf(h [32]byte) string { return hex.EncodeToString(h[:]) }

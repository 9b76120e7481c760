package api

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// A call looks at this many records at most; the cursor then says where to go on.
const auditLook = 10000

type auditActor struct {
	Identity string `json:"identity,omitempty"`
	Accessor string `json:"accessor,omitempty"`
}

type auditOrigin struct {
	Request string `json:"request,omitempty"`
	Address string `json:"address,omitempty"`
	Policy  string `json:"policy,omitempty"`
}

type auditEvent struct {
	Type   string         `json:"type"`
	Stream string         `json:"stream"`
	Tenant string         `json:"tenant" doc:"uid"`
	Data   map[string]any `json:"data" doc:"the event; a digest stands for each sealed value"`
}

type auditRecord struct {
	Seq    uint64       `json:"seq"`
	Hash   string       `json:"hash"`
	Index  uint64       `json:"index"`
	At     fsm.Time     `json:"at"`
	ID     fsm.UID      `json:"id"`
	Actor  auditActor   `json:"actor"`
	Origin auditOrigin  `json:"origin"`
	Tenant string       `json:"tenant" doc:"uid"`
	Events []auditEvent `json:"events"`
}

type auditAnswer struct {
	Items []auditRecord `json:"items"`
	Next  string        `json:"next_cursor"`
}

// sight is what of the log a caller sees: everything, or one tenant's.
type sight struct {
	renderer     renderer
	all          bool
	tenant       fsm.UID
	kind, stream string
}

func (c *call) sight() sight {
	s := c.session
	return sight{renderer: c.api.events, all: s.Acting.UID == fsm.RootTenant, tenant: s.Acting.UID, kind: c.params["type"], stream: c.params["stream"]}
}

// show renders a record; ok is false when the caller does not see it.
func (s sight) show(r fsm.Record) (out auditRecord, ok bool, err error) {
	if !s.all && r.Tenant != s.tenant {
		return out, false, nil
	}
	out = auditRecord{Seq: r.Seq, Hash: hex.EncodeToString(r.Hash[:]), Index: r.Index, At: r.At, ID: r.ID, Actor: auditActor(r.Actor),
		Origin: auditOrigin{r.Origin.Request, r.Origin.Address, r.Origin.Rule}, Tenant: r.Tenant.String(), Events: []auditEvent{}}
	for _, e := range r.Events {
		ok = ok || (s.kind == "" || s.kind == e.Type) && (s.stream == "" || s.stream == e.Stream)
		if !s.all && e.Tenant != s.tenant {
			continue
		}
		data, err := s.renderer.fields(e)
		if err != nil {
			return out, false, fault.New(fault.Corrupt, "record %d of the event log cannot be shown", r.Seq).Because(err)
		}
		out.Events = append(out.Events, auditEvent{e.Type, e.Stream, e.Tenant.String(), data})
	}
	return out, ok || s.kind == "" && s.stream == "", nil
}

func listAudit(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	after, err := c.number("after", 0)
	if err != nil {
		return nil, err
	}
	reverse := c.params["order"] == "desc"
	if o := c.params["order"]; !reverse && o != "" && o != "asc" {
		return nil, fault.Bad("order", "must be asc or desc")
	}
	out := auditAnswer{Items: []auditRecord{}}
	out.Items, out.Next, err = c.page(c.view, after, reverse, limit)
	return out, err
}

// page reads up to limit records that the caller sees. next is empty when the log ends before.
func (c *call) page(v *fsm.View, after uint64, reverse bool, limit int) (items []auditRecord, next string, err error) {
	items, s, looked, last := []auditRecord{}, c.sight(), 0, uint64(0)
	err = fsm.History(v, after, reverse, func(r fsm.Record) (bool, error) {
		if len(items) == limit || looked == auditLook {
			next = strconv.FormatUint(last, 10)
			return false, nil
		}
		looked, last = looked+1, r.Seq
		a, seen, err := s.show(r)
		if seen {
			items = append(items, a)
		}
		return true, errors.Join(err, c.ctx.Err())
	})
	return items, next, err
}

type verifyAnswer struct {
	Node     string `json:"node"`
	Index    uint64 `json:"index"`
	Records  uint64 `json:"records"`
	Payloads uint64 `json:"payloads"`
	Head     string `json:"head" doc:"hash of the last record"`
}

func verifyAudit(c *call) (any, error) {
	if err := c.alone(); err != nil {
		return nil, err
	}
	defer c.api.verifying.Store(false)
	v, err := fsm.VerifyChain(c.ctx, c.view)
	return verifyAnswer{c.api.opt.Node, v.Index, v.Records, v.Payloads, hex.EncodeToString(v.Head[:])}, err
}

// exportPage is how many records are read from one view: a long one would keep deleted data on disk.
const exportPage = 500

// exportAudit streams the records up to the newest at the start, one JSON object a line. The caller's rights are looked at
// anew for each page. When it cannot go on, the connection is cut, so that a part is never taken for the whole.
func exportAudit(c *call) (any, error) {
	after, err := c.number("after", 0)
	if err != nil {
		return nil, err
	}
	place, err := c.api.exports.Enter(c.ctx) // a slow reader holds a place for minutes: these are fewer than all of the queue's
	if err != nil {
		return nil, err
	}
	defer place.Leave()
	if err := place.Charge(string(c.session.Home.UID[:])); err != nil {
		return nil, err
	}
	end, _ := c.view.Head()
	c.close(c.view) // a view that lives long keeps what is purged meanwhile
	h := c.w.Header()
	h["Content-Type"], h[indexHeader] = ndjsonType, []string{formatIndex(c.epoch, c.index)}
	c.status, c.streams = http.StatusOK, true
	for next := strconv.FormatUint(after, 10); next != ""; {
		if next, err = c.exportPage(next, end); err != nil {
			c.err = err
			panic(http.ErrAbortHandler)
		}
	}
	return nil, nil
}

func (c *call) exportPage(cursor string, end uint64) (next string, err error) {
	after, err := strconv.ParseUint(cursor, 10, 64)
	if err != nil {
		return "", err
	}
	if err := c.api.opt.Reads.Await(c.ctx, c.want); err != nil {
		return "", err
	}
	var items []auditRecord
	err = c.inView(func(v *fsm.View) error {
		if err := c.admit(v); err != nil {
			return err
		}
		items, next, err = c.page(v, after, false, exportPage)
		return err
	})
	if err != nil {
		return "", err
	}
	return c.sendPage(items, next, end)
}

// sendPage writes records up to end and gives a slow reader 30 seconds for them.
func (c *call) sendPage(items []auditRecord, next string, end uint64) (string, error) {
	if err := c.writeDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	for _, it := range items {
		if it.Seq > end {
			next = ""
			break
		}
		if err := c.line(it); err != nil {
			return "", err
		}
	}
	return next, http.NewResponseController(c.w).Flush()
}

func (c *call) line(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	n, err := c.w.Write(append(b, '\n'))
	c.bytes += n
	return err
}

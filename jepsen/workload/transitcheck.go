package workload

import (
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
)

// gone says from when on something may be gone, and must be.
type gone struct{ begun, acked time.Duration }

func staying() gone { return gone{forever, forever} }

func (g *gone) note(o history.Op) {
	g.begun = min(g.begun, o.Call)
	if o.Type == history.OK && decode[told](o.Out).Refused == "" {
		g.acked = min(g.acked, o.Return)
	}
}

// keyTold is a key as its history tells.
type keyTold struct {
	deleted gone
	ends    map[int]*gone  // version -> when it was retired or trimmed
	rotated []history.Op   // acknowledged
	macs    map[int]string // by version
	numbers map[int]history.Op
}

func (k *keyTold) end(version int) *gone {
	if k.ends[version] == nil {
		g := staying()
		k.ends[version] = &g
	}
	return k.ends[version]
}

// of is when a version may be gone, for whatever reason, and when it must be.
func (k *keyTold) of(version int) gone {
	e := k.end(version)
	return gone{min(k.deleted.begun, e.begun), min(k.deleted.acked, e.acked)}
}

func (transit) Check(h *history.History) []history.Verdict {
	all, keys := h.Ops("transit"), map[string]*keyTold{}
	verdict := keysLived(all, keys)
	if verdict.OK {
		verdict = keysOpen(h, all, keys)
	}
	return []history.Verdict{verdict, answered("transit", all)}
}

// keysLived gathers what became of keys and holds every use against it.
func keysLived(all []history.Op, keys map[string]*keyTold) history.Verdict {
	for _, o := range all {
		in := decode[turned](o.In)
		k := keys[in.Key]
		if k == nil {
			k = &keyTold{deleted: staying(), ends: map[int]*gone{}, macs: map[int]string{}, numbers: map[int]history.Op{}}
			keys[in.Key] = k
		}
		if o.Type == history.Fail {
			continue
		}
		switch o.F {
		case "transit.delete":
			k.deleted.note(o)
		case "transit.retire", "transit.trim":
			for v := 1; v < in.Version; v++ {
				k.end(v).note(o)
			}
		}
	}
	for _, o := range all {
		in := decode[turned](o.In)
		if v := keys[in.Key].use(o, in, decode[told](o.Out)); v != nil {
			v.Checked = len(all)
			return *v
		}
	}
	return good("transit", len(all))
}

// use judges one operation; nil: nothing is wrong.
func (k *keyTold) use(o history.Op, in turned, out told) *history.Verdict {
	if o.Type != history.OK {
		return nil
	}
	switch o.F {
	case "transit.create", "transit.rotate":
		return k.numbered(o, in, out)
	case "transit.encrypt":
		return k.encrypted(o, in, out)
	case "transit.decrypt":
		return k.decrypted(o, in, out)
	case "transit.mac":
		return k.authenticated(o, in, out)
	}
	return nil
}

func wrongly(o history.Op, format string, args ...any) *history.Verdict {
	v := bad("transit", 0, "%s through %s at %s: "+format, append([]any{o.F, o.Node, o.Call.Round(time.Millisecond)}, args...)...)
	return &v
}

// numbered has every acknowledged version be one that no other was.
func (k *keyTold) numbered(o history.Op, in turned, out told) *history.Verdict {
	if out.Refused != "" {
		if o.Return < k.deleted.begun {
			return wrongly(o, "%s was refused with %s", in.Key, out.Refused)
		}
		return nil
	}
	if other, twice := k.numbers[out.Version]; twice {
		return wrongly(o, "made version %d of %s, which %s had made", out.Version, in.Key, other.Node)
	}
	k.numbers[out.Version] = o
	k.rotated = append(k.rotated, o)
	return nil
}

func (k *keyTold) encrypted(o history.Op, in turned, out told) *history.Verdict {
	if out.Refused != "" {
		if o.Return < k.deleted.begun {
			return wrongly(o, "%s was refused with %s before anybody had begun to delete it", in.Key, out.Refused)
		}
		return nil
	}
	if o.Call > k.deleted.acked {
		return wrongly(o, "%s encrypted %s after its deletion was acknowledged", in.Key, o.Call-k.deleted.acked)
	}
	for _, r := range k.rotated {
		if v := decode[told](r.Out).Version; r.Return < o.Call && v > out.Version {
			return wrongly(o, "%s encrypted under version %d though %d had been acknowledged", in.Key, out.Version, v)
		}
	}
	return nil
}

func (k *keyTold) decrypted(o history.Op, in turned, out told) *history.Verdict {
	switch g := k.of(in.Version); {
	case out.Refused != "" && o.Return < g.begun:
		return wrongly(o, "%s of version %d of %s was refused with %s before anybody had begun to give it up", in.Message, in.Version, in.Key, out.Refused)
	case out.Refused == "" && o.Call > g.acked:
		return wrongly(o, "%s was decrypted %s after version %d of %s was given up", in.Message, o.Call-g.acked, in.Version, in.Key)
	case out.Refused == "" && out.Value != in.Message:
		return wrongly(o, "%s of %s decrypted to %q", in.Message, in.Key, out.Value)
	}
	return nil
}

func (k *keyTold) authenticated(o history.Op, in turned, out told) *history.Verdict {
	switch g := k.of(in.Version); {
	case out.Refused != "" && o.Return < g.begun:
		return wrongly(o, "version %d of %s was refused with %s before anybody had begun to give it up", in.Version, in.Key, out.Refused)
	case out.Refused != "":
		return nil
	case o.Call > g.acked:
		return wrongly(o, "version %d of %s was used %s after it was given up", in.Version, in.Key, o.Call-g.acked)
	case k.macs[in.Version] != "" && k.macs[in.Version] != out.Value:
		return wrongly(o, "version %d of %s has two materials", in.Version, in.Key)
	}
	k.macs[in.Version] = out.Value
	return nil
}

// keysOpen holds what was encrypted against what there is at rest.
func keysOpen(h *history.History, all []history.Op, keys map[string]*keyTold) history.Verdict {
	found := map[string]version{}
	for _, e := range h.Of(history.Settler, "transit.found") {
		v := decode[struct {
			version
			Token string `json:"token"`
		}](e.Value)
		found[v.Token] = v.version
	}
	for _, o := range all {
		in, out := decode[turned](o.In), decode[told](o.Out)
		if o.F != "transit.encrypt" || o.Type != history.OK || out.Refused != "" {
			continue
		}
		v, there := found[out.Value]
		g := keys[in.Key].of(out.Version)
		switch {
		case !there || v.Value == "" && g.begun == forever:
			return bad("transit", len(all), "%s, which %s encrypted under version %d of %s, cannot be decrypted at rest", in.Message, o.Node, out.Version, in.Key)
		case v.Value != "" && g.acked != forever:
			return bad("transit", len(all), "version %d of %s decrypts at rest, though it was given up", out.Version, in.Key)
		case v.Value != "" && v.Value != in.Message:
			return bad("transit", len(all), "%s of %s decrypts to %q at rest", in.Message, in.Key, v.Value)
		}
	}
	return good("transit", len(all))
}

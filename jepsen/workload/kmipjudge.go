package workload

import (
	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/sdk"
)

// there judges whether an object is there.
func (k *object) there(o history.Op, out shown) *history.Verdict {
	switch {
	case out.Refused == sdk.NotFound && o.Return < k.destroyed.begun:
		return astray(o, "%s was not found before anybody had begun to destroy it", k.uid)
	case out.Refused == "" && o.F != "kmip.state" && o.Call > k.destroyed.acked:
		return astray(o, "%s was there %s after it was destroyed", k.uid, o.Call-k.destroyed.acked)
	}
	return nil
}

// refusal judges that an operation did not go with the state of the object.
func (k *object) refusal(o history.Op) *history.Verdict {
	live := k.active.acked < o.Call && o.Return < min(k.revoked.begun, k.destroyed.begun)
	may := true
	switch o.F {
	case "kmip.activate":
		may = k.active.begun < o.Return
	case "kmip.revoke", "kmip.encrypt":
		may = !live
	case "kmip.decrypt": // a deactivated key still decrypts
		may = o.Call <= k.active.acked || k.destroyed.begun < o.Return
	case "kmip.destroy":
		may = k.active.begun < o.Return && o.Call <= k.revoked.acked
	case "kmip.rekey":
		may = k.replaced.begun < o.Return
	case "kmip.get", "kmip.state":
		may = false
	}
	if !may {
		return astray(o, "%s was refused as if it were in another state", k.uid)
	}
	return nil
}

// answer judges what was answered.
func (k *object) answer(o history.Op, in handled, out shown, prints map[string]*object) *history.Verdict {
	switch o.F {
	case "kmip.activate", "kmip.revoke", "kmip.destroy":
		if first, twice := k.done[o.F]; twice {
			return astray(o, "succeeded with %s, as it had through %s", k.uid, first.Node)
		}
		k.done[o.F] = o
	case "kmip.get":
		return k.material(o, out.Print, prints)
	case "kmip.state":
		if !k.may(o, out.Value) {
			return astray(o, "%s cannot have been %s", k.uid, out.Value)
		}
	case "kmip.encrypt":
		if o.Return < k.active.begun || o.Call > k.revoked.acked {
			return astray(o, "%s encrypted and was not active", k.uid)
		}
	case "kmip.decrypt":
		if out.Value != in.Message {
			return astray(o, "%s of %s decrypted to %q", in.Message, k.uid, out.Value)
		}
	}
	return nil
}

// material holds that an object has one, and shares it with no other.
func (k *object) material(o history.Op, print string, prints map[string]*object) *history.Verdict {
	if k.print == "" {
		k.print = print
	}
	if k.print != print {
		return astray(o, "%s has two materials", k.uid)
	}
	if other := prints[print]; other != nil && other != k {
		return astray(o, "%s and %s have the same material", k.uid, other.uid)
	}
	prints[print] = k
	return nil
}

// may reports whether an object can have been in a state.
func (k *object) may(o history.Op, state string) bool {
	begun := func(g gone) bool { return g.begun < o.Return }
	ended := func(g gone) bool { return g.acked < o.Call }
	switch state {
	case "PreActive":
		return !ended(k.active) && !ended(k.destroyed)
	case "Active":
		return begun(k.active) && !ended(k.revoked) && !ended(k.destroyed)
	case "Deactivated":
		return begun(k.revoked) && !ended(k.destroyed)
	}
	return state == "Destroyed" && begun(k.destroyed)
}

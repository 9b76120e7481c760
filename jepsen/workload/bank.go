package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/sdk"
)

// bank moves money between accounts, each a secret, by imports of two with cas: what one loses the other gets, or neither.
//
// A value is "balance:transfer". All versions of all accounts, read at rest, tell every transfer: it must stand in exactly two of them, and at every point of
// time the balances must add up to what there was at the beginning.
type bank struct{}

const (
	accounts = 4
	fortune  = 1000
)

func account(i int) string { return fmt.Sprintf("bank/%d", i) }

// transfer is what a client wants.
type transfer struct {
	Name   string `json:"name"`
	From   int    `json:"from"`
	To     int    `json:"to"`
	Amount int    `json:"amount"`
	CAS    [2]int `json:"cas"`
}

func (bank) Name() string   { return "bank" }
func (bank) Processes() int { return 3 }

func (bank) Setup(ctx context.Context, e *Env) error {
	for i := range accounts {
		if _, err := e.Any.Put(ctx, sdk.Item{Path: account(i), Value: []byte(fmt.Sprintf("%d:start", fortune))}); err != nil {
			return err
		}
	}
	return nil
}

func (bank) Run(ctx context.Context, e *Env, process int, r *rand.Rand) {
	for n := 0; ctx.Err() == nil; n++ {
		node := e.Node(r)
		t := transfer{Name: fmt.Sprintf("%d-%d", process, n), From: r.IntN(accounts), Amount: 1 + r.IntN(20)}
		t.To = (t.From + 1 + r.IntN(accounts-1)) % accounts
		move(ctx, e, process, node, t)
		pause(ctx, time.Duration(r.IntN(20))*time.Millisecond)
	}
}

// move reads both accounts and moves money if they have not changed until then.
func move(ctx context.Context, e *Env, process int, node string, t transfer) {
	one, cancel := context.WithTimeout(ctx, CallTime)
	defer cancel()
	var balance [2]int
	for i, which := range []int{t.From, t.To} {
		v, err := e.Client(node).Get(one, account(which), sdk.GetOptions{})
		if err != nil {
			return // nothing was asked for yet
		}
		balance[i], t.CAS[i] = amount(string(v.Value)), int(v.Version)
	}
	_, _ = do(e, operation{process, "bank.transfer", node, t, false}, func(ctx context.Context) (told, error) { // it is recorded
		w, err := e.Client(node).Import(ctx, []sdk.Item{t.item(0, balance[0]-t.Amount), t.item(1, balance[1]+t.Amount)})
		if err == nil && len(w) == 2 {
			return told{Version: int(w[0].Version)}, nil
		}
		return told{}, err
	})
}

func (t transfer) item(i, balance int) sdk.Item {
	cas := uint64(t.CAS[i])
	return sdk.Item{Path: account([2]int{t.From, t.To}[i]), Value: []byte(fmt.Sprintf("%d:%s", balance, t.Name)), CAS: &cas}
}

func amount(value string) int {
	text, _, _ := strings.Cut(value, ":")
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1 << 30 // no balance that anybody wrote
	}
	return n
}

func (bank) Settle(ctx context.Context, e *Env) error {
	for i := range accounts {
		found, err := readAll(ctx, e, account(i))
		if err != nil {
			return err
		}
		for _, v := range found {
			e.History.Add(history.Settler, history.OK, "bank.found", "", v, nil)
		}
	}
	return nil
}

func (bank) Check(h *history.History) []history.Verdict {
	all, found := h.Ops("bank"), map[string][]version{}
	for _, e := range h.Of(history.Settler, "bank.found") {
		v := decode[version](e.Value)
		_, name, _ := strings.Cut(v.Value, ":")
		found[name] = append(found[name], v)
	}
	return []history.Verdict{whole(all, found), answered("bank", all)}
}

// whole holds that every transfer happened as a whole, as it was answered, and that no money was made or lost by it.
func whole(all []history.Op, found map[string][]version) history.Verdict {
	before := map[string]version{} // path and version -> what it holds
	for _, versions := range found {
		for _, v := range versions {
			before[fmt.Sprint(v.Path, v.Version)] = v
		}
	}
	for _, o := range all {
		t, out := decode[transfer](o.In), decode[told](o.Out)
		v := found[t.Name]
		done := o.Type == history.OK && out.Refused == ""
		refused := o.Type == history.Fail || o.Type == history.OK && out.Refused != ""
		switch {
		case len(v) != 0 && len(v) != 2 || done && len(v) == 0:
			return bad("bank", len(all), "of transfer %s, answered %s %s, %d of 2 halves are there", t.Name, o.Type, o.Error, len(v))
		case refused && len(v) > 0:
			return bad("bank", len(all), "transfer %s was refused (%s%s) and was done", t.Name, out.Refused, o.Error)
		case len(v) == 2 && !balanced(v, before):
			return bad("bank", len(all), "transfer %s made or lost money: %+v", t.Name, v)
		}
	}
	if len(found["start"]) != accounts {
		return bad("bank", len(all), "%d of %d accounts are there as they began", len(found["start"]), accounts)
	}
	return good("bank", len(all))
}

// balanced compares the two halves with the versions before them.
func balanced(v []version, before map[string]version) bool {
	change := 0
	for _, half := range v {
		last, known := before[fmt.Sprint(half.Path, half.Version-1)]
		if !known {
			return false
		}
		change += amount(half.Value) - amount(last.Value)
	}
	return change == 0
}

package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/sdk"
)

// token makes tokens, children of theirs, uses them through every node, renews and revokes them, and uses them again.
//
// In the history a token is its alias. Its secret is nowhere.
type token struct{}

const (
	tokenPolicy = "jepsen-token"
	tokenSecret = "token/what-it-opens"
	tokenLife   = 20 * time.Hour
	staleBound  = 2 * time.Second // beyond which a node serves nothing that rests on a token
)

// held is what is done with a token.
type held struct {
	Alias  string `json:"alias"`
	Parent string `json:"parent,omitempty"`
	Level  string `json:"level,omitempty"` // of a use
}

// key is a token in a client's hand.
type key struct {
	alias, accessor string
	secret          sdk.Secret
}

func (token) Name() string   { return "token" }
func (token) Processes() int { return 3 }

func (token) Setup(ctx context.Context, e *Env) error {
	rules := []sdk.Rule{{Path: "secrets/token/*", Capabilities: []string{"read", "list"}}, {Path: "tokens", Capabilities: []string{"write"}}}
	if _, err := e.Any.WritePolicy(ctx, tokenPolicy, rules); err != nil {
		return err
	}
	_, err := e.Any.Put(ctx, sdk.Item{Path: tokenSecret, Value: []byte("x")})
	return err
}

func (token) Run(ctx context.Context, e *Env, process int, r *rand.Rand) {
	c := &holder{e, process, r}
	for n := 0; ctx.Err() == nil; n++ {
		c.life(ctx, fmt.Sprintf("%d-%d", process, n))
		pause(ctx, time.Duration(r.IntN(20))*time.Millisecond)
	}
}

// holder is one client.
type holder struct {
	e       *Env
	process int
	r       *rand.Rand
}

// life is that of one token and its child.
func (c *holder) life(ctx context.Context, alias string) {
	k, ok := c.create(alias)
	if !ok {
		return
	}
	family := append([]key{k}, c.children(k)...)
	c.use(k)
	for range 2 {
		c.use(family[c.r.IntN(len(family))])
	}
	if c.r.IntN(3) == 0 {
		c.change("renew", k, func(ctx context.Context, at *sdk.Client) error {
			_, err := at.RenewToken(ctx, k.accessor, tokenLife/2)
			return err
		})
	}
	victim := family[c.r.IntN(len(family))]
	c.change("revoke", victim, func(ctx context.Context, at *sdk.Client) error { return at.RevokeToken(ctx, victim.accessor) })
	for i := 0; i < 5 && ctx.Err() == nil; i++ {
		c.use(family[c.r.IntN(len(family))])
	}
}

// hand is what the numbers of a client's other hands are apart: one process does one thing at a time.
const hand = 1000

// children makes a child of a new token through every node at once: a leader that was deposed in a pause, and does not know yet, is asked for a change by a token that it has
// never seen, as soon as it wakes.
func (c *holder) children(parent key) (all []key) {
	nodes := c.e.Nodes()
	made := make([]key, len(nodes))
	var wg sync.WaitGroup
	for i, node := range nodes {
		wg.Go(func() {
			if k, ok := c.createAt(node, c.process+hand*i, parent, fmt.Sprintf("%s-%d", parent.alias, i)); ok {
				made[i] = k
			}
		})
	}
	wg.Wait()
	return slices.DeleteFunc(made, func(k key) bool { return k.secret == nil })
}

// create makes a token below the root.
func (c *holder) create(alias string) (k key, ok bool) {
	return c.createAt(c.e.Node(c.r), c.process, key{}, alias)
}

// createAt makes a token below parent, or below the root, through a node.
func (c *holder) createAt(node string, process int, parent key, alias string) (k key, ok bool) {
	client := c.e.Client(node)
	if parent.secret != nil {
		var err error
		if client, err = client.WithToken(parent.secret); err != nil {
			panic(err) // a token that the cluster made
		}
	}
	k.alias = alias
	_, err := do(c.e, operation{process, "token.create", node, held{Alias: alias, Parent: parent.alias}, false}, func(ctx context.Context) (told, error) {
		made, err := client.CreateToken(ctx, sdk.Grant{Policies: []string{tokenPolicy}, TTL: tokenLife, Name: "jepsen"})
		k.secret, k.accessor = made.Secret, made.Accessor
		return told{}, err
	})
	return k, err == nil
}

func (c *holder) change(f string, k key, call func(context.Context, *sdk.Client) error) {
	node := c.e.Node(c.r)
	_, _ = do(c.e, operation{c.process, "token." + f, node, held{Alias: k.alias}, false}, func(ctx context.Context) (told, error) { // it is recorded
		return told{}, call(ctx, c.e.Client(node))
	})
}

func (c *holder) use(k key) {
	node, read := c.e.Node(c.r), sdk.Read{At: sdk.Linearizable}
	if c.r.IntN(3) == 0 {
		read = sdk.Read{At: sdk.Stale, MaxStale: staleBound}
	}
	client, err := c.e.Client(node).WithToken(k.secret)
	if err != nil {
		panic(err) // a token that the cluster made
	}
	_, _ = do(c.e, operation{c.process, "token.use", node, held{Alias: k.alias, Level: string(read.At)}, true}, func(ctx context.Context) (told, error) { // it is recorded
		_, err := client.Reading(read).Get(ctx, tokenSecret, sdk.GetOptions{})
		return told{}, err
	})
}

// Settle has nothing to look at: what counts is when a token was refused.
func (token) Settle(context.Context, *Env) error { return nil }

// life of a token, as its history tells.
type tokenLifetime struct {
	parent  string
	made    time.Duration // acknowledged
	begun   time.Duration // the first revoke of it; never when there was none
	revoked time.Duration // the first that was acknowledged
}

func (token) Check(h *history.History) []history.Verdict {
	all, lives := h.Ops("token"), map[string]*tokenLifetime{}
	for _, o := range all {
		in, out := decode[held](o.In), decode[told](o.Out)
		switch l := lives[in.Alias]; {
		case o.F == "token.create" && o.Type == history.OK && out.Refused == "":
			lives[in.Alias] = &tokenLifetime{in.Parent, o.Return, forever, forever}
		case o.F == "token.revoke" && l != nil && o.Type != history.Fail:
			l.begun = min(l.begun, o.Call)
			if o.Type == history.OK && out.Refused == "" {
				l.revoked = min(l.revoked, o.Return)
			}
		}
	}
	return []history.Verdict{tokensLived(all, lives), answered("token", all)}
}

const forever = time.Duration(never)

// tokensLived holds every use against what had been acknowledged before it.
func tokensLived(all []history.Op, lives map[string]*tokenLifetime) history.Verdict {
	uses := 0
	for _, o := range all {
		in, out := decode[held](o.In), decode[told](o.Out)
		if o.Type != history.OK || o.F == "token.revoke" {
			continue
		}
		alias, grace := in.Alias, time.Duration(0)
		if o.F == "token.create" {
			alias = in.Parent
		} else if in.Level == string(sdk.Stale) {
			grace = staleBound + slack
		}
		l := within(lives, alias)
		if l == nil || o.F == "token.renew" {
			continue
		}
		uses++
		switch {
		case out.Refused == "" && o.Call > l.revoked+grace:
			return bad("token", uses, "%s of %s through %s succeeded at %s, %s after a revocation was acknowledged", o.F, alias, o.Node, o.Call, o.Call-l.revoked)
		case out.Refused != "" && o.Return < l.begun && o.Call > l.made+grace:
			return bad("token", uses, "%s of %s through %s was refused (%s) at %s, before anybody had begun to revoke it", o.F, alias, o.Node, out.Refused, o.Call)
		}
	}
	return good("token", uses)
}

// within is the life of a token within those of its ancestors.
func within(lives map[string]*tokenLifetime, alias string) *tokenLifetime {
	l := lives[alias]
	if l == nil {
		return nil
	}
	out := *l
	if p := within(lives, l.parent); p != nil {
		out.begun, out.revoked = min(out.begun, p.begun), min(out.revoked, p.revoked)
	}
	return &out
}

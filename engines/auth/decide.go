package auth

import (
	"slices"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Bounds of every token.
const (
	DefaultTTL  = time.Hour
	MaxTTL      = 768 * time.Hour // 32 days: for a lifetime and for all renewals together
	MaxDepth    = 16              // tokens in a chain, the oldest ancestor and the token itself included
	MaxPolicies = 64              // named by one token
	MaxTokens   = 100_000         // alive in one tenant
	minTTL      = time.Second
	maxName     = 64 // characters
)

// Grant is what the creator of a token asks for. Whatever goes beyond the parent's own expiry is cut to it.
type Grant struct {
	Name      string        // becomes the identity; empty stands for "token:" and the accessor
	Policies  []string      // of the new token's tenant, within the creator's; none let it only look after itself
	TTL       time.Duration // 0 stands for DefaultTTL, at most MaxTTL
	MaxTTL    time.Duration // with all renewals; 0 stands for MaxTTL
	Renewable *bool         // nil stands for true
	Orphan    bool          // no parent: outlives the creator. The caller has checked that it may
}

// decideGrant checks the form of a grant and fills in what was left out.
func decideGrant(g Grant) (Grant, error) {
	if g.Name != "" && !validName(g.Name) {
		return Grant{}, fault.Bad("name", "a token's name has 1 to %d letters, digits and . _ @ + / -, begins with a letter or digit, and is neither \"root\" nor \"init\"", maxName)
	}
	if err := checkPolicies(g.Policies); err != nil {
		return Grant{}, err
	}
	if err := checkTTL("ttl", g.TTL); err != nil {
		return Grant{}, err
	}
	if err := checkTTL("max_ttl", g.MaxTTL); err != nil {
		return Grant{}, err
	}
	if g.MaxTTL == 0 {
		g.MaxTTL = MaxTTL
	}
	if g.TTL == 0 {
		g.TTL = min(DefaultTTL, g.MaxTTL)
	}
	if g.TTL > g.MaxTTL {
		return Grant{}, fault.Bad("max_ttl", "max_ttl %s is below the ttl %s", g.MaxTTL, g.TTL)
	}
	g.Policies = unique(g.Policies)
	return g, nil
}

func checkTTL(field string, d time.Duration) error {
	if d != 0 && (d < minTTL || d > MaxTTL) {
		return fault.Bad(field, "%s is %s to %s, not %s", field, minTTL, MaxTTL, d)
	}
	return nil
}

// validName keeps names apart from the identities that nobody may choose: "root", "init", and all with a colon ("token:…",
// "node:…", "joiner:…", "system:…").
func validName(s string) bool {
	if len(s) > maxName || s == "root" || s == "init" || !alphanumeric(s[0]) {
		return false
	}
	return !slices.ContainsFunc([]byte(s), func(c byte) bool {
		return !alphanumeric(c) && !slices.Contains([]byte("._@+/-"), c)
	})
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// checkPolicies bounds the names; whether they exist and what they grant is the policies' own business.
func checkPolicies(names []string) error {
	if len(names) > MaxPolicies {
		return fault.Bad("policies", "a token names at most %d policies, not %d", MaxPolicies, len(names))
	}
	for _, n := range names {
		printable := !slices.ContainsFunc([]byte(n), func(c byte) bool { return c <= ' ' || c > '~' })
		if n == "" || len(n) > maxName || !printable {
			return fault.Bad("policies", "policy name %.64q is not one", n)
		}
	}
	return nil
}

func unique(names []string) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// decideLife returns when a token granted now expires and when its last renewal does; parent is nil for an orphan.
func decideLife(g Grant, parent *Token, now fsm.Time) (expires, last fsm.Time) {
	expires, last = now.Add(g.TTL), now.Add(g.MaxTTL)
	if parent != nil {
		last = min(last, parent.MaxExpires)
		expires = min(expires, last, parent.Expires)
	}
	if !renewable(g) {
		last = expires
	}
	return expires, last
}

func renewable(g Grant) bool { return g.Renewable == nil || *g.Renewable }

// decideRenewal returns the new expiry of a live token. It is never before the present one, so that a child never outlives
// its parent; parent is nil for an orphan, ttl 0 stands for life.
func decideRenewal(t Token, parent *Token, life, ttl time.Duration, now fsm.Time) (fsm.Time, error) {
	if !t.Renewable {
		return 0, fault.New(fault.Denied, "token %s is not renewable: create a new one", t.Accessor)
	}
	if ttl == 0 {
		ttl = life
	}
	expires := min(now.Add(ttl), t.MaxExpires)
	if parent != nil {
		expires = min(expires, parent.Expires)
	}
	return max(expires, t.Expires), nil
}

// decideTarget says whether a token of tenant from may have a child in tenant to.
func decideTarget(from, to fsm.UID) error {
	if from != to && from != fsm.RootTenant {
		return fault.New(fault.NotFound, "no such tenant")
	}
	return nil
}

// decideRoom refuses a child too deep and a token too many.
func decideRoom(chain int, held uint64) error {
	switch {
	case chain >= MaxDepth:
		return fault.New(fault.Limit, "a chain of tokens has at most %d members: create this one from a token nearer to the root, or as an orphan", MaxDepth)
	case held >= MaxTokens:
		return fault.New(fault.Limit, "the tenant has %d live tokens, the most it may: revoke some, or give them a shorter ttl", MaxTokens)
	}
	return nil
}

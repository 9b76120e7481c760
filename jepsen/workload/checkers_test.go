package workload

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
)

// lie is a history with the checker that must notice; empty: all is well.
type lie struct {
	tell func(*story)
	bad  string
}

func caught(t *testing.T, w Workload, all map[string]lie) {
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			s := &story{t: t}
			c.tell(s)
			if c.bad == "" {
				require.Empty(t, failed(w.Check(&s.h)))
			} else {
				require.Contains(t, failed(w.Check(&s.h)), c.bad)
			}
		})
	}
}

func TestVersionsAreCaught(t *testing.T) {
	at := func(s *story, version_ int, value string) {
		s.found("versions.found", "", version{"a", version_, value})
	}
	caught(t, versions{}, map[string]lie{
		"each once": {func(s *story) {
			s.op("versions.put", put("x"), 0, 9, ok, made(1)).op("versions.put", put("y"), 0, 9, ok, made(2))
			at(s, 1, "x")
			at(s, 2, "y")
		}, ""},
		"unknown, and nowhere": {func(s *story) {
			s.op("versions.put", put("x"), 0, 9, ok, made(1)).op("versions.put", put("y"), 0, 9, info, nil)
			at(s, 1, "x")
		}, ""},
		"acknowledged and lost": {func(s *story) {
			s.op("versions.put", put("x"), 0, 9, ok, made(1))
		}, "versions"},
		"twice": {func(s *story) {
			s.op("versions.put", put("x"), 0, 9, ok, made(1))
			at(s, 1, "x")
			at(s, 2, "x")
		}, "versions"},
		"not done, and there": {func(s *story) {
			s.op("versions.put", put("x"), 0, 9, fail, nil)
			at(s, 1, "x")
		}, "versions"},
		"another's": {func(s *story) {
			s.op("versions.put", put("x"), 0, 9, ok, made(1))
			at(s, 1, "x")
			at(s, 2, "who?")
		}, "versions"},
		"refused for nothing": {func(s *story) { s.op("versions.put", put("x"), 0, 9, ok, no(sdk.Conflict)) }, "versions"},
	})
}

func TestTheBankIsCaught(t *testing.T) {
	begin := func(s *story) *story {
		for i := range accounts {
			s.found("bank.found", "", version{account(i), 1, "1000:start"})
		}
		return s
	}
	move := transfer{Name: "t", From: 0, To: 1, Amount: 10, CAS: [2]int{1, 1}}
	caught(t, bank{}, map[string]lie{
		"whole": {func(s *story) {
			begin(s).op("bank.transfer", move, 0, 1, ok, made(2)).found("bank.found", "", version{account(0), 2, "990:t"}).found("bank.found", "", version{account(1), 2, "1010:t"})
		}, ""},
		"half": {func(s *story) {
			begin(s).op("bank.transfer", move, 0, 1, ok, made(2)).found("bank.found", "", version{account(0), 2, "990:t"})
		}, "bank"},
		"half of what nobody knew": {func(s *story) {
			begin(s).op("bank.transfer", move, 0, 1, info, nil).found("bank.found", "", version{account(0), 2, "990:t"})
		}, "bank"},
		"lost": {func(s *story) { begin(s).op("bank.transfer", move, 0, 1, ok, made(2)) }, "bank"},
		"done though refused": {func(s *story) {
			begin(s).op("bank.transfer", move, 0, 1, fail, nil).found("bank.found", "", version{account(0), 2, "990:t"}).found("bank.found", "", version{account(1), 2, "1010:t"})
		}, "bank"},
		"money from nowhere": {func(s *story) {
			begin(s).op("bank.transfer", move, 0, 1, ok, made(2)).found("bank.found", "", version{account(0), 2, "990:t"}).found("bank.found", "", version{account(1), 3, "1010:t"}).
				found("bank.found", "", version{account(1), 2, "1500:u"})
		}, "bank"},
		"an account is gone": {func(s *story) { s.op("bank.transfer", move, 0, 1, ok, no(sdk.Conflict)) }, "bank"},
	})
}

func TestTokensAreCaught(t *testing.T) {
	a, child := held{Alias: "a"}, held{Alias: "c", Parent: "a"}
	use := func(alias, level string) held { return held{Alias: alias, Level: level} }
	family := func(s *story) *story {
		return s.op("token.create", a, 0, 1, ok, told{}).op("token.create", child, 2, 3, ok, told{})
	}
	caught(t, token{}, map[string]lie{
		"used, revoked, refused": {func(s *story) {
			family(s).op("token.use", use("a", "linearizable"), 4, 5, ok, told{}).op("token.revoke", a, 6, 7, ok, told{}).op("token.use", use("a", "linearizable"), 8, 9, ok, no(sdk.Unauthenticated))
		}, ""},
		"used after its end": {func(s *story) {
			family(s).op("token.revoke", a, 6, 7, ok, told{}).op("token.use", use("a", "linearizable"), 8, 9, ok, told{})
		}, "token"},
		"used after its parent's end": {func(s *story) {
			family(s).op("token.revoke", a, 6, 7, ok, told{}).op("token.use", use("c", "linearizable"), 8, 9, ok, told{})
		}, "token"},
		"makes another after its end": {func(s *story) {
			family(s).op("token.revoke", a, 6, 7, ok, told{}).op("token.create", held{Alias: "d", Parent: "a"}, 8, 9, ok, told{})
		}, "token"},
		"while nobody knows": {func(s *story) {
			family(s).op("token.revoke", a, 6, 7, info, nil).op("token.use", use("a", "linearizable"), 8, 9, ok, told{}).op("token.use", use("a", "linearizable"), 10, 11, ok, no(sdk.Unauthenticated))
		}, ""},
		"stale within the bound": {func(s *story) {
			family(s).op("token.revoke", a, 6, 7, ok, told{}).op("token.use", use("a", "stale"), 2000, 2001, ok, told{})
		}, ""},
		"stale beyond the bound": {func(s *story) {
			family(s).op("token.revoke", a, 6, 7, ok, told{}).op("token.use", use("a", "stale"), 2600, 2601, ok, told{})
		}, "token"},
		"refused for nothing": {func(s *story) {
			family(s).op("token.use", use("c", "linearizable"), 8, 9, ok, no(sdk.Unauthenticated))
		}, "token"},
		"refused before a stale node can know it": {func(s *story) {
			family(s).op("token.use", use("c", "stale"), 8, 9, ok, no(sdk.Unauthenticated)).op("token.use", use("c", "linearizable"), 10, 11, ok, told{})
		}, ""},
	})
}

func TestKeysAreCaught(t *testing.T) {
	x, y := keyed{"k", "x"}, keyed{"k", "y"}
	caught(t, idempotency{}, map[string]lie{
		"one effect, the same answer": {func(s *story) {
			s.op("idempotency.put", x, 0, 1, ok, made(1)).op("idempotency.put", x, 2, 3, ok, made(1)).op("idempotency.put", y, 4, 5, ok, no(sdk.KeyReused)).found("idempotency.found", "", after{"k", []string{"x"}})
		}, ""},
		"two effects": {func(s *story) {
			s.op("idempotency.put", x, 0, 1, ok, made(1)).found("idempotency.found", "", after{"k", []string{"x", "x"}})
		}, "idempotency"},
		"another answer": {func(s *story) {
			s.op("idempotency.put", x, 0, 1, ok, made(1)).op("idempotency.put", x, 2, 3, ok, made(2)).found("idempotency.found", "", after{"k", []string{"x"}})
		}, "idempotency"},
		"another request let in": {func(s *story) {
			s.op("idempotency.put", x, 0, 1, ok, made(1)).op("idempotency.put", y, 2, 3, ok, made(1)).found("idempotency.found", "", after{"k", []string{"x"}})
		}, "idempotency"},
		"refused as another": {func(s *story) {
			s.op("idempotency.put", x, 0, 1, ok, no(sdk.KeyReused)).found("idempotency.found", "", after{"k", []string{"x"}})
		}, "idempotency"},
		"lost": {func(s *story) {
			s.op("idempotency.put", x, 0, 1, ok, made(1)).found("idempotency.found", "", after{"k", nil})
		}, "idempotency"},
		"never looked at": {func(s *story) { s.op("idempotency.put", x, 0, 1, ok, made(1)) }, "idempotency"},
	})
}

func TestTheAuditIsCaught(t *testing.T) {
	act := func(s *story, path string, call, back int) *story {
		return s.op("audit.put", asked{Path: path}, call, back, ok, made(1))
	}
	log := func(s *story, node string, paths ...string) *story {
		for i, p := range paths {
			s.found("audit.found", node, entry{node, uint64(i + 1), "h" + p, p})
		}
		return s
	}
	caught(t, audit{}, map[string]lie{
		"all there":          {func(s *story) { log(log(act(act(s, "p", 0, 1), "q", 2, 3), "n1", "p", "q"), "n2", "p", "q") }, ""},
		"one is missing":     {func(s *story) { log(act(act(s, "p", 0, 1), "q", 2, 3), "n1", "p") }, "audit"},
		"one stands twice":   {func(s *story) { log(act(s, "p", 0, 1), "n1", "p", "p") }, "audit"},
		"not done, recorded": {func(s *story) { log(s.op("audit.put", asked{Path: "p"}, 0, 1, fail, nil), "n1", "p") }, "audit"},
		"out of order":       {func(s *story) { log(act(act(s, "p", 0, 1), "q", 2, 3), "n1", "q", "p") }, "audit order"},
		"nodes differ":       {func(s *story) { log(log(act(act(s, "p", 0, 9), "q", 0, 9), "n1", "p", "q"), "n2", "q", "p") }, "audit on all nodes"},
		"another hash": {func(s *story) {
			log(act(s, "p", 0, 1), "n1", "p").found("audit.found", "n2", entry{"n2", 1, "x", "p"})
		}, "audit on all nodes"},
	})
}

func TestTransitIsCaught(t *testing.T) {
	k := turned{Key: "k"}
	of := func(version int) turned { return turned{Key: "k", Message: "m", Token: "t", Version: version} }
	mac := func(version int) turned { return turned{Key: "k", Version: version} }
	sealed := func(s *story) *story {
		return s.op("transit.create", k, 0, 1, ok, made(1)).op("transit.encrypt", turned{Key: "k", Message: "m"}, 2, 3, ok, got(1, "t"))
	}
	at := func(s *story, value string) {
		s.found("transit.found", "", struct {
			version
			Token string `json:"token"`
		}{version{"k", 1, value}, "t"})
	}
	caught(t, transit{}, map[string]lie{
		"there and back": {func(s *story) {
			sealed(s).op("transit.decrypt", of(1), 4, 5, ok, told{Value: "m"}).op("transit.rotate", k, 6, 7, ok, made(2)).op("transit.mac", mac(1), 8, 9, ok, got(1, "a")).
				op("transit.mac", mac(2), 8, 9, ok, got(2, "b")).op("transit.mac", mac(1), 10, 11, ok, got(1, "a"))
			at(s, "m")
		}, ""},
		"a key is lost":              {func(s *story) { at(sealed(s).op("transit.decrypt", of(1), 4, 5, ok, no(sdk.NotFound)), "m") }, "transit"},
		"a ciphertext does not open": {func(s *story) { at(sealed(s).op("transit.decrypt", of(1), 4, 5, ok, no(sdk.Invalid)), "m") }, "transit"},
		"nor at rest":                {func(s *story) { at(sealed(s), "") }, "transit"},
		"nobody looked":              {func(s *story) { sealed(s) }, "transit"},
		"it opens to something else": {func(s *story) { at(sealed(s).op("transit.decrypt", of(1), 4, 5, ok, told{Value: "n"}), "m") }, "transit"},
		"and at rest":                {func(s *story) { at(sealed(s), "n") }, "transit"},
		"two materials": {func(s *story) {
			at(sealed(s).op("transit.mac", mac(1), 4, 5, ok, got(1, "a")).op("transit.mac", mac(1), 6, 7, ok, got(1, "b")), "m")
		}, "transit"},
		"one version twice": {func(s *story) {
			at(sealed(s).op("transit.rotate", k, 4, 5, ok, made(2)).op("transit.rotate", k, 6, 7, ok, made(2)), "m")
		}, "transit"},
		"an old version encrypts": {func(s *story) {
			sealed(s).op("transit.rotate", k, 4, 5, ok, made(2)).op("transit.encrypt", turned{Key: "k", Message: "n"}, 6, 7, ok, got(1, "t"))
			at(s, "m")
		}, "transit"},
		"an old version encrypts while nobody knows": {func(s *story) {
			sealed(s).op("transit.rotate", k, 4, 5, info, nil).op("transit.decrypt", of(1), 6, 7, ok, told{Value: "m"})
			at(s, "m")
		}, ""},
		"given up": {func(s *story) {
			sealed(s).op("transit.rotate", k, 4, 5, ok, made(2)).op("transit.retire", mac(2), 6, 7, ok, made(2)).op("transit.trim", mac(2), 8, 9, ok, made(2)).op("transit.decrypt", of(1), 10, 11, ok, no(sdk.Invalid))
			at(s, "")
		}, ""},
		"used after it was given up": {func(s *story) {
			sealed(s).op("transit.rotate", k, 4, 5, ok, made(2)).op("transit.retire", mac(2), 6, 7, ok, made(2)).op("transit.decrypt", of(1), 10, 11, ok, told{Value: "m"})
			at(s, "")
		}, "transit"},
		"opens at rest after it was given up": {func(s *story) {
			at(sealed(s).op("transit.rotate", k, 4, 5, ok, made(2)).op("transit.trim", mac(2), 6, 7, ok, made(2)), "m")
		}, "transit"},
		"deleted": {func(s *story) {
			at(sealed(s).op("transit.delete", k, 4, 5, ok, made(1)).op("transit.encrypt", turned{Key: "k", Message: "n"}, 6, 7, ok, no(sdk.NotFound)), "")
		}, ""},
		"encrypts after its deletion": {func(s *story) {
			sealed(s).op("transit.delete", k, 4, 5, ok, made(1)).op("transit.encrypt", turned{Key: "k", Message: "n"}, 6, 7, ok, got(1, "u"))
			at(s, "")
		}, "transit"},
		"deleted, perhaps": {func(s *story) {
			at(sealed(s).op("transit.delete", k, 4, 5, info, nil).op("transit.decrypt", of(1), 6, 7, ok, told{Value: "m"}), "")
		}, ""},
	})
}

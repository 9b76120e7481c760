package sim

import (
	"testing"
)

// TestBroken breaks one thing after the other and wants each found within so many seeds: what cannot fail shows nothing.
func TestBroken(t *testing.T) {
	alone(t)
	for _, c := range []struct {
		name   string
		broken broken
		within uint64
		rare   bool // left out when few seeds are run
	}{
		{"a read index without a round", broken{round: true, often: aPause}, 60, false},
		{"raft.VerifyLeader in the place of a round", broken{verify: true, often: lateAnswers}, 100, false},
		{"a disk that forgets what it has synced", broken{disk: true}, 20, false},
		{"an entry that outlives the term it was decided in", broken{stamp: true}, 300, false},
		{"the last heartbeat taken for the age of the state", broken{contact: true}, 60, false},
		{"a repetition that is another request", broken{receipts: true}, 60, false},
		{"an entry without guards", broken{guards: true}, 60, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.rare && number("TRSTCTL_SIM_SEEDS", 0) < 100 {
				t.Skip("takes some hundred seeds: set TRSTCTL_SIM_SEEDS to 100 or more")
			}
			for seed := uint64(1); seed <= c.within; seed++ {
				if r := runAgreement(t, seed, c.broken); len(r.problems.found) > 0 {
					t.Logf("found with seed %d: %s", seed, r.problems.found[0])
					return
				}
			}
			t.Errorf("not found within %d seeds", c.within)
		})
	}
}

// TestWrongModels has the model say something else than the engines do: whoever compares must notice.
func TestWrongModels(t *testing.T) {
	alone(t)
	file := openSeal(t)
	for _, c := range []struct {
		name  string
		wrong func(*model)
	}{
		{"a revocation that ends the token alone", func(m *model) { m.lenient = true }},
		{"versions that begin again", func(m *model) { m.restarts = true }},
		{"a repetition that is carried out", func(m *model) { m.forgets = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := uint64(1); seed <= 40; seed++ {
				if found, _, _ := runEngines(t, file, seed, c.wrong); len(found.found) > 0 {
					t.Logf("found with seed %d: %s", seed, found.found[0])
					return
				}
			}
			t.Error("not found within 40 seeds")
		})
	}
}

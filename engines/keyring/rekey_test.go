package keyring

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// rekey makes new shares and returns them as their holders have them.
func (p *people) rekey() (shares []seal.Share) {
	p.t.Helper()
	_, texts, err := p.rot.Rekey(p.t.Context(), fsm.Request{Tenant: fsm.RootTenant}, People{5, 3}, "a key of the caller's")
	require.NoError(p.t, err)
	for _, text := range texts {
		s, err := seal.ParseShare(text)
		require.NoError(p.t, err)
		shares = append(shares, s)
	}
	return shares
}

// open is a node without any seal that is given shares.
func (p *people) open(shares []seal.Share) (*Keyring, error) {
	held, err := HeldSeal(p.view())
	require.NoError(p.t, err)
	opened, err := held.WithShares(shares)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	ring := New(cluster)
	return ring, ring.Unseal(p.t.Context(), p.view(), opened)
}

// TestNewSharesOpenAtEveryStep: all nodes may end right after a rekey, or in the middle of its rotation, with nothing left but the new shares.
func TestNewSharesOpenAtEveryStep(t *testing.T) {
	p := newPeople(t)
	p.keep(acme, "v1")
	fresh := p.rekey()
	for more := true; more; {
		ring, err := p.open(fresh[2:])
		require.NoError(t, err)
		p.readable(ring, acme, "v1")
		_, err = p.open(p.shares[:3])
		require.True(t, fault.Is(err, fault.Denied), "the old ones: %v", err)
		more, err = p.rot.pass(t.Context())
		require.NoError(t, err)
	}
	require.NotZero(t, p.last().Ended)
}

package acme

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/acme"
	"github.com/trstctl/trstctl/fsm"
)

// macs stands for the keyring.
type macs string

func (m macs) MAC(_ fsm.Reader, tenant fsm.UID, purpose string, parts ...[]byte) ([32]byte, error) {
	b := append([]byte(m), tenant[:]...)
	for _, p := range parts {
		b = append(b, p...)
	}
	return sha256.Sum256(append(b, purpose...)), nil
}

func TestANonceIsTakenOnceByItsDirectoryInTime(t *testing.T) {
	n := nonces{used: map[string]int64{}}
	now := time.Unix(2_000_000_000, 0)
	tenant, a, b := fsm.UID{1}, fsm.UID{2}, fsm.UID{3}
	take := func(directory fsm.UID, at time.Time, text string) error {
		return n.take(macs("k"), nil, tenant, directory, at, text)
	}
	draw := func() string {
		text, err := n.make(macs("k"), nil, tenant, a, now)
		require.NoError(t, err)
		return text
	}
	one := draw()
	require.NoError(t, take(a, now, one))
	for name, err := range map[string]error{"twice": take(a, now, one), "another directory's": take(b, now, draw()), "too old": take(a, now.Add(11*time.Minute), draw()),
		"from the future": take(a, now.Add(-11*time.Minute), draw()), "none": take(a, now, ""), "made up": take(a, now, draw()[:40]+"AAA"),
		"another cluster's": (&nonces{used: map[string]int64{}}).take(macs("other"), nil, tenant, a, now, draw())} {
		require.Equal(t, "badNonce", acme.TypeOf(err), name)
	}
	require.NoError(t, take(a, now.Add(9*time.Minute), draw()))
}

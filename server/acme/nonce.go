package acme

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"time"

	"github.com/trstctl/trstctl/engines/acme"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

const (
	nonceLife = 10 * time.Minute
	maxUsed   = 200_000 // nonces that are remembered
	nonceSize = 8 + 8 + 16
)

// nonces are a moment, something random, and a MAC over both and the directory.
type nonces struct {
	mu   sync.Mutex       // guards used
	used map[string]int64 // taken here -> when it was made, in seconds
}

func (n *nonces) make(k Keys, r fsm.Reader, tenant, directory fsm.UID, now time.Time) (string, error) {
	b := make([]byte, 16, nonceSize)
	binary.BigEndian.PutUint64(b, uint64(now.Unix()))
	_, _ = rand.Read(b[8:]) // never fails: the process ends instead
	mac, err := k.MAC(r, tenant, "acme-nonce", directory[:], b)
	return base64.RawURLEncoding.EncodeToString(append(b, mac[:16]...)), err
}

// take refuses what was not made here or by another node, is too old, or was taken.
func (n *nonces) take(k Keys, r fsm.Reader, tenant, directory fsm.UID, now time.Time, text string) error {
	bad := acme.Refuse(fault.Invalid, "badNonce", "the nonce is none, too old, or used: take the one of this answer")
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != nonceSize {
		return bad
	}
	mac, err := k.MAC(r, tenant, "acme-nonce", directory[:], b[:16])
	if err != nil {
		return err
	}
	made := int64(binary.BigEndian.Uint64(b))
	age := now.Sub(time.Unix(made, 0))
	if subtle.ConstantTimeCompare(mac[:16], b[16:]) != 1 || age > nonceLife || age < -nonceLife {
		return bad
	}
	if !n.once(text, made, now) {
		return bad
	}
	return nil
}

func (n *nonces) once(text string, made int64, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, taken := n.used[text]; taken {
		return false
	}
	if len(n.used) >= maxUsed {
		for t, at := range n.used {
			if now.Unix()-at > int64(nonceLife.Seconds()) {
				delete(n.used, t)
			}
		}
	}
	if len(n.used) >= maxUsed {
		return false // nobody makes so many in so short a time but to fill this
	}
	n.used[text] = made
	return true
}

package primitive

import (
	"crypto/hmac"
	"hash"
	"sync"

	"github.com/trstctl/trstctl/fsm/fault"
)

// MAC appends the HMAC (RFC 2104) of message to dst. An HMAC key has its own hash, and h is zero or that. Any other key MACs under a key that is derived
// from it for this purpose and this hash; h is SHA256 if it is zero. Nothing but the message is authenticated, so that others who have
// an HMAC key get the same.
func (k *Key) MAC(dst []byte, h Hash, message []byte) ([]byte, error) {
	if err := k.hold(); err != nil {
		return nil, err
	}
	defer k.release()
	return k.mac(dst, h, message)
}

// VerifyMAC reports whether mac is the whole HMAC of message. It takes as long wherever they differ.
func (k *Key) VerifyMAC(h Hash, message, mac []byte) (bool, error) {
	if err := k.hold(); err != nil {
		return false, err
	}
	defer k.release()
	want, err := k.mac(make([]byte, 0, 64), h, message)
	if err != nil {
		return false, err
	}
	defer clear(want)
	return hmac.Equal(want, mac), nil
}

func (k *Key) mac(dst []byte, h Hash, message []byte) ([]byte, error) {
	if k.macs != nil {
		if h != 0 && h != traits[k.alg].hash {
			return nil, fault.Bad("hash", "a key of type %s has its own hash", k.alg)
		}
		state := k.macs.Get().(hash.Hash)
		defer k.macs.Put(state)
		return sumOf(state, dst, message), nil
	}
	h, err := h.forKeys(SHA256)
	if err != nil {
		return nil, err
	}
	key, err := derive(k.secret, h.Size(), macKeyLabel, []byte(h.String()))
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return sumOf(hmac.New(hashes[h].new, key), dst, message), nil
}

// sumOf leaves the state as it found it.
func sumOf(state hash.Hash, dst, message []byte) []byte {
	defer state.Reset()
	state.Write(message)
	return state.Sum(dst)
}

// newMACs keeps HMAC states whose pads are hashed already. secret may be wiped only when no more of them are asked for.
func newMACs(h Hash, secret []byte) *sync.Pool {
	return &sync.Pool{New: func() any { return hmac.New(hashes[h].new, secret) }}
}

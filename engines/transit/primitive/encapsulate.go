package primitive

import (
	"crypto/hkdf"
	"crypto/mlkem"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"github.com/trstctl/trstctl/fsm/fault"
)

// The payload of an encapsulated data key (format): 1088 bytes of ML-KEM-768 ciphertext | 32 bytes of confirmation. Both the data key and the
// confirmation are HKDF-Expand (RFC 5869, SHA-256) of HKDF-Extract(no salt, shared secret), under an info of Terms.appendTo with a label of its own,
// the ML-KEM ciphertext behind its length, the size of the data key in 4 bytes. The confirmation is there because ML-KEM answers a wrong key or a
// changed ciphertext with another secret, and no error.
const (
	confirmSize              = sha256.Size
	minDataKey, maxDataKey   = 16, 64
	encapsulated, kemPayload = mlkem.CiphertextSize768, mlkem.CiphertextSize768 + confirmSize
)

// Encapsulate makes a data key of 16 to 64 bytes, which is the caller's to wipe, and the payload that Decapsulate gets it back from. It needs nothing
// secret of the key.
func (k *Key) Encapsulate(t Terms, size int) (dataKey, payload []byte, err error) {
	if err := k.encapsulates(&t, size); err != nil {
		return nil, nil, err
	}
	defer k.release()
	shared, ciphertext := k.kem.EncapsulationKey().Encapsulate()
	defer clear(shared)
	dataKey, confirm, err := expand(shared, ciphertext, &t, size)
	if err != nil {
		return nil, nil, err
	}
	return dataKey, append(ciphertext, confirm...), nil
}

// Decapsulate returns the data key of a payload, which is the caller's to wipe. Other terms, another size than Encapsulate was given or a changed
// payload are ErrDecrypt.
func (k *Key) Decapsulate(t Terms, size int, payload []byte) ([]byte, error) {
	if err := k.encapsulates(&t, size); err != nil {
		return nil, err
	}
	defer k.release()
	if len(payload) != kemPayload {
		return nil, ErrDecrypt
	}
	shared, err := k.kem.Decapsulate(payload[:encapsulated])
	if err != nil {
		return nil, ErrDecrypt
	}
	defer clear(shared)
	dataKey, confirm, err := expand(shared, payload[:encapsulated], &t, size)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(confirm, payload[encapsulated:]) != 1 {
		clear(dataKey)
		return nil, ErrDecrypt
	}
	return dataKey, nil
}

// encapsulates holds the key if it goes with the terms.
func (k *Key) encapsulates(t *Terms, size int) error {
	if !k.alg.Can(ToEncapsulate) {
		return k.alg.cannot("encapsulate")
	}
	if err := t.check(k.alg); err != nil {
		return err
	}
	if size < minDataKey || size > maxDataKey {
		return fault.Bad("size", "a data key has %d to %d bytes", minDataKey, maxDataKey)
	}
	return k.hold()
}

func expand(shared, ciphertext []byte, t *Terms, size int) (dataKey, confirm []byte, err error) {
	prk, err := hkdf.Extract(sha256.New, shared, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("derive a data key: %w", err)
	}
	defer clear(prk)
	info := func(label string) string {
		b := appendPart(t.appendTo(nil, label), ciphertext)
		return string(binary.BigEndian.AppendUint32(b, uint32(size)))
	}
	if dataKey, err = hkdf.Expand(sha256.New, prk, info(dataKeyLabel), size); err != nil {
		return nil, nil, fmt.Errorf("derive a data key: %w", err)
	}
	if confirm, err = hkdf.Expand(sha256.New, prk, info(confirmLabel), confirmSize); err != nil {
		return nil, nil, fmt.Errorf("derive a data key: %w", err)
	}
	return dataKey, confirm, nil
}

package transit

import (
	"context"

	"github.com/trstctl/trstctl/engines/transit/primitive"
	"github.com/trstctl/trstctl/fsm/fault"
)

// With is what a message is bound to, beside its key.
type With struct {
	Associated []byte         // what must be said again to decrypt
	Context    []byte         // of a derived key
	Hash       primitive.Hash // of OAEP, RSA keys only; 0: SHA-256
}

// Encrypt appends the token of plaintext under a version, 0 for the latest, to dst.
func (u *Use) Encrypt(ctx context.Context, dst []byte, version uint64, with With, plaintext []byte) ([]byte, error) {
	k, number, err := u.forNew(version)
	if err != nil {
		return nil, err
	}
	if err := u.spend(ctx, number); err != nil {
		return nil, err
	}
	t := u.terms(number, with.Associated, with.Context)
	t.Hash = with.Hash
	return k.Encrypt(dst, t, plaintext)
}

// Decrypt appends the plaintext of a token to dst; it is the caller's to wipe. Whatever is wrong with the token is primitive.ErrDecrypt.
func (u *Use) Decrypt(dst []byte, with With, token []byte) ([]byte, error) {
	k, parsed, err := u.made(token)
	if err == nil && k == nil {
		err = primitive.ErrDecrypt
	}
	if err != nil {
		return nil, err
	}
	t := u.terms(parsed.Version, with.Associated, with.Context)
	t.Hash = with.Hash
	return k.Decrypt(dst, t, parsed.Payload)
}

// Rewrap makes of a token one of the same plaintext under another version, 0 for the latest. The plaintext stays here.
func (u *Use) Rewrap(ctx context.Context, dst []byte, version uint64, with With, token []byte) ([]byte, error) {
	plaintext, err := u.Decrypt(nil, with, token)
	if err != nil {
		return nil, err
	}
	defer clear(plaintext)
	return u.Encrypt(ctx, dst, version, with, plaintext)
}

// Encapsulates reports whether data keys are given back by Decapsulate, and nothing is encrypted.
func (u *Use) Encapsulates() bool { return u.alg.Can(primitive.ToEncapsulate) }

// VersionOf is the version of the key that a token names; 0 of what is none.
func VersionOf(token []byte) uint64 {
	n, _ := primitive.TokenVersion(token)
	return n
}

// DataKey makes a key of 16 to 64 bytes for the caller's own use, which is the caller's to wipe, and the token that gives it back: by Decrypt, or by
// Decapsulate of a key that encapsulates.
func (u *Use) DataKey(ctx context.Context, version uint64, with With, size int) (key, token []byte, err error) {
	if size < 16 || size > 64 {
		return nil, nil, fault.Bad("bits", "a data key has 128 to 512 bits")
	}
	if u.alg.Can(primitive.ToEncapsulate) {
		return u.encapsulate(version, with, size)
	}
	if key, err = primitive.Random(size); err != nil {
		return nil, nil, err
	}
	if token, err = u.Encrypt(ctx, nil, version, with, key); err != nil {
		clear(key)
		return nil, nil, err
	}
	return key, token, nil
}

func (u *Use) encapsulate(version uint64, with With, size int) (key, token []byte, err error) {
	k, number, err := u.forNew(version)
	if err != nil {
		return nil, nil, err
	}
	key, payload, err := k.Encapsulate(u.terms(number, with.Associated, with.Context), size)
	if err != nil {
		return nil, nil, err
	}
	return key, primitive.AppendToken(nil, number, payload), nil
}

// Decapsulate returns the data key of a token that DataKey made with a key that encapsulates, of the same size; it is the caller's to wipe.
func (u *Use) Decapsulate(with With, size int, token []byte) ([]byte, error) {
	k, parsed, err := u.made(token)
	if err == nil && k == nil {
		err = primitive.ErrDecrypt
	}
	if err != nil {
		return nil, err
	}
	return k.Decapsulate(u.terms(parsed.Version, with.Associated, with.Context), size, parsed.Payload)
}

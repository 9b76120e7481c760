package suite

import (
	"errors"

	"github.com/trstctl/trstctl/engines/keyring/keywrap"
	"github.com/trstctl/trstctl/fsm/fault"
)

// wrapWay is a row of the table that says what wraps.
type wrapWay struct {
	alg          Algorithm
	mode         Mode
	padding      Padding
	wrap, unwrap func(k *Key, p *Params, value []byte) ([]byte, error)
}

var wraps = []wrapWay{
	{AES, NISTKeyWrap, 0, wrapAES(keywrap.Wrap), unwrapAES(keywrap.Unwrap)},                   // RFC 3394, KW of SP 800-38F
	{AES, AESKeyWrapPadding, 0, wrapAES(keywrap.WrapPadded), unwrapAES(keywrap.UnwrapPadded)}, // RFC 5649, KWP of SP 800-38F
	{RSA, 0, OAEP, wrapRSA, unwrapRSA},
	{RSA, 0, PKCS1v15, wrapRSA, unwrapRSA},
}

// Wrap encrypts the value of a key block (KMIP 1.4, section 2.1.6, Wrapping Method Encrypt) under an AES key or an RSA public key. The value is what the
// encoding option says, which is the caller's matter: the material alone (No Encoding), or the Key Value in TTLV.
func Wrap(k *Key, m Wrapping, p Params, value []byte) ([]byte, error) {
	w, err := wrapFor(k, m, &p, value, "wrap", PublicKey)
	if err != nil {
		return nil, err
	}
	return w.wrap(k, &p, value)
}

// Unwrap returns what Wrap wrapped, the caller's to wipe, under an AES key or an RSA private key. What cannot be is ErrFailed.
func Unwrap(k *Key, m Wrapping, p Params, wrapped []byte) ([]byte, error) {
	w, err := wrapFor(k, m, &p, wrapped, "unwrap", PrivateKey)
	if err != nil {
		return nil, err
	}
	return w.unwrap(k, &p, wrapped)
}

func wrapFor(k *Key, m Wrapping, p *Params, value []byte, what string, class Class) (*wrapWay, error) {
	if err := k.use(what, SymmetricKey, class); err != nil {
		return nil, err
	}
	if m != Encrypted {
		return nil, fault.Bad("wrapping_method", "keys are wrapped by encryption only")
	}
	if err := p.goesWith(k); err != nil {
		return nil, err
	}
	if err := tooLong("a wrapped key", value, MaxMaterial); err != nil {
		return nil, err
	}
	for i := range wraps {
		if w := &wraps[i]; w.alg == k.alg && w.mode == p.Mode && (w.alg != RSA || w.padding == p.Padding) {
			return w, nil
		}
	}
	switch k.alg {
	case AES:
		return nil, fault.Bad("block_cipher_mode", "AES keys wrap in the modes NISTKeyWrap and AESKeyWrapPadding")
	case RSA:
		return nil, fault.Bad("padding_method", "RSA keys wrap with OAEP or PKCS1 v1.5 padding and without a mode")
	}
	return nil, k.cannot("wrap")
}

func wrapAES(wrap func(kek, key []byte) ([]byte, error)) func(*Key, *Params, []byte) ([]byte, error) {
	return func(k *Key, _ *Params, value []byte) ([]byte, error) { return wrap(k.secret, value) }
}

func unwrapAES(unwrap func(kek, wrapped []byte) ([]byte, error)) func(*Key, *Params, []byte) ([]byte, error) {
	return func(k *Key, _ *Params, wrapped []byte) ([]byte, error) {
		value, err := unwrap(k.secret, wrapped)
		if errors.Is(err, keywrap.ErrUnwrap) {
			err = ErrFailed
		}
		return value, err
	}
}

func wrapRSA(k *Key, p *Params, value []byte) ([]byte, error) {
	out, err := Encrypt(k, *p, Message{Data: value})
	return out.Data, err
}

func unwrapRSA(k *Key, p *Params, wrapped []byte) ([]byte, error) {
	return Decrypt(k, *p, Message{Data: wrapped})
}

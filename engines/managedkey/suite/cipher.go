package suite

import (
	"slices"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Message is what Encrypt and Decrypt are given (KMIP 1.4, sections 4.29 and 4.30).
type Message struct {
	Data    []byte
	IV      []byte // IV/Counter/Nonce
	AAD     []byte // Authenticated Encryption Additional Data
	Tag     []byte // Authenticated Encryption Tag; Decrypt
	Partial bool   // Init Indicator, Final Indicator or a Correlation Value says that there is more: refused, as one call is one message here
}

// Ciphertext is what Encrypt returns.
type Ciphertext struct {
	Data []byte
	IV   []byte // if it was made here
	Tag  []byte // of modes that authenticate
}

// cipherWay is a row of the table that says what encrypts.
type cipherWay struct {
	alg       Algorithm
	mode      Mode
	paddings  []Padding // the first is meant if none is named
	authentic bool
	seal      func(*Key, *Params, *Message) (Ciphertext, error)
	open      func(*Key, *Params, *Message) ([]byte, error)
}

var (
	padded   = []Padding{NoPadding, PKCS5, Zeros, ANSIX923, ISO10126}
	unpadded = []Padding{NoPadding}
	oaep     = []Padding{OAEP}
	v15      = []Padding{PKCS1v15}
)

var ciphers = []cipherWay{
	{AES, ECB, padded, false, sealBlock, openBlock},
	{AES, CBC, padded, false, sealBlock, openBlock},
	{AES, CTR, unpadded, false, sealBlock, openBlock},
	{AES, CFB, unpadded, false, sealBlock, openBlock},
	{AES, OFB, unpadded, false, sealBlock, openBlock},
	{AES, GCM, unpadded, true, sealGCM, openGCM},
	{TripleDES, ECB, padded, false, sealBlock, openBlock},
	{TripleDES, CBC, padded, false, sealBlock, openBlock},
	{TripleDES, CTR, unpadded, false, sealBlock, openBlock},
	{TripleDES, CFB, unpadded, false, sealBlock, openBlock},
	{TripleDES, OFB, unpadded, false, sealBlock, openBlock},
	{ChaCha20Poly1305, AEAD, unpadded, true, sealChaCha, openChaCha},
	{ChaCha20Poly1305, 0, unpadded, true, sealChaCha, openChaCha},
	{RSA, 0, oaep, false, sealOAEP, openOAEP},
	{RSA, 0, v15, false, sealV15, openV15},
}

// Encrypt encrypts the whole of a message under a symmetric key or an RSA public key. An IV that the mode needs is the caller's, or made if the
// parameters say Random IV, and then returned. With GCM, CTR, OFB and ChaCha20 an IV that is used twice gives both messages away: whoever lets callers
// choose it has to want that.
func Encrypt(k *Key, p Params, m Message) (Ciphertext, error) {
	w, err := cipherFor(k, &p, &m, "encrypt", PublicKey)
	if err != nil {
		return Ciphertext{}, err
	}
	if len(m.Tag) != 0 {
		return Ciphertext{}, fault.Bad("authenticated_encryption_tag", "encrypting makes the tag")
	}
	return w.seal(k, &p, &m)
}

// Decrypt returns the plaintext, which is the caller's to wipe. Parameters that do not fit and an IV or tag that is not there are faults of their own;
// everything else that can be wrong is ErrFailed.
func Decrypt(k *Key, p Params, m Message) ([]byte, error) {
	w, err := cipherFor(k, &p, &m, "decrypt", PrivateKey)
	if err != nil {
		return nil, err
	}
	return w.open(k, &p, &m)
}

// cipherFor finds the row, and refuses what goes with none.
func cipherFor(k *Key, p *Params, m *Message, what string, class Class) (*cipherWay, error) {
	if err := k.use(what, SymmetricKey, class); err != nil {
		return nil, err
	}
	if err := p.goesWith(k); err != nil {
		return nil, err
	}
	w, err := cipherOf(k, p)
	if err != nil {
		return nil, err
	}
	switch {
	case m.Partial:
		return nil, fault.Bad("correlation_value", "a message comes in one piece here")
	case !w.authentic && len(m.AAD) != 0:
		return nil, fault.Bad("authenticated_encryption_additional_data", "this mode authenticates nothing")
	case !w.authentic && len(m.Tag) != 0:
		return nil, fault.Bad("authenticated_encryption_tag", "this mode has no tag")
	}
	if err := tooLong("additional data", m.AAD, MaxAssociated); err != nil {
		return nil, err
	}
	return w, tooLong("data", m.Data, MaxData)
}

func cipherOf(k *Key, p *Params) (*cipherWay, error) {
	keys, modes := false, false
	for i := range ciphers {
		w := &ciphers[i]
		if w.alg != k.alg {
			continue
		}
		keys = true
		if w.mode != p.Mode {
			continue
		}
		modes = true
		if p.Padding == 0 && k.class == SymmetricKey {
			p.Padding = w.paddings[0]
		}
		if slices.Contains(w.paddings, p.Padding) {
			return w, nil
		}
	}
	switch {
	case !keys:
		return nil, k.cannot("encrypt or decrypt")
	case !modes && p.Mode == 0:
		return nil, fault.Bad("block_cipher_mode", "say which mode: none is given and none goes with the key")
	case !modes:
		return nil, fault.Bad("block_cipher_mode", "a key of type %s does not encrypt in this mode", k.alg)
	case p.Padding == 0:
		return nil, fault.Bad("padding_method", "say which padding: none is given and none goes with the key")
	}
	return nil, fault.Bad("padding_method", "this padding does not go with the key or the mode")
}

// iv returns the IV of a message to encrypt, of least to most bytes, and also as made if it was made here: of as many bytes as IV Length says or
// least. Modes without one have 0.
func (p *Params) iv(m *Message, least, most int) (iv, made []byte, err error) {
	if p.IVLength != 0 && most > 0 && (p.IVLength%8 != 0 || p.IVLength < 8*least || p.IVLength > 8*most) {
		return nil, nil, fault.Bad("iv_length", "the mode takes an IV of %d to %d bits", 8*least, 8*most)
	}
	if most == 0 || len(m.IV) != 0 || !p.RandomIV {
		iv, err = m.iv(least, most)
		if err == nil && p.IVLength != 0 && most > 0 && len(iv)*8 != p.IVLength {
			err = fault.Bad("iv_counter_nonce", "the IV does not have the length that the parameters say")
		}
		return iv, nil, err
	}
	if p.FixedFieldLength != 0 || p.InvocationFieldLength != 0 {
		return nil, nil, fault.Bad("fixed_field_length", "IVs are made at random here, without fields")
	}
	made = random(max(least, p.IVLength/8))
	return made, made, nil
}

// iv returns the IV that the caller gave.
func (m *Message) iv(least, most int) ([]byte, error) {
	switch {
	case most == 0 && len(m.IV) != 0:
		return nil, fault.Bad("iv_counter_nonce", "this mode takes no IV")
	case len(m.IV) == 0 && most > 0:
		return nil, fault.Bad("iv_counter_nonce", "the mode needs an IV, and none is given")
	case len(m.IV) < least || len(m.IV) > most:
		return nil, fault.Bad("iv_counter_nonce", "the mode takes an IV of %d to %d bytes, not %d", least, most, len(m.IV))
	}
	return m.IV, nil
}

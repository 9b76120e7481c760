package suite

import (
	"crypto/cipher"
	"crypto/subtle"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Sizes of GCM (SP 800-38D, section 5.2.1), in bytes. Short nonces and tags come from the published cases.
const (
	fullTag             = 16
	soundTag            = 12 // shorter ones only with ShortTags
	shortTag            = 4
	minNonce, maxNonce  = 1, 256
	madeNonce, madeMost = 12, 16
)

// tagLength is what the parameters say, or otherwise.
func (p *Params) tagLength(otherwise int) (int, error) {
	n := p.TagLength
	if n == 0 {
		n = otherwise
	}
	least := soundTag
	if p.Allow&ShortTags != 0 {
		least = shortTag
	}
	if n < least || n > fullTag {
		return 0, fault.Bad("tag_length", "a tag has %d to %d bytes", least, fullTag)
	}
	return n, nil
}

func sealGCM(k *Key, p *Params, m *Message) (Ciphertext, error) {
	size, err := p.tagLength(fullTag)
	if err != nil {
		return Ciphertext{}, err
	}
	least, most := minNonce, maxNonce
	if len(m.IV) == 0 {
		least, most = madeNonce, madeMost
	}
	iv, made, err := p.iv(m, least, most)
	if err != nil {
		return Ciphertext{}, err
	}
	gcm, err := gcmOf(k, len(iv))
	if err != nil {
		return Ciphertext{}, err
	}
	out := gcm.Seal(make([]byte, 0, len(m.Data)+fullTag), iv, m.Data, m.AAD)
	body, tag := out[:len(m.Data)], out[len(m.Data):]
	return Ciphertext{Data: body[:len(body):len(body)], IV: made, Tag: tag[:size]}, nil
}

// openGCM checks tags of any length, which the standard library does not do together with nonces of any length: since GCM's encryption is an XOR, sealing
// the ciphertext gives the plaintext, and sealing that gives the tag.
func openGCM(k *Key, p *Params, m *Message) ([]byte, error) {
	iv, err := m.iv(minNonce, maxNonce)
	if err != nil {
		return nil, err
	}
	if err := p.tagGiven(m); err != nil {
		return nil, err
	}
	gcm, err := gcmOf(k, len(iv))
	if err != nil {
		return nil, err
	}
	plain := gcm.Seal(nil, iv, m.Data, nil)
	clear(plain[len(m.Data):])
	plain = plain[:len(m.Data):len(m.Data)]
	again := gcm.Seal(nil, iv, plain, m.AAD)
	if subtle.ConstantTimeCompare(again[len(plain):][:len(m.Tag)], m.Tag) != 1 {
		clear(plain)
		return nil, ErrFailed
	}
	return plain, nil
}

// tagGiven refuses a tag that is not there or has a length that nobody asked for.
func (p *Params) tagGiven(m *Message) error {
	if len(m.Tag) == 0 {
		return fault.Bad("authenticated_encryption_tag", "the mode needs the tag, and none is given")
	}
	size, err := p.tagLength(len(m.Tag))
	if err != nil {
		return err
	}
	if size != len(m.Tag) {
		return fault.Bad("authenticated_encryption_tag", "the tag does not have the length that the parameters say")
	}
	return nil
}

func gcmOf(k *Key, nonce int) (cipher.AEAD, error) {
	block, err := blockOf(k.alg, k.secret)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCMWithNonceSize(block, nonce)
	if err != nil {
		return nil, fmt.Errorf("make a cipher: %w", err)
	}
	return gcm, nil
}

// sealChaCha is RFC 8439, section 2.8, whose tag is not cut.
func sealChaCha(k *Key, p *Params, m *Message) (Ciphertext, error) {
	if p.TagLength != 0 && p.TagLength != fullTag {
		return Ciphertext{}, fault.Bad("tag_length", "a tag of Poly1305 has %d bytes", fullTag)
	}
	iv, made, err := p.iv(m, chacha20poly1305.NonceSize, chacha20poly1305.NonceSize)
	if err != nil {
		return Ciphertext{}, err
	}
	aead, err := chacha20poly1305.New(k.secret)
	if err != nil {
		return Ciphertext{}, fmt.Errorf("make a cipher: %w", err)
	}
	out := aead.Seal(make([]byte, 0, len(m.Data)+fullTag), iv, m.Data, m.AAD)
	body, tag := out[:len(m.Data)], out[len(m.Data):]
	return Ciphertext{Data: body[:len(body):len(body)], IV: made, Tag: tag}, nil
}

func openChaCha(k *Key, p *Params, m *Message) ([]byte, error) {
	iv, err := m.iv(chacha20poly1305.NonceSize, chacha20poly1305.NonceSize)
	if err != nil {
		return nil, err
	}
	if err := p.tagGiven(m); err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.New(k.secret)
	if err != nil {
		return nil, fmt.Errorf("make a cipher: %w", err)
	}
	sealed := append(append(make([]byte, 0, len(m.Data)+len(m.Tag)), m.Data...), m.Tag...)
	plain, err := aead.Open(sealed[:0], iv, sealed, m.AAD)
	if err != nil {
		return nil, ErrFailed
	}
	return plain, nil
}

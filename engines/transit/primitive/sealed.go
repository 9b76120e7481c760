package primitive

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"

	"github.com/trstctl/trstctl/fsm/fault"
)

// What is sealed to an RSA key (format), for material of any size:
//
//	"trb1" | 32 bytes SHA-256 of the SubjectPublicKeyInfo | RSAES-OAEP (SHA-256, the label is what stands before) of a fresh AES-256 key, as long as the modulus
//	| AES-256-GCM of the material under that key, its nonce 12 zero bytes, its associated data all that stands before
//
// The key is used once, so that one nonce does. Whoever has the public key can make one: it says to whom, not from whom.
const (
	sealedMagic = "trb1"
	sealedHead  = len(sealedMagic) + sha256.Size
)

// MaxSealed bounds what SealTo takes, in bytes.
const MaxSealed = 4 << 20

// SealTo seals material to an RSA key of at least 2048 bits, given as SubjectPublicKeyInfo in DER.
func SealTo(publicDER, material []byte) ([]byte, error) {
	if len(material) > MaxSealed {
		return nil, fault.New(fault.TooLarge, "more than %d bytes are not sealed", MaxSealed)
	}
	public, err := rsaPublic(publicDER)
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(publicDER)
	out := append(append(make([]byte, 0, sealedHead+public.Size()+len(material)+aes.BlockSize), sealedMagic...), id[:]...)
	key := make([]byte, ephemeralSize)
	rand.Read(key)
	defer clear(key)
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public, key, out)
	if err != nil {
		return nil, fault.Bad("public_key", "the RSA key cannot wrap").Because(err)
	}
	out = append(out, wrapped...)
	aead, err := onceGCM(key)
	if err != nil {
		return nil, err
	}
	return aead.Seal(out, make([]byte, aead.NonceSize()), material, out), nil
}

// OpenSealed returns what was sealed to the public key of k, an RSA key; it is the caller's to wipe. Whatever is wrong is ErrDecrypt.
func (k *Key) OpenSealed(sealed []byte) ([]byte, error) {
	der, err := k.PublicDER()
	if err != nil {
		return nil, err
	}
	if err := k.hold(); err != nil {
		return nil, err
	}
	defer k.release()
	id := sha256.Sum256(der)
	if k.rsa == nil || len(sealed) < sealedHead+k.rsa.Size() || string(sealed[:sealedHead]) != sealedMagic+string(id[:]) {
		return nil, ErrDecrypt
	}
	at := sealedHead + k.rsa.Size()
	key, err := decryptOAEP(k.rsa, SHA256, sealed[sealedHead:at], sealed[:sealedHead])
	if err != nil || len(key) != ephemeralSize {
		clear(key)
		return nil, ErrDecrypt
	}
	defer clear(key)
	aead, err := onceGCM(key)
	if err != nil {
		return nil, err
	}
	out, err := aead.Open(nil, make([]byte, aead.NonceSize()), sealed[at:], sealed[:at])
	if err != nil {
		return nil, ErrDecrypt
	}
	return out, nil
}

func onceGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func rsaPublic(der []byte) (*rsa.PublicKey, error) {
	parsed, _ := x509.ParsePKIXPublicKey(der)
	public, ok := parsed.(*rsa.PublicKey)
	if !ok || public.N.BitLen() < traits[RSA2048].size {
		return nil, fault.Bad("public_key", "an RSA key of 2048 bits or more wraps")
	}
	return public, nil
}

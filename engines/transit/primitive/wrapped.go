package primitive

import (
	"crypto/aes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"

	"github.com/trstctl/trstctl/engines/keyring/keywrap"
	"github.com/trstctl/trstctl/fsm/fault"
)

// A wrapped import is RSAES-OAEP, without a label, of a fresh AES-256 key, as long as the modulus | AES-KWP (RFC 5649) of the material under that key:
// CKM_RSA_AES_KEY_WRAP of PKCS #11 3.0, section 2.1.21.
const ephemeralSize = 32

// ImportWrapped imports material that was wrapped to the public key of k, an RSA key; h is OAEP's hash, SHA-256 if it is zero. A blob that does not
// unwrap is ErrDecrypt, whatever is wrong with it; what was in it is checked as Import does.
func (k *Key) ImportWrapped(a Algorithm, h Hash, blob []byte) (*Key, error) {
	h, err := h.forOAEP()
	if err != nil {
		return nil, err
	}
	material, err := k.unwrap(h, blob)
	if err != nil {
		return nil, err
	}
	defer clear(material)
	return Import(a, material)
}

func (k *Key) unwrap(h Hash, blob []byte) ([]byte, error) {
	if traits[k.alg].family != rsaKey {
		return nil, k.alg.cannot("unwrap keys")
	}
	if err := k.hold(); err != nil {
		return nil, err
	}
	defer k.release()
	at := k.rsa.Size()
	if len(blob) <= at || len(blob) > at+maxImport+aes.BlockSize {
		return nil, ErrDecrypt
	}
	ephemeral, err := decryptOAEP(k.rsa, h, blob[:at], nil)
	if err != nil {
		return nil, err
	}
	defer clear(ephemeral)
	if len(ephemeral) != ephemeralSize {
		return nil, ErrDecrypt
	}
	material, err := keywrap.UnwrapPadded(ephemeral, blob[at:])
	if err != nil {
		return nil, ErrDecrypt
	}
	return material, nil
}

// WrapForImport makes the blob that ImportWrapped takes, for the RSA public key in a PEM block of SubjectPublicKeyInfo. It runs where the material
// is, and wipes nothing of the caller's.
func WrapForImport(publicPEM []byte, h Hash, material []byte) ([]byte, error) {
	h, err := h.forOAEP()
	if err != nil {
		return nil, err
	}
	public, err := parseRSAPublic(publicPEM)
	if err != nil {
		return nil, err
	}
	ephemeral := make([]byte, ephemeralSize)
	rand.Read(ephemeral)
	defer clear(ephemeral)
	wrapped, err := keywrap.WrapPadded(ephemeral, material)
	if err != nil {
		return nil, err
	}
	out, err := rsa.EncryptOAEP(hashes[h].new(), rand.Reader, public, ephemeral, nil)
	if err != nil {
		return nil, fault.Bad("public_key", "the RSA key cannot wrap").Because(err)
	}
	return append(out, wrapped...), nil
}

func parseRSAPublic(publicPEM []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(publicPEM)
	if block == nil || block.Type != inSPKI {
		return nil, fault.Bad("public_key", "no PEM block of type %s", inSPKI)
	}
	return rsaPublic(block.Bytes)
}

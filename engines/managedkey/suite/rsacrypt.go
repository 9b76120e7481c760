package suite

import (
	"crypto/rand"
	"crypto/rsa"

	"github.com/trstctl/trstctl/fsm/fault"
)

// oaep returns the options of RSAES-OAEP (RFC 8017, section 7.1).
func (p *Params) oaep() (*rsa.OAEPOptions, error) {
	h, err := p.Hash.find()
	if err != nil {
		return nil, err
	}
	mgf, err := p.mgf()
	if err != nil {
		return nil, err
	}
	if err := tooLong("a label", p.PSource, MaxAssociated); err != nil {
		return nil, err
	}
	return &rsa.OAEPOptions{Hash: h.in, MGFHash: mgf.in, Label: p.PSource}, nil
}

// noIV refuses what an RSA key has no use for.
func (m *Message) noIV() error {
	if len(m.IV) != 0 {
		return fault.Bad("iv_counter_nonce", "RSA takes no IV")
	}
	return nil
}

func sealOAEP(k *Key, p *Params, m *Message) (Ciphertext, error) {
	o, err := p.oaep()
	if err == nil {
		err = m.noIV()
	}
	if err != nil {
		return Ciphertext{}, err
	}
	if most := k.rsaPublic.Size() - 2*o.Hash.Size() - 2; len(m.Data) > most {
		return Ciphertext{}, fault.Bad("data", "the key encrypts %d bytes at most with this hash", max(most, 0))
	}
	out, err := rsa.EncryptOAEPWithOptions(rand.Reader, k.rsaPublic, m.Data, o)
	if err != nil {
		return Ciphertext{}, fault.New(fault.Invalid, "the key cannot encrypt with these parameters").Because(err)
	}
	return Ciphertext{Data: out}, nil
}

func openOAEP(k *Key, p *Params, m *Message) ([]byte, error) {
	o, err := p.oaep()
	if err == nil {
		err = m.noIV()
	}
	if err != nil {
		return nil, err
	}
	return k.rsaDecrypt(m.Data, o)
}

func sealV15(k *Key, p *Params, m *Message) (Ciphertext, error) {
	if err := m.noIV(); err != nil {
		return Ciphertext{}, err
	}
	if most := k.rsaPublic.Size() - 11; len(m.Data) > most {
		return Ciphertext{}, fault.Bad("data", "the key encrypts %d bytes at most", most)
	}
	out, err := rsa.EncryptPKCS1v15(rand.Reader, k.rsaPublic, m.Data)
	if err != nil {
		return Ciphertext{}, fault.New(fault.Invalid, "the key cannot encrypt with these parameters").Because(err)
	}
	return Ciphertext{Data: out}, nil
}

func openV15(k *Key, p *Params, m *Message) ([]byte, error) {
	if p.Allow&PKCS1v15Decryption == 0 {
		return nil, fault.Bad("padding_method", "decryption with PKCS1 v1.5 padding is not open: use OAEP")
	}
	if err := m.noIV(); err != nil {
		return nil, err
	}
	return k.rsaDecrypt(m.Data, &rsa.PKCS1v15DecryptOptions{})
}

func (k *Key) rsaDecrypt(data []byte, options any) ([]byte, error) {
	if len(data) != k.rsa.Size() {
		return nil, ErrFailed
	}
	plain, err := k.rsa.Decrypt(rand.Reader, data, options)
	if err != nil {
		return nil, ErrFailed
	}
	return plain, nil
}

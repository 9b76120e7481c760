package suite

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"github.com/trstctl/trstctl/fsm/fault"
)

// blockMode is a mode of operation of SP 800-38A. Its functions work in place; data has whole blocks if the mode is padded.
type blockMode struct {
	needsIV          bool
	padded           bool
	encrypt, decrypt func(b cipher.Block, iv, data []byte)
}

var blockModes = map[Mode]blockMode{
	ECB: {false, true, func(b cipher.Block, _, data []byte) { eachBlock(b.Encrypt, b.BlockSize(), data) }, func(b cipher.Block, _, data []byte) {
		eachBlock(b.Decrypt, b.BlockSize(), data)
	}},
	CBC: {true, true, func(b cipher.Block, iv, data []byte) { cipher.NewCBCEncrypter(b, iv).CryptBlocks(data, data) }, func(b cipher.Block, iv, data []byte) {
		cipher.NewCBCDecrypter(b, iv).CryptBlocks(data, data)
	}},
	CTR: {true, false, counted, counted},
	CFB: {true, false, cfbEncrypt, cfbDecrypt},
	OFB: {true, false, ofb, ofb},
}

func eachBlock(crypt func(dst, src []byte), size int, data []byte) {
	for ; len(data) >= size; data = data[size:] {
		crypt(data[:size], data[:size])
	}
}

func counted(b cipher.Block, iv, data []byte) { cipher.NewCTR(b, iv).XORKeyStream(data, data) }

// cfbEncrypt feeds whole blocks back (CFB-128 of AES, CFB-64 of 3DES); the last one may be cut.
func cfbEncrypt(b cipher.Block, iv, data []byte) {
	stream, last := make([]byte, b.BlockSize()), iv
	for len(data) > 0 {
		b.Encrypt(stream, last)
		n := subtle.XORBytes(data, data, stream)
		last, data = data[:n], data[n:]
	}
	clear(stream)
}

func cfbDecrypt(b cipher.Block, iv, data []byte) {
	stream, last := make([]byte, b.BlockSize()), append([]byte(nil), iv...)
	for len(data) > 0 {
		b.Encrypt(stream, last)
		copy(last, data)
		n := subtle.XORBytes(data, data, stream)
		data = data[n:]
	}
	clear(stream)
}

func ofb(b cipher.Block, iv, data []byte) {
	stream := append([]byte(nil), iv...)
	for len(data) > 0 {
		b.Encrypt(stream, stream)
		n := subtle.XORBytes(data, data, stream)
		data = data[n:]
	}
	clear(stream)
}

// blockOf expands a key. 3DES with two keys uses the first one again (SP 800-67, section 3.2).
func blockOf(a Algorithm, key []byte) (block cipher.Block, err error) {
	if a == TripleDES {
		full := append(append(make([]byte, 0, 24), key...), key[:24-len(key)]...)
		defer clear(full)
		block, err = des.NewTripleDESCipher(full)
	} else {
		block, err = aes.NewCipher(key)
	}
	if err != nil {
		return nil, fmt.Errorf("expand a key: %w", err)
	}
	return block, nil
}

// sealBlock encrypts data, padded if the mode pads.
func sealBlock(k *Key, p *Params, m *Message) (Ciphertext, error) {
	mode := blockModes[p.Mode]
	block, err := blockOf(k.alg, k.secret)
	if err != nil {
		return Ciphertext{}, err
	}
	given := ivSize(p, block.BlockSize())
	if !mode.needsIV {
		given = 0
	}
	iv, made, err := p.iv(m, given, given)
	if err != nil {
		return Ciphertext{}, err
	}
	start, err := p.counter(iv, block.BlockSize(), len(m.Data))
	if err != nil {
		return Ciphertext{}, err
	}
	data, err := pad(p.Padding, m.Data, mode.size(block))
	if err != nil {
		return Ciphertext{}, err
	}
	mode.encrypt(block, start, data)
	return Ciphertext{Data: data, IV: made}, nil
}

// openBlock is not authenticated: what it returns of a changed ciphertext is changed too, unless the padding is wrong.
func openBlock(k *Key, p *Params, m *Message) ([]byte, error) {
	mode := blockModes[p.Mode]
	block, err := blockOf(k.alg, k.secret)
	if err != nil {
		return nil, err
	}
	given := ivSize(p, block.BlockSize())
	if !mode.needsIV {
		given = 0
	}
	iv, err := m.iv(given, given)
	if err != nil {
		return nil, err
	}
	start, err := p.counter(iv, block.BlockSize(), len(m.Data))
	if err != nil {
		return nil, err
	}
	if len(m.Data)%mode.size(block) != 0 {
		return nil, ErrFailed
	}
	data := append([]byte{}, m.Data...)
	mode.decrypt(block, start, data)
	return unpad(p.Padding, data, mode.size(block))
}

// size is what data must have a multiple of.
func (b blockMode) size(block cipher.Block) int {
	if b.padded {
		return block.BlockSize()
	}
	return 1
}

// ivSize is a block, or what the counter leaves of one.
func ivSize(p *Params, block int) int {
	if p.Mode == CTR && p.CounterLength > 0 && p.CounterLength <= 8*block {
		return block - p.CounterLength/8
	}
	return block
}

// counter makes the first counter block of CTR (SP 800-38A, appendix B): the nonce, and the counter in as many bits as CounterLength says, which must not
// run over. Without CounterLength the whole block counts. Other modes start with their IV.
func (p *Params) counter(iv []byte, block, size int) ([]byte, error) {
	if p.Mode != CTR || p.CounterLength == 0 {
		if p.Mode == CTR && p.InitialCounter != nil {
			return nil, fault.Bad("initial_counter_value", "without a counter length the whole IV is the counter")
		}
		return iv, nil
	}
	bits := p.CounterLength
	if bits < 8 || bits > 64 || bits%8 != 0 {
		return nil, fault.Bad("counter_length", "a counter has 8 to 64 bits, in whole bytes")
	}
	first := 1
	if p.InitialCounter != nil {
		first = *p.InitialCounter
	}
	most := ^uint64(0) >> (64 - bits)
	blocks := uint64((size + block - 1) / block)
	if first < 0 || uint64(first) > most || blocks > 0 && blocks-1 > most-uint64(first) {
		return nil, fault.Bad("counter_length", "the counter is too short for the initial value or for the data")
	}
	start := append(make([]byte, 0, block), iv...)
	return append(start, binary.BigEndian.AppendUint64(nil, uint64(first))[8-bits/8:]...), nil
}

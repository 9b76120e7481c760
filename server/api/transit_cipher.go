package api

import (
	"encoding/base64"

	"github.com/trstctl/trstctl/engines/transit"
	"github.com/trstctl/trstctl/engines/transit/primitive"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

// encryptItem is a message to be encrypted.
type encryptItem struct {
	Plaintext encoded `json:"plaintext" doc:"base64; about 6 MB, as much as the body takes; of an RSA key what fits"`
	bound
	Version uint64         `json:"key_version" doc:"0 or nothing: the latest"`
	Hash    primitive.Hash `json:"hash" doc:"of OAEP, RSA keys only: sha2-256, which is the default, sha2-384, sha2-512 or sha1"`
}

func (i *encryptItem) wipe() { i.Plaintext.wipe(); i.bound.wipe() }

type encryptBody struct {
	encryptItem
	Items []encryptItem `json:"items" doc:"a batch, instead of a single item"`
}

func (b *encryptBody) wipe() { b.encryptItem.wipe(); wipeItems(b.Items) }

// encrypted is a ciphertext: "trv:<version>:<base64>".
type encrypted struct {
	Ciphertext string     `json:"ciphertext,omitempty" doc:"trv:<version of the key>:<base64>"`
	Version    uint64     `json:"key_version,omitempty"`
	Error      *itemError `json:"error,omitempty" doc:"of an item of a batch, instead of the rest"`
}

type encryptAnswer struct {
	encrypted
	Items []encrypted `json:"items,omitempty" doc:"of a batch, instead of the rest"`
}

// tokenOut is the outcome of what makes a token, under its name.
type tokenOut struct {
	name    string
	token   []byte
	version uint64
	plain   []byte // beside it; nil: nothing
}

func (o *tokenOut) wipe()     { clear(o.plain) }
func (o *tokenOut) room() int { return 64 + len(o.token) + base64.StdEncoding.EncodedLen(len(o.plain)) }

func (o *tokenOut) appendJSON(b []byte) []byte {
	b = append(append(append(b, '{', '"'), o.name...), `":"`...)
	b = append(append(b, o.token...), `",`...)
	b = appendNumber(b, "key_version", o.version)
	if o.plain != nil {
		b = appendSecret(append(b, ','), "plaintext", o.plain)
	}
	return append(b, '}')
}

// token is the outcome of what made one.
func (c *call) token(name string, token []byte, err error) (outcomeOf, error) {
	if err != nil {
		return nil, err
	}
	return &tokenOut{name: name, token: token, version: c.made(token)}, nil
}

func encrypt(c *call) (any, error) {
	b := c.body.(*encryptBody)
	return onKey(c, &b.encryptItem, b.Items, func(u *transit.Use, it *encryptItem) (outcomeOf, error) {
		plaintext, err := it.Plaintext.must("plaintext")
		if err != nil {
			return nil, err
		}
		with, err := it.with()
		if err != nil {
			return nil, err
		}
		with.Hash = it.Hash
		token, err := u.Encrypt(c.ctx, nil, it.Version, with, plaintext)
		return c.token("ciphertext", token, err)
	})
}

// decryptItem is a ciphertext to be opened.
type decryptItem struct {
	Ciphertext strictjson.Text `json:"ciphertext" doc:"as it was given"`
	bound
	Hash primitive.Hash `json:"hash" doc:"as it was when it was encrypted"`
	Bits uint64         `json:"bits" doc:"of an encapsulated data key; default 256"`
}

type decryptBody struct {
	decryptItem
	Items []decryptItem `json:"items" doc:"a batch, instead of a single item"`
}

func (b *decryptBody) wipe() { b.bound.wipe(); wipeItems(b.Items) }

type decrypted struct {
	Plaintext strictjson.Base64 `json:"plaintext,omitempty"`
	Error     *itemError        `json:"error,omitempty" doc:"of an item of a batch, instead of the rest"`
}

type decryptAnswer struct {
	decrypted
	Items []decrypted `json:"items,omitempty" doc:"of a batch, instead of the rest"`
}

// plainOut is the outcome of what gives bytes, under their name.
type plainOut struct {
	name  string
	plain []byte
}

func (o *plainOut) wipe()     { clear(o.plain) }
func (o *plainOut) room() int { return 32 + base64.StdEncoding.EncodedLen(len(o.plain)) }

func (o *plainOut) appendJSON(b []byte) []byte {
	return append(appendSecret(append(b, '{'), o.name, o.plain), '}')
}

func decrypt(c *call) (any, error) {
	b := c.body.(*decryptBody)
	return onKey(c, &b.decryptItem, b.Items, func(u *transit.Use, it *decryptItem) (outcomeOf, error) {
		plain, err := it.open(u)
		if err != nil {
			return nil, err
		}
		c.made(it.Ciphertext)
		return &plainOut{"plaintext", plain}, nil
	})
}

// open decrypts, or decapsulates if that is what the key does.
func (i *decryptItem) open(u *transit.Use) ([]byte, error) {
	if err := needed("ciphertext", i.Ciphertext); err != nil {
		return nil, err
	}
	with, err := i.with()
	if err != nil {
		return nil, err
	}
	with.Hash = i.Hash
	if !u.Encapsulates() {
		if i.Bits != 0 {
			return nil, fault.Bad("bits", "go with a key that encapsulates data keys")
		}
		return u.Decrypt(nil, with, i.Ciphertext)
	}
	size, err := bytesOf(i.Bits)
	if err != nil {
		return nil, err
	}
	return u.Decapsulate(with, size, i.Ciphertext)
}

// rewrapItem is a ciphertext to be encrypted anew.
type rewrapItem struct {
	Ciphertext strictjson.Text `json:"ciphertext" doc:"as it was given"`
	bound
	Version uint64         `json:"key_version" doc:"of the new one; 0 or nothing: the latest"`
	Hash    primitive.Hash `json:"hash" doc:"as it was when it was encrypted, and will be"`
}

type rewrapBody struct {
	rewrapItem
	Items []rewrapItem `json:"items" doc:"a batch, instead of a single item"`
}

func (b *rewrapBody) wipe() { b.bound.wipe(); wipeItems(b.Items) }

func rewrap(c *call) (any, error) {
	b := c.body.(*rewrapBody)
	return onKey(c, &b.rewrapItem, b.Items, func(u *transit.Use, it *rewrapItem) (outcomeOf, error) {
		if err := needed("ciphertext", it.Ciphertext); err != nil {
			return nil, err
		}
		with, err := it.with()
		if err != nil {
			return nil, err
		}
		with.Hash = it.Hash
		token, err := u.Rewrap(c.ctx, nil, it.Version, with, it.Ciphertext)
		return c.token("ciphertext", token, err)
	})
}

// dataKeyItem asks for a data key.
type dataKeyItem struct {
	Bits uint64 `json:"bits" doc:"128 to 512; default 256"`
	bound
	Version uint64 `json:"key_version" doc:"0 or nothing: the latest"`
}

type dataKeyBody struct {
	dataKeyItem
	Items []dataKeyItem `json:"items" doc:"a batch, instead of a single item"`
}

func (b *dataKeyBody) wipe() { b.bound.wipe(); wipeItems(b.Items) }

type dataKeyMade struct {
	Plaintext  strictjson.Base64 `json:"plaintext,omitempty" doc:"the data key"`
	Ciphertext string            `json:"ciphertext,omitempty" doc:"what gives it back: decrypt it"`
	Version    uint64            `json:"key_version,omitempty"`
	Error      *itemError        `json:"error,omitempty" doc:"of an item of a batch, instead of the rest"`
}

type dataKeyAnswer struct {
	dataKeyMade
	Items []dataKeyMade `json:"items,omitempty" doc:"of a batch, instead of the rest"`
}

func dataKey(c *call) (any, error)      { return c.dataKeys(false) }
func plainDataKey(c *call) (any, error) { return c.dataKeys(true) }

func (c *call) dataKeys(show bool) (any, error) {
	b := c.body.(*dataKeyBody)
	return onKey(c, &b.dataKeyItem, b.Items, func(u *transit.Use, it *dataKeyItem) (outcomeOf, error) {
		size, err := bytesOf(it.Bits)
		if err != nil {
			return nil, err
		}
		with, err := it.with()
		if err != nil {
			return nil, err
		}
		key, token, err := u.DataKey(c.ctx, it.Version, with, size)
		if err != nil {
			return nil, err
		}
		out := &tokenOut{name: "ciphertext", token: token, version: c.made(token), plain: key}
		if !show {
			clear(key)
			out.plain = nil
		}
		return out, nil
	})
}

const defaultBits = 256

// bytesOf is the size of a data key.
func bytesOf(bits uint64) (int, error) {
	if bits == 0 {
		bits = defaultBits
	}
	if bits%8 != 0 || bits < 128 || bits > 512 {
		return 0, fault.Bad("bits", "are 128 to 512, a multiple of 8")
	}
	return int(bits / 8), nil
}

// needed refuses an item that lacks what it is about.
func needed(field string, v []byte) error {
	if v == nil {
		return fault.Bad(field, "is missing")
	}
	return nil
}

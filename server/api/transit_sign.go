package api

import (
	"cmp"

	"github.com/trstctl/trstctl/engines/transit"
	"github.com/trstctl/trstctl/engines/transit/primitive"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

// signing says how. Signing and verifying take the same.
type signing struct {
	Hash      primitive.Hash     `json:"hash" doc:"sha2-256, sha2-384 or sha2-512; default: what goes with the key"`
	Prehashed bool               `json:"prehashed" doc:"the input is the digest; with an Ed25519 key of SHA-512, for Ed25519ph"`
	Encoding  primitive.Encoding `json:"encoding" doc:"of an ECDSA signature: asn1, which is the default, or jws (r and s in full width)"`
	Scheme    primitive.Scheme   `json:"scheme" doc:"of an RSA key: pss, which is the default, or pkcs1v15"`
	Salt      primitive.Salt     `json:"salt" doc:"of pss: hash, which is the default, or auto"`
}

func (s signing) how() primitive.Signing {
	return primitive.Signing{Hash: s.Hash, Prehashed: s.Prehashed, Encoding: s.Encoding, Scheme: s.Scheme, Salt: s.Salt}
}

type signItem struct {
	Input   encoded `json:"input" doc:"base64"`
	Version uint64  `json:"key_version" doc:"0 or nothing: the latest"`
	signing
}

func (i *signItem) wipe() { i.Input.wipe() }

type signBody struct {
	signItem
	Items []signItem `json:"items" doc:"a batch, instead of a single item"`
}

func (b *signBody) wipe() { b.signItem.wipe(); wipeItems(b.Items) }

type signed struct {
	Signature string     `json:"signature,omitempty" doc:"trv:<version of the key>:<base64>"`
	Version   uint64     `json:"key_version,omitempty"`
	Error     *itemError `json:"error,omitempty" doc:"of an item of a batch, instead of the rest"`
}

type signAnswer struct {
	signed
	Items []signed `json:"items,omitempty" doc:"of a batch, instead of the rest"`
}

func sign(c *call) (any, error) {
	b := c.body.(*signBody)
	return onKey(c, &b.signItem, b.Items, func(u *transit.Use, it *signItem) (outcomeOf, error) {
		input, err := it.Input.must("input")
		if err != nil {
			return nil, err
		}
		token, err := u.Sign(nil, it.Version, it.how(), input)
		return c.token("signature", token, err)
	})
}

// verifyItem has a signature, or an HMAC.
type verifyItem struct {
	Input     encoded         `json:"input" doc:"base64"`
	Signature strictjson.Text `json:"signature" doc:"as it was given"`
	MAC       strictjson.Text `json:"hmac" doc:"as it was given; instead of a signature"`
	signing
}

func (i *verifyItem) wipe() { i.Input.wipe() }

type verifyBody struct {
	verifyItem
	Items []verifyItem `json:"items" doc:"a batch, instead of a single item"`
}

func (b *verifyBody) wipe() { b.verifyItem.wipe(); wipeItems(b.Items) }

type verified struct {
	Valid *bool      `json:"valid,omitempty"`
	Error *itemError `json:"error,omitempty" doc:"of an item of a batch, instead of the rest"`
}

type useVerifyAnswer struct {
	verified
	Items []verified `json:"items,omitempty" doc:"of a batch, instead of the rest"`
}

// validity is the outcome of a verification.
type validity bool

func (validity) wipe()     {}
func (validity) room() int { return 16 }

func (v validity) appendJSON(b []byte) []byte {
	if v {
		return append(b, `{"valid":true}`...)
	}
	return append(b, `{"valid":false}`...)
}

func verify(c *call) (any, error) {
	b := c.body.(*verifyBody)
	return onKey(c, &b.verifyItem, b.Items, func(u *transit.Use, it *verifyItem) (outcomeOf, error) {
		valid, err := it.verify(u)
		if err != nil {
			return nil, err
		}
		c.made(it.token())
		return validity(valid), nil
	})
}

func (i *verifyItem) token() []byte {
	if i.MAC != nil {
		return i.MAC
	}
	return i.Signature
}

func (i *verifyItem) verify(u *transit.Use) (bool, error) {
	input, err := i.Input.must("input")
	switch {
	case err != nil:
		return false, err
	case (i.Signature == nil) == (i.MAC == nil):
		return false, fault.Bad("signature", "send a signature or an hmac")
	case i.MAC == nil:
		return u.Verify(i.how(), input, i.Signature)
	case i.Prehashed || i.Encoding != "" || i.Scheme != "" || i.Salt != "":
		return false, fault.Bad("hmac", "goes with input and hash alone")
	}
	return u.VerifyMAC(i.Hash, input, i.MAC)
}

type macItem struct {
	Input   encoded        `json:"input" doc:"base64"`
	Version uint64         `json:"key_version" doc:"0 or nothing: the latest"`
	Hash    primitive.Hash `json:"hash" doc:"sha2-256, which is the default, sha2-384 or sha2-512; an HMAC key has its own"`
}

func (i *macItem) wipe() { i.Input.wipe() }

type macBody struct {
	macItem
	Items []macItem `json:"items" doc:"a batch, instead of a single item"`
}

func (b *macBody) wipe() { b.macItem.wipe(); wipeItems(b.Items) }

type macMade struct {
	MAC     string     `json:"hmac,omitempty" doc:"trv:<version of the key>:<base64>"`
	Version uint64     `json:"key_version,omitempty"`
	Error   *itemError `json:"error,omitempty" doc:"of an item of a batch, instead of the rest"`
}

type macAnswer struct {
	macMade
	Items []macMade `json:"items,omitempty" doc:"of a batch, instead of the rest"`
}

func makeMAC(c *call) (any, error) {
	b := c.body.(*macBody)
	return onKey(c, &b.macItem, b.Items, func(u *transit.Use, it *macItem) (outcomeOf, error) {
		input, err := it.Input.must("input")
		if err != nil {
			return nil, err
		}
		token, err := u.MAC(nil, it.Version, it.Hash, input)
		return c.token("hmac", token, err)
	})
}

type hashItem struct {
	Input encoded        `json:"input" doc:"base64"`
	Hash  primitive.Hash `json:"hash" doc:"sha2-224 to sha2-512, sha3-224 to sha3-512; default sha2-256"`
}

func (i *hashItem) wipe() { i.Input.wipe() }

type hashBody struct {
	hashItem
	Items []hashItem `json:"items" doc:"a batch, instead of a single item"`
}

func (b *hashBody) wipe() { b.hashItem.wipe(); wipeItems(b.Items) }

type hashed struct {
	Sum   []byte     `json:"sum,omitempty" doc:"base64"`
	Error *itemError `json:"error,omitempty" doc:"of an item of a batch, instead of the rest"`
}

type hashAnswer struct {
	hashed
	Items []hashed `json:"items,omitempty" doc:"of a batch, instead of the rest"`
}

func hash(c *call) (any, error) {
	b := c.body.(*hashBody)
	return each(c, &b.hashItem, b.Items, func(it *hashItem) (outcomeOf, error) {
		input, err := it.Input.must("input")
		if err != nil {
			return nil, err
		}
		sum, err := primitive.Sum(nil, cmp.Or(it.Hash, primitive.SHA256), input)
		return &plainOut{"sum", sum}, err
	})
}

type randomItem struct {
	Bytes uint64 `json:"bytes" doc:"1 to 131,072; default 32"`
}

func (*randomItem) wipe() {}

type randomBody struct {
	randomItem
	Items []randomItem `json:"items" doc:"a batch, instead of a single item; 1 MiB in all"`
}

type randomMade struct {
	Random strictjson.Base64 `json:"random,omitempty"`
	Error  *itemError        `json:"error,omitempty" doc:"of an item of a batch, instead of the rest"`
}

type randomAnswer struct {
	randomMade
	Items []randomMade `json:"items,omitempty" doc:"of a batch, instead of the rest"`
}

const (
	defaultRandom = 32
	maxRandom     = 1 << 20 // bytes of a batch
)

func random(c *call) (any, error) {
	b := c.body.(*randomBody)
	left := uint64(maxRandom)
	return each(c, &b.randomItem, b.Items, func(it *randomItem) (outcomeOf, error) {
		n := cmp.Or(it.Bytes, defaultRandom)
		if n > left {
			return nil, fault.Bad("bytes", "are more than a batch may draw, %d", maxRandom)
		}
		left -= n
		out, err := primitive.Random(int(n))
		return &plainOut{"random", out}, err
	})
}

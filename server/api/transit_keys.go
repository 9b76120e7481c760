package api

import (
	"cmp"
	"encoding/pem"
	"strconv"
	"time"

	"github.com/trstctl/trstctl/engines/transit"
	"github.com/trstctl/trstctl/engines/transit/primitive"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

// period is a duration that may be zero, for never.
type period time.Duration

// UnmarshalText reads "720h" or "0s"; nothing negative.
func (p *period) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err == nil && (d < 0 || d%time.Second != 0) {
		err = fault.New(fault.Invalid, "a period is not negative, and of whole seconds")
	}
	*p = period(d)
	return err
}

// Describe names what is wanted.
func (period) Describe() string {
	return `a duration in whole seconds such as "720h", or "0s" for never,`
}

// keySettings are what a key has from the beginning, or gets later.
type keySettings struct {
	Exportable *bool   `json:"exportable" doc:"its material may leave; later only with sudo"`
	Deletable  *bool   `json:"deletion_allowed" doc:"it may be deleted"`
	Rotatable  *bool   `json:"rotation_allowed" doc:"of an imported key: it may get versions that are made here"`
	Period     *period `json:"auto_rotate_period" doc:"an hour to ten years; 0s: never"`
}

func (s keySettings) change() transit.Change {
	return transit.Change{Exportable: s.Exportable, Deletable: s.Deletable, Rotatable: s.Rotatable, RotateEvery: (*time.Duration)(s.Period)}
}

// keyVersion names a version of a key: the one that was made, or the latest.
type keyVersion struct {
	Name    string `json:"name"`
	Version uint64 `json:"version"`
}

func changedKey(d transit.Done, _ fsm.Receipt, err error) (any, error) {
	return keyVersion{d.Name, d.Version}, err
}

// keyBody is a key to be made.
type keyBody struct {
	Algorithm  primitive.Algorithm `json:"algorithm" doc:"default aes256-gcm"`
	Derived    bool                `json:"derived" doc:"each use takes a context"`
	Convergent bool                `json:"convergent_encryption" doc:"the same plaintext under the same context gives the same ciphertext; with derived"`
	keySettings
}

func (b *keyBody) spec(name string) transit.Spec {
	return transit.Spec{Name: name, Algorithm: cmp.Or(b.Algorithm, primitive.AES256GCM), Derived: b.Derived, Convergent: b.Convergent, Change: b.change()}
}

func createKey(c *call) (any, error) {
	return changedKey(c.api.opt.Transit.Create(c.ctx, c.req, c.body.(*keyBody).spec(c.path)))
}

func deleteKey(c *call) (any, error) {
	return changedKey(c.api.opt.Transit.Delete(c.ctx, c.req, c.path))
}

func rotateKey(c *call) (any, error) {
	return changedKey(c.api.opt.Transit.Rotate(c.ctx, c.req, c.path))
}

type configureBody struct {
	MinDecrypt *uint64 `json:"min_decryption_version" doc:"versions below it decrypt and verify nothing"`
	MinEncrypt *uint64 `json:"min_encryption_version" doc:"versions below it encrypt and sign nothing; 0: the latest does"`
	keySettings
}

// when makes sudo a need of what reaches back to all that the key has encrypted.
func (b *configureBody) when(what string) bool { return b.Exportable != nil && *b.Exportable }

func configureKey(c *call) (any, error) {
	b := c.body.(*configureBody)
	change := b.change()
	change.MinDecrypt, change.MinEncrypt = b.MinDecrypt, b.MinEncrypt
	return changedKey(c.api.opt.Transit.Configure(c.ctx, c.req, c.path, change, b.when("exportable"))) // which was asked for sudo
}

type trimBody struct {
	Below uint64 `json:"min_available_version" strict:"required" doc:"the first version that stays"`
}

func trimKey(c *call) (any, error) {
	return changedKey(c.api.opt.Transit.Trim(c.ctx, c.req, c.path, c.body.(*trimBody).Below))
}

// importKeyBody is a key that was made elsewhere.
type importKeyBody struct {
	keyBody
	Wrapped strictjson.Base64 `json:"wrapped_key" doc:"RSA-OAEP, to the wrapping key, of an AES-256 key, and behind it AES-KWP of the material under that"`
	Key     strictjson.Base64 `json:"key" doc:"the material itself; instead of wrapped_key, with sudo"`
	Hash    primitive.Hash    `json:"hash" doc:"of OAEP: sha2-256, which is the default, sha2-384, sha2-512 or sha1"`
	Next    bool              `json:"next_version" doc:"the key is there, and was imported: this is its next version"`
}

func (b *importKeyBody) wipe() { clear(b.Wrapped); clear(b.Key) }

// when makes sudo a need of sending the material in clear.
func (b *importKeyBody) when(string) bool { return b.Key != nil }

func (b *importKeyBody) check() error {
	switch {
	case (b.Key == nil) == (b.Wrapped == nil):
		return fault.Bad("wrapped_key", "send wrapped_key, or key with sudo")
	case b.Key != nil && b.Hash != 0:
		return fault.Bad("hash", "goes with wrapped_key")
	case b.Next && (b.Derived || b.Convergent || b.keySettings != keySettings{}):
		return fault.Bad("next_version", "a key that is there has its settings: configure changes them")
	}
	return nil
}

func importKey(c *call) (any, error) {
	b := c.body.(*importKeyBody)
	k, err := c.imported(b)
	if err != nil {
		return nil, err
	}
	if b.Next {
		return changedKey(c.api.opt.Transit.ImportVersion(c.ctx, c.req, c.path, k))
	}
	return changedKey(c.api.opt.Transit.Import(c.ctx, c.req, b.spec(c.path), k))
}

func (c *call) imported(b *importKeyBody) (k *primitive.Key, err error) {
	algorithm := cmp.Or(b.Algorithm, primitive.AES256GCM)
	if b.Key != nil {
		return primitive.Import(algorithm, b.Key)
	}
	err = c.inView(func(v *fsm.View) error {
		k, err = c.api.opt.Uses.Unwrap(v, c.tenant, algorithm, b.Hash, b.Wrapped)
		return err
	})
	return k, err
}

// keyInfo describes a key; it holds nothing secret.
type keyInfo struct {
	Name       string   `json:"name"`
	UID        fsm.UID  `json:"uid" doc:"by which its ciphertexts know it; no other key ever has it"`
	Algorithm  string   `json:"algorithm"`
	Operations []string `json:"operations" doc:"what it can do"`
	Derived    bool     `json:"derived"`
	Convergent bool     `json:"convergent_encryption"`
	Imported   bool     `json:"imported"`
	Exportable bool     `json:"exportable"`
	Deletable  bool     `json:"deletion_allowed"`
	Rotatable  bool     `json:"rotation_allowed" doc:"it gets versions that are made here"`
	Period     string   `json:"auto_rotate_period,omitempty"`
	MinDecrypt uint64   `json:"min_decryption_version"`
	MinEncrypt uint64   `json:"min_encryption_version"`
	Oldest     uint64   `json:"min_available_version" doc:"versions below it were trimmed"`
	Latest     uint64   `json:"latest_version"`
	Public     string   `json:"public_key,omitempty" doc:"of the latest version: SubjectPublicKeyInfo in PEM"`
	Created    fsm.Time `json:"created_at"`
	By         string   `json:"created_by"`
	Rotated    fsm.Time `json:"rotated_at"`
	Restored   fsm.Time `json:"restored_at,omitempty"`
}

func keyOf(i transit.Info) (keyInfo, error) {
	a, err := primitive.ParseAlgorithm(i.Algorithm)
	out := keyInfo{Name: i.Name, UID: i.UID, Algorithm: i.Algorithm, Operations: a.Operations(), Derived: i.Derived, Convergent: i.Convergent, Imported: i.Imported,
		Exportable: i.Exportable, Deletable: i.Deletable, Rotatable: i.Rotatable || !i.Imported, MinDecrypt: i.MinDecrypt, MinEncrypt: i.MinEncrypt,
		Oldest: i.Oldest, Latest: i.Latest, Created: i.Created, By: i.By, Rotated: i.Rotated, Restored: i.Restored}
	if i.RotateEvery > 0 {
		out.Period = (time.Duration(i.RotateEvery) * time.Second).String()
	}
	return out, err
}

func readKey(c *call) (any, error) {
	i, err := transit.Get(c.view, c.tenant, c.path)
	if err != nil {
		return nil, err
	}
	latest, _, err := transit.Versions(c.view, c.tenant, c.path, 0, 1)
	if err != nil {
		return nil, err
	}
	out, err := keyOf(i)
	if len(latest) > 0 {
		out.Public = publicPEM(latest[0].Public)
	}
	return out, err
}

// publicPEM is SubjectPublicKeyInfo in PEM; nothing of nothing.
func publicPEM(der []byte) string {
	if len(der) == 0 {
		return ""
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

type keysAnswer struct {
	Items []keyInfo `json:"items" doc:"without public keys"`
	Next  string    `json:"next_cursor"`
}

func listKeys(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	page := func(after string, limit int) ([]transit.Info, string, error) {
		return transit.List(c.view, c.tenant, after, limit)
	}
	found, next, err := shown(c.params["cursor"], limit, page, func(i transit.Info) string { return i.Name },
		func(name string) bool { return c.session.Forbids("transit/keys/" + name) })
	out := keysAnswer{Items: make([]keyInfo, len(found)), Next: next}
	for i := 0; i < len(found) && err == nil; i++ {
		out.Items[i], err = keyOf(found[i])
	}
	return out, err
}

type keyVersionItem struct {
	Version  uint64   `json:"version"`
	Public   string   `json:"public_key,omitempty"`
	Messages uint64   `json:"messages_reserved,omitempty" doc:"that nodes may have encrypted under it, where their number is bounded"`
	Created  fsm.Time `json:"created_at"`
	By       string   `json:"created_by"`
}

type keyVersionsAnswer struct {
	Name  string           `json:"name"`
	Items []keyVersionItem `json:"items"`
	Next  string           `json:"next_cursor"`
}

func listKeyVersions(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	before, err := c.number("cursor", 0)
	if err != nil {
		return nil, err
	}
	found, next, err := transit.Versions(c.view, c.tenant, c.path, before, limit)
	out := keyVersionsAnswer{Name: c.path, Items: make([]keyVersionItem, 0, len(found))}
	for _, v := range found {
		out.Items = append(out.Items, keyVersionItem{v.Number, publicPEM(v.Public), v.Reserved, v.At, v.By})
	}
	if next > 0 {
		out.Next = strconv.FormatUint(next, 10)
	}
	return out, err
}

package api

import (
	"encoding/base64"
	"encoding/pem"

	"github.com/trstctl/trstctl/engines/transit"
	"github.com/trstctl/trstctl/engines/transit/primitive"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

// wrappingAnswer is the public half of a tenant's wrapping key.
type wrappingAnswer struct {
	Public  string `json:"public_key" doc:"RSA, SubjectPublicKeyInfo in PEM"`
	Version uint64 `json:"version"`
}

func ensureWrapping(c *call) (any, error) {
	_, _, err := c.api.opt.Transit.EnsureWrapping(c.ctx, c.req)
	return c.wrappingKey(err)
}

func rotateWrapping(c *call) (any, error) {
	_, _, err := c.api.opt.Transit.RotateWrapping(c.ctx, c.req)
	return c.wrappingKey(err)
}

func (c *call) wrappingKey(err error) (any, error) {
	if err != nil {
		return nil, err
	}
	var out wrappingAnswer
	err = c.inView(func(v *fsm.View) error {
		latest, err := transit.Wrapping(v, c.tenant)
		out = wrappingAnswer{publicPEM(latest.Public), latest.Number}
		return err
	})
	return out, err
}

// materialAnswer is the private material of a version.
type materialAnswer struct {
	Key     strictjson.Base64 `json:"key" doc:"in its format; base64 also of pem"`
	Name    string            `json:"name"`
	Version uint64            `json:"version"`
	Format  string            `json:"format"`
}

func (a *materialAnswer) wipe() { clear(a.Key) }

func (a *materialAnswer) appendJSON([]byte) []byte {
	b := make([]byte, 0, 256+6*len(a.Name)+base64.StdEncoding.EncodedLen(len(a.Key)))
	b = appendSecret(append(b, '{'), "key", a.Key)
	b = appendField(append(b, ','), "name", a.Name)
	b = appendNumber(append(b, ','), "version", a.Version)
	return append(appendField(append(b, ','), "format", a.Format), '}')
}

func exportKey(c *call) (any, error) {
	version, err := c.number("version", 0)
	if err != nil {
		return nil, err
	}
	u, err := c.api.opt.Uses.Use(c.view, c.tenant, c.path)
	if err != nil {
		return nil, err
	}
	defer u.Close()
	format := primitive.Format(c.params["format"])
	if format == "" {
		if format = primitive.Raw; u.Asymmetric() {
			format = primitive.PEM
		}
	}
	key, number, err := u.Export(version, format)
	if err != nil {
		return nil, err
	}
	c.version = number
	return &materialAnswer{key, c.path, number, string(format)}, nil
}

// backupAnswer is a key that only who has a private wrapping key can read.
type backupAnswer struct {
	Backup []byte `json:"backup"`
	Name   string `json:"name"`
}

func backupKey(c *call) (any, error) {
	return c.saved(func(u *transit.Use) ([]byte, error) { return u.Backup() })
}

type exportBody struct {
	Public string `json:"public_key" strict:"required" doc:"the wrapping key of the tenant that restores it: SubjectPublicKeyInfo in PEM"`
}

func exportWrapped(c *call) (any, error) {
	block, _ := pem.Decode([]byte(c.body.(*exportBody).Public))
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, fault.Bad("public_key", "is no PEM block of type PUBLIC KEY")
	}
	return c.saved(func(u *transit.Use) ([]byte, error) { return u.ExportTo(block.Bytes) })
}

func (c *call) saved(save func(*transit.Use) ([]byte, error)) (any, error) {
	u, err := c.api.opt.Uses.Use(c.view, c.tenant, c.path)
	if err != nil {
		return nil, err
	}
	defer u.Close()
	b, err := save(u)
	if err != nil {
		return nil, err
	}
	return backupAnswer{b, c.path}, nil
}

type restoreBody struct {
	Backup strictjson.Base64 `json:"backup" strict:"required"`
}

func restoreKey(c *call) (any, error) {
	var b *transit.Restored
	err := c.inView(func(v *fsm.View) (err error) {
		b, err = c.api.opt.Uses.Open(v, c.tenant, c.body.(*restoreBody).Backup)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer b.Wipe()
	return changedKey(c.api.opt.Transit.Restore(c.ctx, c.req, c.path, b))
}

package api

import (
	"cmp"
	"encoding/json"

	"github.com/trstctl/trstctl/engines/acme"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

type acmeBody struct {
	Open bool `json:"open" doc:"accounts need no key: whoever reaches the node may order what the role allows, once it has proved the names"`
}

type acmeAnswer struct {
	Role     string   `json:"role"`
	Path     string   `json:"path" doc:"of the directory, below the API's address: what clients are given"`
	Open     bool     `json:"open"`
	Accounts uint64   `json:"accounts"`
	Written  fsm.Time `json:"written_at"`
	By       string   `json:"written_by"`
}

func acmeOf(d acme.Directory) acmeAnswer {
	return acmeAnswer{d.Role, "/acme/" + d.UID.String() + "/directory", d.Open, d.Accounts, d.Written, d.By}
}

func readACME(c *call) (any, error) {
	d, err := acme.GetDirectory(c.view, c.tenant, c.path)
	return acmeOf(d), err
}

func writeACME(c *call) (any, error) {
	d, _, err := c.api.opt.ACME.WriteDirectory(c.ctx, c.req, c.path, c.body.(*acmeBody).Open)
	return acmeOf(d), err
}

func deleteACME(c *call) (any, error) {
	_, err := c.api.opt.ACME.DeleteDirectory(c.ctx, c.req, c.path)
	return named{c.path}, err
}

type acmeKeyBody struct {
	Identity string `json:"identity" doc:"as whom the account orders, where the role's patterns have ${identity}; nothing: the caller's own. Another's takes sudo"`
}

// when makes sudo a need of who names somebody.
func (b *acmeKeyBody) when(string) bool { return b.Identity != "" }

type acmeKey struct {
	KID     string   `json:"kid"`
	Expires fsm.Time `json:"expires_at" doc:"unless it has opened an account before"`
}

// acmeKeyAnswer is the one answer that holds the key.
type acmeKeyAnswer struct {
	Key strictjson.Text `json:"hmac_key" doc:"base64url"`
	acmeKey
}

func (a *acmeKeyAnswer) wipe() { clear(a.Key) }

// appendJSON writes the key in front of the rest, so that it passes through no string and is in one buffer alone.
func (a *acmeKeyAnswer) appendJSON([]byte) []byte {
	rest, _ := json.Marshal(a.acmeKey) // text always can be written
	b := append(make([]byte, 0, 64+2*len(a.Key)+len(rest)), `{"hmac_key":`...)
	b = append(strictjson.AppendString(b, a.Key), ',')
	return append(b, rest[1:]...)
}

func makeACMEKey(c *call) (any, error) {
	k, _, err := c.api.opt.ACME.MakeKey(c.ctx, c.req, c.path, cmp.Or(c.body.(*acmeKeyBody).Identity, c.session.Token.Identity), c.key)
	if err != nil {
		return nil, err
	}
	return &acmeKeyAnswer{strictjson.Text(k.Secret), acmeKey{k.KID, k.Expires}}, nil
}

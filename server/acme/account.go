package acme

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/go-jose/go-jose/v4"

	"github.com/trstctl/trstctl/engines/acme"
	"github.com/trstctl/trstctl/fsm/fault"
)

func (c *call) directory() error {
	return c.send(http.StatusOK, map[string]any{"newNonce": c.url("new-nonce"), "newAccount": c.url("new-account"), "newOrder": c.url("new-order"), "revokeCert": c.url("revoke-cert"),
		"keyChange": c.url("key-change"), "meta": map[string]any{"externalAccountRequired": !c.in.Open}})
}

func (c *call) newNonce() error {
	if c.r.Method == http.MethodHead {
		return c.send(http.StatusOK, nil)
	}
	return c.send(http.StatusNoContent, nil)
}

// accountBody is an account as clients send it and read it.
type accountBody struct {
	Contact  *[]string       `json:"contact,omitempty"`
	Status   string          `json:"status,omitempty"`
	Existing bool            `json:"onlyReturnExisting,omitempty"`
	Binding  json.RawMessage `json:"externalAccountBinding,omitempty"`
}

func (c *call) sendAccount(status int, a acme.Account) error {
	out := accountBody{Status: "valid", Contact: &a.Contacts}
	if a.Ended {
		out.Status = "deactivated"
	}
	if len(a.Contacts) == 0 {
		out.Contact = nil
	}
	c.w.Header().Set("Location", c.url("account", a.UID.String()))
	return c.send(status, out)
}

func (c *call) newAccount() error {
	clean, thumb, err := c.byKey()
	if err != nil {
		return err
	}
	var b accountBody
	if err := c.body(&b); err != nil {
		return err
	}
	if b.Existing {
		a, err := acme.ByKey(c.view, c.in, thumb)
		if err != nil {
			return err
		}
		return c.sendAccount(http.StatusOK, a)
	}
	o := acme.Opening{JWK: clean, Thumb: thumb}
	if b.Contact != nil {
		o.Contacts = *b.Contact
	}
	if err := c.bind(&o, b.Binding); err != nil {
		return err
	}
	a, made, err := c.Engine.Open(c.r.Context(), c.in, o)
	if err != nil {
		return err
	}
	if made {
		return c.sendAccount(http.StatusCreated, a)
	}
	return c.sendAccount(http.StatusOK, a)
}

// bind reads an external account binding: a JWS over the account's own key (RFC 8555, section 7.3.4).
func (c *call) bind(o *acme.Opening, raw json.RawMessage) error {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil
	}
	m, err := parse(raw, bindings)
	if err != nil {
		return err
	}
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(m.payload); err != nil {
		return malformed("the external account binding is not over a key")
	}
	_, thumb, err := publicKey(&key)
	switch {
	case err != nil:
		return err
	case m.kid == "" || m.nonce != "" || m.url != c.sent.url:
		return malformed("the external account binding has a kid, no nonce, and the URL of the request")
	case thumb != o.Thumb:
		return malformed("the external account binding is over another key")
	}
	o.KID = m.kid
	o.Verify = func(secret []byte) (bool, error) {
		_, err := m.signed.Verify(secret)
		return err == nil, nil
	}
	return nil
}

func (c *call) account() error {
	a, err := c.byAccount()
	if err != nil {
		return err
	}
	if c.r.PathValue("id") != a.UID.String() {
		return acme.Refuse(fault.Denied, "unauthorized", "the account is another's")
	}
	if c.reads() {
		return c.sendAccount(http.StatusOK, a)
	}
	var b accountBody
	if err := c.body(&b); err != nil {
		return err
	}
	if b.Status != "" && b.Status != "deactivated" && b.Status != "valid" {
		return malformed("an account becomes deactivated, and nothing else")
	}
	a, err = c.Engine.ChangeAccount(c.r.Context(), c.in, a, acme.Change{Contacts: b.Contact, End: b.Status == "deactivated"})
	if err != nil {
		return err
	}
	return c.sendAccount(http.StatusOK, a)
}

// keyChange gives an account another key, which signs that it is meant (RFC 8555, section 7.3.5).
func (c *call) keyChange() error {
	a, err := c.byAccount()
	if err != nil {
		return err
	}
	inner, err := parse(c.sent.payload, algorithms)
	if err != nil {
		return err
	}
	clean, thumb, err := publicKey(inner.jwk)
	if err == nil {
		err = inner.verify(inner.jwk)
	}
	if err != nil {
		return err
	}
	var b struct {
		Account string          `json:"account"`
		OldKey  jose.JSONWebKey `json:"oldKey"`
	}
	if err := json.Unmarshal(inner.payload, &b); err != nil {
		return malformed("the inner payload is not what it should be")
	}
	_, old, err := publicKey(&b.OldKey)
	if err != nil {
		return err
	}
	if inner.url != c.sent.url || b.Account != c.sent.kid || old != a.Thumb || inner.nonce != "" {
		return malformed("the inner JWS has the URL of the outer one, no nonce, and the account with the key that it has")
	}
	a, err = c.Engine.ChangeAccount(c.r.Context(), c.in, a, acme.Change{JWK: clean, Thumb: thumb})
	if err != nil {
		return err
	}
	return c.sendAccount(http.StatusOK, a)
}

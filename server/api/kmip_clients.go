package api

import (
	"crypto/x509/pkix"
	"encoding/asn1"

	"github.com/trstctl/trstctl/engines/kmipclient"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// kmipClient describes a client; it holds nothing secret.
type kmipClient struct {
	Name     string   `json:"name"`
	UID      fsm.UID  `json:"uid" doc:"no other client ever has it"`
	Role     string   `json:"role"`
	State    string   `json:"state" doc:"active; suspended, until it is confirmed after a restore of the cluster; or revoked"`
	Password bool     `json:"password" doc:"it has a username and password"`
	Username string   `json:"username,omitempty"`
	Device   bool     `json:"device" doc:"it has a device credential"`
	Serial   string   `json:"device_serial_number,omitempty"`
	Created  fsm.Time `json:"created_at"`
	By       string   `json:"created_by"`
	Revoked  fsm.Time `json:"revoked_at,omitempty"`
	Expires  fsm.Time `json:"expires_at,omitempty" doc:"the last of its certificates; left out: never, or not known"`
}

func kmipClientOf(i kmipclient.Info) kmipClient {
	return kmipClient{Name: i.Name, UID: i.UID, Role: i.Role, State: string(i.State), Password: i.Password, Username: i.Username, Device: i.Device, Serial: i.Serial,
		Created: i.Created, By: i.By, Revoked: i.Revoked, Expires: i.Expires}
}

// kmipBinding is one of the things that a client is or was known by.
type kmipBinding struct {
	Number      uint64   `json:"number"`
	Kind        string   `json:"kind" doc:"issued, request, certificate, fingerprint, public-key or subject"`
	Fingerprint string   `json:"fingerprint,omitempty" doc:"SHA-256 of the certificate"`
	PublicKey   string   `json:"public_key_fingerprint,omitempty" doc:"SHA-256 of its SubjectPublicKeyInfo"`
	CA          *fsm.UID `json:"ca_uid,omitempty" doc:"of the CA that issued it, or vouches for it"`
	Subject     string   `json:"subject,omitempty" doc:"for people; of kind subject"`
	Raw         []byte   `json:"subject_der,omitempty" doc:"the same as it is compared: an RDNSequence"`
	Certificate string   `json:"certificate,omitempty" doc:"PEM, if it is known"`
	Expires     fsm.Time `json:"expires_at,omitempty" doc:"the certificate; left out: not known"`
	Ends        fsm.Time `json:"ends_at,omitempty" doc:"when it is good no more, since the client was renewed"`
	Revoked     fsm.Time `json:"revoked_at,omitempty"`
	At          fsm.Time `json:"created_at"`
	By          string   `json:"created_by"`
}

func kmipBindingOf(b kmipclient.Binding) kmipBinding {
	out := kmipBinding{Number: b.Number, Kind: b.Kind.String(), Fingerprint: printed(b.Print), PublicKey: printed(b.PublicKey), Subject: distinguished(b.Subject), Raw: b.Subject,
		Certificate: certificatePEM(b.Certificate), Expires: b.Expires, Ends: b.Ends, Revoked: b.Revoked, At: b.At, By: b.By}
	if !b.CA.IsZero() {
		out.CA = &b.CA
	}
	return out
}

// printed is a fingerprint in hexadecimal digits; nothing of one that is not known.
func printed(f kmipclient.Fingerprint) string {
	if f == (kmipclient.Fingerprint{}) {
		return ""
	}
	return f.String()
}

// distinguished writes a distinguished name as RFC 2253 does, for people.
func distinguished(der []byte) string {
	var names pkix.RDNSequence
	if _, err := asn1.Unmarshal(der, &names); err != nil {
		return ""
	}
	return toValid(names.String())
}

type kmipClientAnswer struct {
	kmipClient
	Bindings []kmipBinding `json:"bindings" doc:"oldest first, 16 at most"`
}

func readKMIPClient(c *call) (any, error) {
	i, err := kmipclient.Get(c.view, c.tenant, c.path)
	if err != nil {
		return nil, err
	}
	all, err := kmipclient.Bindings(c.view, c.tenant, c.path)
	out := kmipClientAnswer{kmipClientOf(i), make([]kmipBinding, len(all))}
	for i, b := range all {
		out.Bindings[i] = kmipBindingOf(b)
	}
	return out, err
}

type kmipClientsAnswer struct {
	Items []kmipClient `json:"items" doc:"without what they are known by"`
	Next  string       `json:"next_cursor"`
}

func listKMIPClients(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	page := func(after string, limit int) ([]kmipclient.Info, string, error) {
		return kmipclient.List(c.view, c.tenant, after, limit)
	}
	found, next, err := shown(c.params["cursor"], limit, page, func(i kmipclient.Info) string { return i.Name },
		func(name string) bool { return c.session.Forbids("kmip/clients/" + name) })
	out := kmipClientsAnswer{Items: make([]kmipClient, len(found)), Next: next}
	for i, f := range found {
		out.Items[i] = kmipClientOf(f)
	}
	return out, err
}

// kmipNamed names a client that something was done to.
type kmipNamed struct {
	Name string  `json:"name"`
	UID  fsm.UID `json:"uid"`
}

func changedClient(n kmipclient.Named, _ fsm.Receipt, err error) (any, error) {
	return kmipNamed{n.Name, n.UID}, err
}

// kmipConfigureBody is what is to become of a client.
type kmipConfigureBody struct {
	Role         *string `json:"role"`
	DropPassword bool    `json:"remove_password"`
	DropDevice   bool    `json:"remove_device"`
	kmipCredentials
}

// names makes read on a role a need of giving it.
func (b *kmipConfigureBody) names(string) []string {
	if b.Role == nil {
		return nil
	}
	return []string{*b.Role}
}

func (b *kmipConfigureBody) check() error {
	switch {
	case b.Password != nil && b.DropPassword:
		return fault.Bad("remove_password", "does not go with password")
	case b.Device != nil && b.DropDevice:
		return fault.Bad("remove_device", "does not go with device")
	case b.Role != nil:
		return checkRole(*b.Role)
	}
	return nil
}

// checkRole bounds the name of a role before policies see it.
func checkRole(name string) error {
	if kmipclient.ValidName(name) != nil {
		return fault.Bad("role", "is not the name of a role")
	}
	return nil
}

func configureKMIPClient(c *call) (any, error) {
	b := c.body.(*kmipConfigureBody)
	change := kmipclient.Change{Role: b.Role, Password: b.Password.engine(), Device: b.Device.engine(), DropPassword: b.DropPassword, DropDevice: b.DropDevice}
	return changedClient(c.api.opt.KMIP.Configure(c.ctx, c.req, c.path, change))
}

func deleteKMIPClient(c *call) (any, error) {
	return changedClient(c.api.opt.KMIP.Delete(c.ctx, c.req, c.path))
}

func revokeKMIPClient(c *call) (any, error) {
	return changedClient(c.api.opt.KMIP.Revoke(c.ctx, c.req, c.path))
}

type kmipBindingBody struct {
	Number uint64 `json:"number" strict:"required" doc:"of the client's binding"`
}

func revokeKMIPBinding(c *call) (any, error) {
	return changedClient(c.api.opt.KMIP.RevokeBinding(c.ctx, c.req, c.path, c.body.(*kmipBindingBody).Number))
}

func confirmKMIPClient(c *call) (any, error) {
	return changedClient(c.api.opt.KMIP.Confirm(c.ctx, c.req, c.path))
}

func confirmKMIPClients(c *call) (any, error) {
	_, err := c.api.opt.KMIP.ConfirmAll(c.ctx, c.req)
	return nothing{}, err
}

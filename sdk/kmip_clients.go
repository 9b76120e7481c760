package sdk

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// KMIPClient describes a client of KMIP's; nothing in it is secret.
type KMIPClient struct {
	Name      string    `json:"name"`
	UID       string    `json:"uid"` // no other client ever has it
	Role      string    `json:"role"`
	State     string    `json:"state"`    // active; suspended, until it is confirmed after a restore of the cluster; or revoked
	Password  bool      `json:"password"` // it has a username and password
	Username  string    `json:"username,omitempty"`
	Device    bool      `json:"device"` // it has a device credential
	Serial    string    `json:"device_serial_number,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // the last of its certificates; zero: never, or not known
}

// KMIPBinding is one of the things that a client is or was known by.
type KMIPBinding struct {
	Number      uint64    `json:"number"`
	Kind        string    `json:"kind"`                             // issued, request, certificate, fingerprint, public-key or subject
	Fingerprint string    `json:"fingerprint,omitempty"`            // SHA-256 of the certificate
	PublicKey   string    `json:"public_key_fingerprint,omitempty"` // SHA-256 of its SubjectPublicKeyInfo
	CA          string    `json:"ca_uid,omitempty"`                 // of the CA that issued it, or vouches for it
	Subject     string    `json:"subject,omitempty"`                // for people; of kind subject
	SubjectDER  []byte    `json:"subject_der,omitempty"`            // the same as it is compared: an RDNSequence
	Certificate string    `json:"certificate,omitempty"`            // PEM, if it is known
	ExpiresAt   time.Time `json:"expires_at,omitzero"`              // the certificate; zero: not known
	EndsAt      time.Time `json:"ends_at,omitzero"`                 // when it is good no more, since the client was renewed
	RevokedAt   time.Time `json:"revoked_at,omitzero"`
	CreatedAt   time.Time `json:"created_at"`
	CreatedBy   string    `json:"created_by"`
}

// KMIPClientDetail is a client with what it is known by, oldest first, 16 at most.
type KMIPClientDetail struct {
	KMIPClient
	Bindings []KMIPBinding `json:"bindings"`
}

// KMIPClients lists the tenant's clients that the token may see.
func (c *Client) KMIPClients(ctx context.Context, s Slice) (p Page[KMIPClient], err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: api + "/kmip/clients", query: url.Values(s.params())}, &p)
	return p, err
}

// KMIPClient describes a client.
func (c *Client) KMIPClient(ctx context.Context, name string) (d KMIPClientDetail, err error) {
	err = c.onClient(ctx, request{method: http.MethodGet}, name, "", &d)
	return d, err
}

// KMIPNamed names a client that something was done to.
type KMIPNamed struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

// KMIPPassword is a username and password (KMIP 1.4, 2.1.2).
type KMIPPassword struct {
	Username string
	Password Secret // 8 to 1,024 bytes; the caller's to clear
}

// KMIPDevice is a device credential (KMIP 1.4, 2.1.2). What a client shows must be the same in all fields.
type KMIPDevice struct {
	Serial   string
	Password Secret // the caller's to clear
	ID       string
	Network  string
	Machine  string
	Media    string
}

// KMIPCredentials are what a client shows beside its certificate. What is nil it has not, or is left as it is.
type KMIPCredentials struct {
	Password *KMIPPassword
	Device   *KMIPDevice
}

type passwordWire struct {
	Username string `json:"username"`
	Password Text   `json:"password"`
}

type deviceWire struct {
	Serial   string `json:"serial_number,omitempty"`
	Password Text   `json:"password,omitempty"`
	ID       string `json:"device_identifier,omitempty"`
	Network  string `json:"network_identifier,omitempty"`
	Machine  string `json:"machine_identifier,omitempty"`
	Media    string `json:"media_identifier,omitempty"`
}

type credentialsWire struct {
	Password *passwordWire `json:"password,omitempty"`
	Device   *deviceWire   `json:"device,omitempty"`
}

func (k KMIPCredentials) wire() (out credentialsWire) {
	if p := k.Password; p != nil {
		out.Password = &passwordWire{p.Username, Text(p.Password)}
	}
	if d := k.Device; d != nil {
		out.Device = &deviceWire{d.Serial, Text(d.Password), d.ID, d.Network, d.Machine, d.Media}
	}
	return out
}

// KMIPChange is what is to become of a client. What is left out stays as it is.
type KMIPChange struct {
	Role           string // one that the token may read
	RemovePassword bool
	RemoveDevice   bool
	KMIPCredentials
}

// ConfigureKMIPClient changes a client's role and credentials, at once.
func (c *Client) ConfigureKMIPClient(ctx context.Context, name string, k KMIPChange) (KMIPNamed, error) {
	return c.changeClient(ctx, http.MethodPatch, name, "", struct {
		Role           string `json:"role,omitempty"`
		RemovePassword bool   `json:"remove_password,omitempty"`
		RemoveDevice   bool   `json:"remove_device,omitempty"`
		credentialsWire
	}{k.Role, k.RemovePassword, k.RemoveDevice, k.wire()})
}

// RevokeKMIPClient ends a client for ever, with all that it is known by: once this returns, every node that is up to date refuses it.
func (c *Client) RevokeKMIPClient(ctx context.Context, name string) (KMIPNamed, error) {
	return c.changeClient(ctx, http.MethodPost, name, "/revoke", struct{}{})
}

// RevokeKMIPBinding ends one of the things that a client is known by, for ever.
func (c *Client) RevokeKMIPBinding(ctx context.Context, name string, number uint64) (KMIPNamed, error) {
	return c.changeClient(ctx, http.MethodPost, name, "/bindings/revoke", map[string]uint64{"number": number})
}

// DeleteKMIPClient removes a client from the lists and frees its name. What it was known by is never bound to another.
func (c *Client) DeleteKMIPClient(ctx context.Context, name string) (KMIPNamed, error) {
	return c.changeClient(ctx, http.MethodDelete, name, "", nil)
}

// ConfirmKMIPClient lets in a client of before a restore of the cluster. It revives none that was revoked.
func (c *Client) ConfirmKMIPClient(ctx context.Context, name string) (KMIPNamed, error) {
	return c.changeClient(ctx, http.MethodPost, name, "/confirm", struct{}{})
}

// ConfirmKMIPClients lets in all clients of before a restore of the cluster: what was revoked after the backup may be among them.
func (c *Client) ConfirmKMIPClients(ctx context.Context) error {
	return c.do(ctx, request{method: http.MethodPost, path: api + "/kmip/confirm", body: struct{}{}, kind: mutates}, nil)
}

func (c *Client) changeClient(ctx context.Context, method, name, verb string, body any) (n KMIPNamed, err error) {
	err = c.onClient(ctx, request{method: method, body: body, kind: mutates}, name, verb, &n)
	return n, err
}

func (c *Client) onClient(ctx context.Context, r request, name, verb string, out any) error {
	target, err := joinName(api+"/kmip/clients", "name", name)
	if err != nil {
		return err
	}
	r.path = target + verb
	return c.do(ctx, r, out)
}

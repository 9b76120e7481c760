package api

import (
	"encoding/json"
	"time"

	"github.com/trstctl/trstctl/engines/kmipclient"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

// kmipPassword is the credential Username and Password (KMIP 1.4, 2.1.2).
type kmipPassword struct {
	Username string          `json:"username" strict:"required"`
	Password strictjson.Text `json:"password" strict:"required" doc:"8 to 1,024 bytes"`
}

func (p *kmipPassword) engine() *kmipclient.Password {
	if p == nil {
		return nil
	}
	return &kmipclient.Password{Username: p.Username, Password: kmipclient.Secret(p.Password)}
}

// kmipDevice is the credential Device (KMIP 1.4, 2.1.2).
type kmipDevice struct {
	Serial   string          `json:"serial_number"`
	Password strictjson.Text `json:"password"`
	ID       string          `json:"device_identifier"`
	Network  string          `json:"network_identifier"`
	Machine  string          `json:"machine_identifier"`
	Media    string          `json:"media_identifier"`
}

func (d *kmipDevice) engine() *kmipclient.Device {
	if d == nil {
		return nil
	}
	return &kmipclient.Device{Serial: d.Serial, Password: kmipclient.Secret(d.Password), ID: d.ID, Network: d.Network, Machine: d.Machine, Media: d.Media}
}

// kmipCredentials are what a client shows beside its certificate.
type kmipCredentials struct {
	Password *kmipPassword `json:"password" doc:"what the client shows beside its certificate; it is stored as a verifier alone"`
	Device   *kmipDevice   `json:"device" doc:"the same, as a device credential: the client shows exactly these fields"`
}

func (k *kmipCredentials) wipe() {
	if k.Password != nil {
		clear(k.Password.Password)
	}
	if k.Device != nil {
		clear(k.Device.Password)
	}
}

// kmipSource is by what a client is to be known. Without any of the first six a key is made here. They are bytes so that an empty one is not none.
type kmipSource struct {
	CSR         strictjson.Text   `json:"csr" doc:"a PKCS#10 request in PEM, for which a certificate is issued; the names in it are ignored"`
	Certificate strictjson.Text   `json:"certificate" doc:"from elsewhere, in PEM"`
	Fingerprint strictjson.Text   `json:"fingerprint" doc:"SHA-256 of a certificate from elsewhere, in hexadecimal digits, with colons or without"`
	PublicKey   strictjson.Text   `json:"public_key_fingerprint" doc:"SHA-256 of a SubjectPublicKeyInfo: any valid certificate for that key"`
	Pending     strictjson.Text   `json:"pending_public_key_fingerprint" doc:"SHA-256 of the SubjectPublicKeyInfo of a certificate that presented itself (see /kmip/pending), as its owner reads it off the device: that certificate"`
	Subject     strictjson.Base64 `json:"subject_der" doc:"a distinguished name (RDNSequence in DER), from the external CA that ca names"`
	CA          string            `json:"ca" doc:"name of an external CA; with subject_der"`
	Algorithm   string            `json:"algorithm" doc:"of a key that is made here: rsa-2048, which is the default, rsa-3072 or ec-p256"`
	TTL         span              `json:"ttl" doc:"of a certificate that is issued here: a minute to ten years, default one year"`
}

// given counts by how many things the client would be known.
func (s *kmipSource) given() (n int) {
	for _, b := range [][]byte{s.CSR, s.Certificate, s.Fingerprint, s.PublicKey, s.Pending, s.Subject} {
		if b != nil {
			n++
		}
	}
	return n
}

func (s *kmipSource) check() error {
	n := s.given()
	switch {
	case n > 1:
		return fault.New(fault.Invalid, "a client is known by one of csr, certificate, fingerprint, public_key_fingerprint, pending_public_key_fingerprint and subject_der, or by a key that is made here")
	case s.Algorithm != "" && n > 0:
		return fault.Bad("algorithm", "goes with a key that is made here")
	case s.TTL != 0 && n > 0 && s.CSR == nil:
		return fault.Bad("ttl", "goes with a certificate that is issued here")
	case (s.CA != "") != (s.Subject != nil):
		return fault.Bad("ca", "goes with subject_der, and names the external CA")
	case s.CA != "" && kmipclient.ValidName(s.CA) != nil:
		return fault.Bad("ca", "is not the name of an external CA")
	}
	return nil
}

// engine is what the engine binds; waitingFor looks for a certificate that presented itself.
func (s *kmipSource) engine(waitingFor func(kmipclient.Fingerprint) ([]byte, error)) (kmipclient.Source, error) {
	life := time.Duration(s.TTL)
	switch {
	case s.CSR != nil:
		return kmipclient.ForRequest(s.CSR, life)
	case s.Certificate != nil:
		return kmipclient.ByCertificate(s.Certificate)
	case s.Fingerprint != nil:
		return byPrint("fingerprint", s.Fingerprint, kmipclient.ByFingerprint)
	case s.PublicKey != nil:
		return byPrint("public_key_fingerprint", s.PublicKey, kmipclient.ByPublicKey)
	case s.Pending != nil:
		return byPrint("pending_public_key_fingerprint", s.Pending, func(key kmipclient.Fingerprint) (kmipclient.Source, error) {
			certificate, err := waitingFor(key)
			if err != nil {
				return kmipclient.Source{}, err
			}
			return kmipclient.ByPresented(certificate)
		})
	case s.Subject != nil:
		return kmipclient.BySubject(s.CA, s.Subject)
	}
	return kmipclient.MakeKey(kmipclient.Algorithm(s.Algorithm), life)
}

func byPrint(field string, text []byte, by func(kmipclient.Fingerprint) (kmipclient.Source, error)) (kmipclient.Source, error) {
	f, err := kmipclient.ParseFingerprint(string(text))
	if err != nil {
		return kmipclient.Source{}, fault.Bad(field, "is a SHA-256 in 64 hexadecimal digits, with colons between bytes or without")
	}
	return by(f)
}

// kmipEnrolBody is a client to be made.
type kmipEnrolBody struct {
	Role *string `json:"role" doc:"nothing: default"`
	kmipSource
	kmipCredentials
}

// names makes read on the role a need: nobody gives what they may not even see.
func (b *kmipEnrolBody) names(string) []string { return []string{b.role()} }

// role is the one that was sent, also an empty one, which is refused.
func (b *kmipEnrolBody) role() string {
	if b.Role == nil {
		return kmipclient.DefaultRole
	}
	return *b.Role
}

func (b *kmipEnrolBody) check() error {
	if err := checkRole(b.role()); err != nil {
		return err
	}
	return b.kmipSource.check()
}

func enrolKMIPClient(c *call) (any, error) {
	b := c.body.(*kmipEnrolBody)
	by, err := b.engine(c.waitingFor)
	if err != nil {
		return nil, err
	}
	n := kmipclient.Enrolment{Name: c.path, Role: b.role(), By: by, Password: b.Password.engine(), Device: b.Device.engine()}
	return issuedClient(c.api.opt.KMIP.Enrol(c.ctx, c.req, n, c.key))
}

// kmipRenewBody is by what a client is to be known as well.
type kmipRenewBody struct {
	Overlap *period `json:"overlap" doc:"after which it is not known any more by what it was known by before: 365 days at most; nothing: that stays good until it expires or is revoked"`
	kmipSource
}

func renewKMIPClient(c *call) (any, error) {
	b := c.body.(*kmipRenewBody)
	by, err := b.engine(c.waitingFor)
	if err != nil {
		return nil, err
	}
	return issuedClient(c.api.opt.KMIP.Renew(c.ctx, c.req, c.path, by, (*time.Duration)(b.Overlap), c.key))
}

// kmipIssuance says by what a client is known from now on.
type kmipIssuance struct {
	Client      string   `json:"name"`
	UID         fsm.UID  `json:"uid"`
	Role        string   `json:"role"`
	Number      uint64   `json:"number" doc:"of the binding"`
	Kind        string   `json:"kind" doc:"issued, request, certificate, fingerprint, public-key or subject"`
	Certificate string   `json:"certificate,omitempty" doc:"PEM, if it is known"`
	CA          string   `json:"ca_certificate,omitempty" doc:"PEM, of the CA that issued it here"`
	Fingerprint string   `json:"fingerprint,omitempty" doc:"SHA-256 of the certificate"`
	PublicKey   string   `json:"public_key_fingerprint,omitempty"`
	Expires     fsm.Time `json:"expires_at,omitempty" doc:"the certificate; left out: not known"`
}

// kmipIssued is the one answer that holds a client's private key.
type kmipIssued struct {
	Key strictjson.Text `json:"private_key,omitempty" doc:"PKCS#8 in PEM, of a key that was made here: it is shown this once"`
	kmipIssuance
}

func issuedClient(i kmipclient.Issued, _ fsm.Receipt, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return &kmipIssued{strictjson.Text(i.Key), kmipIssuance{Client: i.Client, UID: i.UID, Role: i.Role, Number: i.Number, Kind: i.Kind.String(), Certificate: certificatePEM(i.Certificate),
		CA: certificatePEM(i.CA), Fingerprint: printed(i.Print), PublicKey: printed(i.PublicKey), Expires: i.Expires}}, nil
}

func (i *kmipIssued) wipe() { clear(i.Key) }

// appendJSON writes the key in front of the rest, so that it passes through no string and is in one buffer alone.
func (i *kmipIssued) appendJSON([]byte) []byte {
	rest, _ := json.Marshal(i.kmipIssuance) // text and numbers always can be written
	if len(i.Key) == 0 {
		return rest
	}
	b := append(make([]byte, 0, 64+2*len(i.Key)+len(rest)), `{"private_key":`...)
	b = append(strictjson.AppendString(b, i.Key), ',')
	return append(b, rest[1:]...)
}

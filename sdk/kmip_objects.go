package sdk

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// KMIPObject describes a managed object; it never holds material.
type KMIPObject struct {
	ID               string    `json:"id"`
	Type             string    `json:"type"`            // as KMIP names it without spaces, such as SymmetricKey
	State            string    `json:"state"`           // PreActive, Active, Deactivated, Compromised, Destroyed or DestroyedCompromised
	Owner            string    `json:"owner,omitempty"` // UID of the client that made it
	Names            []string  `json:"names"`
	Groups           []string  `json:"groups"` // object groups
	Algorithm        string    `json:"algorithm,omitempty"`
	Length           uint64    `json:"length,omitempty"` // in bits
	Usage            []string  `json:"usage"`            // of its cryptographic usage mask
	Sensitive        bool      `json:"sensitive"`
	Extractable      bool      `json:"extractable"`
	Archived         bool      `json:"archived"`
	RevocationReason string    `json:"revocation_reason,omitempty"`
	CreatedAt        time.Time `json:"created_at"`
	ActivationDate   time.Time `json:"activation_date,omitzero"`
	ProcessStartDate time.Time `json:"process_start_date,omitzero"`
	ProtectStopDate  time.Time `json:"protect_stop_date,omitzero"`
	DeactivationDate time.Time `json:"deactivation_date,omitzero"`
	CompromiseDate   time.Time `json:"compromise_date,omitzero"`
	DestroyDate      time.Time `json:"destroy_date,omitzero"`
	LastChangeDate   time.Time `json:"last_change_date,omitzero"`
}

// KMIPObjects lists the tenant's managed objects that the token may see, newest first and the destroyed after the others.
func (c *Client) KMIPObjects(ctx context.Context, s Slice) (p Page[KMIPObject], err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: api + "/kmip/objects", query: url.Values(s.params())}, &p)
	return p, err
}

// KMIPObject describes a managed object.
func (c *Client) KMIPObject(ctx context.Context, id string) (o KMIPObject, err error) {
	target, err := joinName(api+"/kmip/objects", "id", id)
	if err != nil {
		return o, err
	}
	err = c.do(ctx, request{method: http.MethodGet, path: target}, &o)
	return o, err
}

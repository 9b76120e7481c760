package kmipclient

import (
	"crypto/x509"
	"regexp"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Limits.
const (
	maxClients  = 10_000 // of a tenant
	maxBindings = 16     // of a client
	maxOverlap  = 365 * 24 * time.Hour
)

var validName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// ValidName checks the name of a client, role or external CA: 1 to 128 letters, digits, dots, dashes and underscores, but not "." or "..", which no path keeps.
func ValidName(name string) error {
	if !validName.MatchString(name) || name == "." || name == ".." {
		return fault.Bad("name", "a name is 1 to 128 letters, digits, '.', '-' and '_', and neither \".\" nor \"..\"")
	}
	return nil
}

func notFound(name string) error {
	return fault.New(fault.NotFound, "there is no KMIP client %q", name)
}

// decideEnrol lets a tenant have another client.
func decideEnrol(name string, taken bool, held uint64) error {
	switch {
	case taken:
		return fault.New(fault.Conflict, "there is a KMIP client %q", name)
	case held >= maxClients:
		return fault.New(fault.Limit, "the tenant has %d KMIP clients, the most it may", maxClients)
	}
	return nil
}

// decideRenew lets a client be known by something else as well.
func decideRenew(c clientRow) error {
	if c.Revoked > 0 {
		return fault.New(fault.Conflict, "client %q is revoked, which is for ever: enrol another", c.Name)
	}
	return nil
}

// decideRoom says what a client is known by no more, once it has as much as it may.
func decideRoom(all []numbered, now fsm.Time) (dropped []uint64, err error) {
	if len(all) < maxBindings {
		return nil, nil
	}
	for _, b := range all {
		if b.dead(now) {
			dropped = append(dropped, b.number)
		}
	}
	if len(dropped) == 0 {
		return nil, fault.New(fault.Limit, "the client has %d certificates and other bindings that are good, the most it may: revoke one", maxBindings)
	}
	return dropped, nil
}

// decideSubject returns the external CA of a name that may vouch for a client, and its own subject.
func decideSubject(all []CA, name string, now fsm.Time) (CA, []byte, error) {
	for _, ca := range all {
		if ca.Kind != ExternalCA || ca.Name != name {
			continue
		}
		if past(ca.Expires, now) {
			return CA{}, nil, fault.New(fault.Conflict, "CA %q has expired: register its newer certificate under the same name", name)
		}
		c, err := x509.ParseCertificate(ca.Certificate)
		if err != nil {
			return CA{}, nil, fault.New(fault.Corrupt, "the certificate of CA %q cannot be read", name).Because(err)
		}
		return ca, c.RawSubject, nil
	}
	return CA{}, nil, fault.New(fault.NotFound, "there is no external KMIP CA %q", name)
}

// decideRevoke refuses what was revoked already; number 0 stands for the client.
func decideRevoke(c clientRow, all []numbered, number uint64) error {
	if c.Revoked > 0 {
		return fault.New(fault.Conflict, "client %q is revoked", c.Name)
	}
	if number == 0 {
		return nil
	}
	for _, b := range all {
		switch {
		case b.number != number:
		case b.Revoked > 0:
			return fault.New(fault.Conflict, "binding %d of client %q is revoked", number, c.Name)
		default:
			return nil
		}
	}
	return notBound(c.Name, number)
}

func notBound(name string, number uint64) error {
	return fault.New(fault.NotFound, "client %q has no binding %d", name, number)
}

package acme

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/trstctl/trstctl/fsm/fault"
)

// maxProof bounds what is read of a proof by HTTP, in bytes: it has some hundred.
const maxProof = 4 << 10

// Probe proves names by looking where they lead.
type Probe struct {
	Resolver *net.Resolver                                                        // names are looked up as they are, without search domains
	Dial     func(ctx context.Context, network, address string) (net.Conn, error) // by address: names are resolved here
}

// Prove implements Prover.
func (p Probe) Prove(ctx context.Context, kind ProofKind, name, token, authorization string) error {
	switch kind {
	case HTTP:
		return p.http(ctx, name, token, authorization)
	case DNS:
		return p.dns(ctx, name, authorization)
	case ALPN:
		return p.alpn(ctx, name, authorization)
	}
	return Refuse(fault.Invalid, "malformed", "there is no challenge %q", kind)
}

// reach connects to the first address of a name that answers.
func (p Probe) reach(ctx context.Context, name, port string) (net.Conn, error) {
	all, err := p.Resolver.LookupNetIP(ctx, "ip", name+".")
	if err != nil || len(all) == 0 {
		return nil, Refuse(fault.Invalid, "dns", "no address was found for %s: %s", name, told(err))
	}
	var failed []string
	for _, a := range all[:min(len(all), 4)] {
		c, err := p.Dial(ctx, "tcp", net.JoinHostPort(a.Unmap().String(), port))
		if err == nil {
			return c, nil
		}
		failed = append(failed, told(err))
	}
	return nil, Refuse(fault.Invalid, "connection", "no connection to port %s of %s: %s", port, name, strings.Join(failed, "; "))
}

// told is what may be said of a failure to a client: where it happened it knows.
func told(err error) string {
	var f *fault.Error
	var d *net.DNSError
	switch {
	case err == nil:
		return "there is none"
	case errors.As(err, &f):
		return "the address is not one that this server connects to"
	case errors.As(err, &d) && d.IsNotFound:
		return "no such name"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	}
	for e := errors.Unwrap(err); e != nil; e = errors.Unwrap(err) {
		err = e
	}
	return err.Error()
}

// http looks for a file (RFC 8555, section 8.3). Redirects are not followed: they would lead to where nobody has looked whether the node may go.
func (p Probe) http(ctx context.Context, name, token, authorization string) error {
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return p.reach(ctx, name, "80") }},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	where := "http://" + name + "/.well-known/acme-challenge/" + token
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "trstctl-acme")
	resp, err := client.Do(req)
	var known *Problem
	if errors.As(err, &known) {
		return known
	}
	if err != nil {
		return Refuse(fault.Invalid, "connection", "%s cannot be fetched: %s", where, told(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return Refuse(fault.Invalid, "unauthorized", "%s answers with status %d (redirects are not followed)", where, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxProof))
	if err != nil {
		return Refuse(fault.Invalid, "connection", "%s cannot be read: %s", where, told(err))
	}
	if !equal(strings.TrimRight(string(body), " \t\r\n"), authorization) {
		return Refuse(fault.Invalid, "unauthorized", "%s has something else than the proof", where)
	}
	return nil
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// dns looks for a record (RFC 8555, section 8.4).
func (p Probe) dns(ctx context.Context, name, authorization string) error {
	sum := sha256.Sum256([]byte(authorization))
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	where := "_acme-challenge." + name
	all, err := p.Resolver.LookupTXT(ctx, where+".")
	if err != nil {
		return Refuse(fault.Invalid, "dns", "the TXT records of %s cannot be had: %s", where, told(err))
	}
	for _, text := range all {
		if equal(text, want) {
			return nil
		}
	}
	return Refuse(fault.Invalid, "unauthorized", "of the %d TXT records of %s none is the proof", len(all), where)
}

const alpnProtocol = "acme-tls/1"

var oidIdentifier = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}

// alpn looks for a certificate (RFC 8737, section 3).
func (p Probe) alpn(ctx context.Context, name, authorization string) error {
	raw, err := p.reach(ctx, name, "443")
	if err != nil {
		return err
	}
	defer raw.Close()
	c := tls.Client(raw, &tls.Config{ServerName: name, NextProtos: []string{alpnProtocol}, MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}) // it signs itself: what is in it counts
	if err := c.HandshakeContext(ctx); err != nil {
		return Refuse(fault.Invalid, "tls", "no TLS with %s: %s", name, told(err))
	}
	state := c.ConnectionState()
	if state.NegotiatedProtocol != alpnProtocol || len(state.PeerCertificates) == 0 {
		return Refuse(fault.Invalid, "unauthorized", "%s does not speak %s", name, alpnProtocol)
	}
	if err := certifies(state.PeerCertificates[0], name, authorization); err != nil {
		return Refuse(fault.Invalid, "unauthorized", "the certificate of %s is not the proof: %v", name, err)
	}
	return nil
}

func certifies(c *x509.Certificate, name, authorization string) error {
	if len(c.DNSNames) != 1 || !strings.EqualFold(c.DNSNames[0], name) || len(c.IPAddresses)+len(c.EmailAddresses)+len(c.URIs) > 0 {
		return errors.New("it is for other names")
	}
	sum := sha256.Sum256([]byte(authorization))
	for _, x := range c.Extensions {
		if !x.Id.Equal(oidIdentifier) {
			continue
		}
		var got []byte
		if rest, err := asn1.Unmarshal(x.Value, &got); err != nil || len(rest) > 0 || !x.Critical {
			return fmt.Errorf("its acmeIdentifier is not critical, or cannot be read")
		}
		if subtle.ConstantTimeCompare(got, sum[:]) == 1 {
			return nil
		}
		return errors.New("its acmeIdentifier is another's")
	}
	return errors.New("it has no acmeIdentifier")
}

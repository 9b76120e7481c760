package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// leaf is a certificate that a role describes.
func (r Role) leaf(n names, public crypto.PublicKey, now time.Time, ttl time.Duration) *x509.Certificate {
	t := &x509.Certificate{SerialNumber: newSerial(), NotBefore: now.Add(-backdate).Truncate(time.Second), NotAfter: now.Add(ttl).Truncate(time.Second), BasicConstraintsValid: true,
		KeyUsage: usageOf(public), DNSNames: n.dns, EmailAddresses: n.emails}
	subject := r.Subject
	subject.CommonName = n.common
	t.Subject = subject.name()
	for _, a := range n.ips {
		t.IPAddresses = append(t.IPAddresses, net.IP(a.AsSlice()))
	}
	for _, s := range n.uris {
		u, _ := url.Parse(s) // was parsed before
		t.URIs = append(t.URIs, u)
	}
	for _, u := range r.Usages {
		t.ExtKeyUsage = append(t.ExtKeyUsage, usages[u])
	}
	return t
}

// usageOf lets keys of RSA be encrypted to, as TLS 1.2 clients may want it.
func usageOf(public crypto.PublicKey) x509.KeyUsage {
	if _, ok := public.(*rsa.PublicKey); ok {
		return x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	}
	return x509.KeyUsageDigitalSignature
}

func serialOf(c *x509.Certificate) string { return c.SerialNumber.Text(16) }

// linter holds certificates against the lints of the RFCs, before a CA signs them.
type linter struct {
	mu   sync.Mutex // guards keys
	keys map[KeyType]crypto.Signer
	once sync.Once
	all  lint.Registry
	err  error
}

func (l *linter) registry() (lint.Registry, error) {
	l.once.Do(func() {
		l.all, l.err = lint.GlobalRegistry().Filter(lint.FilterOptions{IncludeSources: lint.SourceList{lint.RFC5280, lint.RFC5480, lint.RFC5891, lint.RFC6962, lint.RFC8813}})
	})
	return l.all, l.err
}

// key is a throw-away key of a type.
func (l *linter) key(t KeyType) (crypto.Signer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k := l.keys[t]; k != nil {
		return k, nil
	}
	k, err := generate(t)
	if err == nil {
		if l.keys == nil {
			l.keys = map[KeyType]crypto.Signer{}
		}
		l.keys[t] = k
	}
	return k, err
}

// check signs a certificate by a throw-away key of the issuer's type and refuses what a lint says is an error.
func (l *linter) check(t, parent *x509.Certificate, kind KeyType, public crypto.PublicKey) error {
	all, err := l.registry()
	if err != nil {
		return err
	}
	key, err := l.key(kind)
	if err != nil {
		return err
	}
	stand := *parent
	stand.PublicKey = key.Public()
	der, err := x509.CreateCertificate(rand.Reader, t, &stand, public, key)
	if err != nil {
		return fault.Bad("certificate", "cannot be made: %v", err)
	}
	parsed, err := zx509.ParseCertificate(der)
	if err != nil {
		return fault.Bad("certificate", "cannot be read back: %v", err)
	}
	return verdict(zlint.LintCertificateEx(parsed, all), all)
}

func verdict(found *zlint.ResultSet, all lint.Registry) error {
	if !found.ErrorsPresent && !found.FatalsPresent {
		return nil
	}
	var bad []string
	for name, r := range found.Results {
		if r.Status == lint.Error || r.Status == lint.Fatal {
			if l := all.ByName(name); l != nil {
				bad = append(bad, name+" ("+l.Description+")")
			}
		}
	}
	return fault.Bad("certificate", "would break the rules for certificates: %s", strings.Join(bad, "; "))
}

// nameOf shows a subject.
func nameOf(n pkix.Name) string { return cutTo(n.String(), 256) }

func cutTo(s string, most int) string {
	if len(s) > most {
		return s[:most]
	}
	return s
}

// expiryOf is when a certificate's time is over.
func expiryOf(c *x509.Certificate) fsm.Time { return fsm.At(c.NotAfter) }

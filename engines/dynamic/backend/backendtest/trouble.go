package backendtest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
)

// stall checks that calls end with their context.
func (r *rig) stall() {
	a := r.made()
	calls := map[string]func(context.Context) error{
		"Verify": r.session.Verify,
		"Create": func(ctx context.Context) error { return r.createBy(ctx, r.account()) },
		"Extend": func(ctx context.Context) error { return r.session.Extend(ctx, a.Name, a.Until.Add(time.Hour)) },
		"End":    func(ctx context.Context) error { return r.session.End(ctx, a.Name, a.Role) },
		"List":   func(ctx context.Context) error { _, err := r.session.List(ctx, r.prefix); return err },
	}
	for name, call := range calls {
		r.must("Verify", r.session.Verify(r.limit(patience))) // there is a connection
		r.wire.plan(fault{sent: 1, stall: true})
		start := time.Now()
		err := r.saw(call(r.limit(time.Second)))
		if took := time.Since(start); took > 3*time.Second {
			r.Errorf("%s took %s, with a context of a second", name, took)
		} else if err == nil && took > time.Second {
			r.Errorf("%s returns nil, and the target has not answered", name)
		}
		r.wire.mend()
	}
	r.endSurely(a)
	for _, f := range r.found(r.prefix) {
		r.endSurely(backend.Account{Name: f.Name})
	}
}

func (r *rig) unreachable() {
	a := r.made()
	r.wire.cut()
	for _, err := range []error{r.session.Verify(r.limit(patience)), r.create(r.account()), r.session.End(r.limit(patience), a.Name, a.Role)} {
		if r.saw(err) == nil {
			r.Fatal("a call returns nil, and the target cannot be reached")
		}
	}
	nobody := r.target()
	nobody.Dial = func(ctx context.Context, network, address string) (net.Conn, error) { return nil, errCut }
	if _, err := r.subject.Backend.Open(r.limit(patience), nobody); err != nil && !strings.Contains(err.Error(), "cannot reach") { // it may connect later
		r.Errorf("an error does not say that the target cannot be reached: %v", err)
	}
	if err := r.saw(r.session.Verify(r.limit(patience))); err == nil || !strings.Contains(err.Error(), "cannot reach") {
		r.Errorf("an error does not say that the target cannot be reached: %v", err)
	}
	r.wire.mend()
	r.must("Verify, once the target is back", r.session.Verify(r.limit(patience)))
	r.endOf(a)
}

func (r *rig) impostors() {
	if r.subject.Target.TLS != backend.VerifyFull {
		r.Skip("this target is spoken to in the clear")
	}
	host, port := r.subject.Target.Host, r.subject.Target.Port
	other := r.target()
	other.CA = strangeCA(r)
	r.mustRefuse("a target of another CA", other)
	named := r.target()
	named.Host = "another.example"
	named.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return r.wire.Dial(ctx, network, net.JoinHostPort(host, strconv.Itoa(int(port))))
	}
	r.mustRefuse("a target that is another host", named)
	usual := r.target()
	usual.CA = nil
	r.mustRefuse("a target whose CA is not the system's", usual)
}

func (r *rig) mustRefuse(what string, t backend.Target) {
	r.Helper()
	s, err := r.subject.Backend.Open(r.limit(patience), t)
	if err == nil {
		err = s.Verify(r.limit(patience))
		_ = s.Close()
	}
	if r.saw(err) == nil {
		r.Errorf("%s is taken", what)
	}
}

// strangeCA is one that nobody trusts.
func strangeCA(r *rig) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	r.must("make a key", err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "stranger"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	r.must("make a certificate", err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func (r *rig) wrongPassword() {
	t := r.target()
	t.Password = []byte("Planted-" + letters(20))
	r.secret(t.Password)
	r.mustRefuse("a wrong password", t)
}

// rotate changes how the session's own account logs in.
func (r *rig) rotate() {
	switch s := r.session.(type) {
	case backend.Setter:
		r.setPassword(s)
	case backend.Replacer:
		r.replace(s)
	default:
		r.Skip("the credential of this target's account is not rotated by it")
	}
}

func (r *rig) setPassword(s backend.Setter) {
	old, next := r.subject.Target, []byte("Planted-"+letters(20)+"_9")
	r.secret(next)
	given := bytes.Clone(next)
	r.must("SetPassword", r.saw(s.SetPassword(r.limit(patience), given)))
	clear(given)
	r.subject.Target.Password = next
	r.wire.cut() // it connects anew
	r.wire.mend()
	r.within(patience, "Verify, with the next password", func() error { return r.saw(s.Verify(r.limit(patience))) })
	r.oldIsRefused(old)
}

// replace does it twice: what the first has made, and nobody remembered, is gone.
func (r *rig) replace(s backend.Replacer) {
	old := r.subject.Target
	lost := r.replaced(s)
	r.subject.Target = r.replaced(s)
	r.mustRefuse("a credential that nobody remembered", r.wired(lost))
	r.must("Verify, with the old credential", s.Verify(r.limit(patience)))
	next, ok := r.open(r.target()).(backend.Replacer)
	if !ok {
		r.Fatal("another session of the same target cannot be replaced")
	}
	r.must("Retire", r.saw(next.Retire(r.limit(patience))))
	r.must("Retire again", r.saw(next.Retire(r.limit(patience))))
	r.session = next
	r.oldIsRefused(old)
}

func (r *rig) replaced(s backend.Replacer) backend.Target {
	username, password, err := s.Replace(r.limit(patience))
	r.must("Replace", r.saw(err))
	r.secret(password)
	t := r.subject.Target
	t.Username, t.Password = username, password
	return t
}

func (r *rig) oldIsRefused(old backend.Target) {
	r.Helper()
	r.mustRefuse("the old password", r.wired(old))
	r.must("Verify", r.open(r.target()).Verify(r.limit(patience)))
}

// Package pki publishes what certification authorities say of their certificates: the CAs' own certificates, CRLs and OCSP answers (RFC 5280; RFC 6960; RFC 5019), without
// authentication: whoever holds a certificate may ask.
//
// It promises:
//   - CRLs and OCSP answers are made from a state that covers everything that was acknowledged when the request came: after an acknowledged revocation no node answers "good".
//     A node that cannot have such a state says so (503; OCSP: tryLater) instead of answering from an old one.
//   - Answers are not to be kept by what stands between (no-store): that would be an old state's answer.
//   - Requests are bounded in size, in time, and in how many are answered at once.
package pki

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/trstctl/trstctl/engines/pki"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/admit"
)

// Bounds.
const (
	maxRequest = 4 << 10 // bytes of an OCSP request; one certificate's is about 100
	patience   = 3 * time.Second
	atOnce     = 64
	waiting    = 256
)

// State gives what is published; *fsm.Ledger with a read index is one.
type State interface {
	// Present returns a view that covers everything acknowledged before the call.
	Present(ctx context.Context) (*fsm.View, error)
}

// Publisher answers below /pki/.
type Publisher struct {
	engine *pki.Engine
	state  State
	places *admit.Queue
	log    *slog.Logger
}

// New returns a publisher of what e's state says.
func New(e *pki.Engine, s State, log *slog.Logger) *Publisher {
	return &Publisher{e, s, admit.NewQueue("requests for CRLs and OCSP answers", atOnce, waiting), log}
}

// Handler serves /pki/UID/{ca.cer,ca.pem,crl,crl.pem,crl/delta,ocsp}.
func (p *Publisher) Handler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /pki/{uid}/ca.cer", p.published(func(v *fsm.View, uid fsm.UID) (answer, error) {
		chain, err := pki.CACertificate(v, uid)
		if err != nil {
			return answer{}, err
		}
		return answer{"application/pkix-cert", chain[0]}, nil
	}))
	m.HandleFunc("GET /pki/{uid}/ca.pem", p.published(func(v *fsm.View, uid fsm.UID) (answer, error) {
		chain, err := pki.CACertificate(v, uid)
		return answer{"application/x-pem-file", inPEM("CERTIFICATE", chain...)}, err
	}))
	m.HandleFunc("GET /pki/{uid}/crl", p.published(p.crl(false, false)))
	m.HandleFunc("GET /pki/{uid}/crl.pem", p.published(p.crl(false, true)))
	m.HandleFunc("GET /pki/{uid}/crl/delta", p.published(p.crl(true, false)))
	m.HandleFunc("POST /pki/{uid}/ocsp", p.postOCSP)
	m.HandleFunc("GET /pki/{uid}/ocsp/{request...}", p.getOCSP)
	return m
}

type answer struct {
	kind string // media type
	body []byte
}

func inPEM(kind string, all ...[]byte) (out []byte) {
	for _, der := range all {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
	}
	return out
}

func (p *Publisher) crl(delta, text bool) func(*fsm.View, fsm.UID) (answer, error) {
	return func(v *fsm.View, uid fsm.UID) (answer, error) {
		der, _, err := p.engine.CRL(v, uid, delta)
		if text {
			return answer{"application/x-pem-file", inPEM("X509 CRL", der)}, err
		}
		return answer{"application/pkix-crl", der}, err
	}
}

// issuerOf reads an issuer's UID.
func issuerOf(r *http.Request) (uid fsm.UID, err error) {
	b, err := hex.DecodeString(r.PathValue("uid"))
	if err != nil || len(b) != len(uid) {
		return uid, fault.New(fault.NotFound, "there is no such issuer")
	}
	copy(uid[:], b)
	return uid, nil
}

// published answers a GET from the present state.
func (p *Publisher) published(make func(*fsm.View, fsm.UID) (answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		uid, err := issuerOf(r)
		if err != nil {
			p.refuse(w, r, err)
			return
		}
		a, err := p.at(r.Context(), func(v *fsm.View) (answer, error) { return make(v, uid) })
		if err != nil {
			p.refuse(w, r, err)
			return
		}
		a.write(w)
	}
}

// at asks the present state, if there is room and it can be had in time.
func (p *Publisher) at(ctx context.Context, ask func(*fsm.View) (answer, error)) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	place, err := p.places.Enter(ctx)
	if err != nil {
		return answer{}, err
	}
	defer place.Leave()
	v, err := p.state.Present(ctx)
	if err != nil {
		return answer{}, err
	}
	defer v.Close()
	return ask(v)
}

func (a answer) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(a.body) // who has hung up learns nothing
}

// refuse says in a line of text what is wrong: clients of CRLs read none of it, people with curl do.
func (p *Publisher) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusServiceUnavailable, "not now: try another node, or again in a second"
	switch kind := fault.KindOf(err); kind {
	case fault.NotFound:
		status, text = http.StatusNotFound, "there is no such issuer"
	case fault.RateLimited:
		status = http.StatusTooManyRequests
	case fault.Internal, fault.Corrupt:
		status, text = http.StatusInternalServerError, "internal error"
		p.log.ErrorContext(r.Context(), "an answer about certificates was not made", "err", err)
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, text, status)
}

func (p *Publisher) postOCSP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	if err != nil || len(body) > maxRequest {
		p.ocsp(w, r, nil)
		return
	}
	p.ocsp(w, r, body)
}

// getOCSP takes the request from the URL (RFC 6960, appendix A.1): base64, of which "+", "/" and "=" may be escaped or not.
func (p *Publisher) getOCSP(w http.ResponseWriter, r *http.Request) {
	_, sent, _ := strings.Cut(r.URL.EscapedPath(), "/ocsp/")
	text, err := url.PathUnescape(sent)
	if err != nil || len(text) > 2*maxRequest {
		p.ocsp(w, r, nil)
		return
	}
	body, _ := base64.StdEncoding.DecodeString(text) // what is no base64 is no request, which is what the answer says
	p.ocsp(w, r, body)
}

// ocsp answers by the protocol's own errors wherever it can: clients read no others.
func (p *Publisher) ocsp(w http.ResponseWriter, r *http.Request, request []byte) {
	uid, err := issuerOf(r)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	a, err := p.at(r.Context(), func(v *fsm.View) (answer, error) {
		body, err := p.engine.OCSP(v, uid, request)
		return answer{"application/ocsp-response", body}, err
	})
	switch kind := fault.KindOf(err); {
	case err == nil:
	case kind == fault.NotFound:
		p.refuse(w, r, err)
		return
	case kind == fault.Internal || kind == fault.Corrupt:
		p.log.ErrorContext(r.Context(), "an OCSP answer was not made", "err", err)
		a = answer{"application/ocsp-response", pki.OCSPInternal}
	default:
		a = answer{"application/ocsp-response", pki.OCSPTryLater}
	}
	a.write(w)
}

// Beside serves what is below /pki/, and has others serve the rest.
func (p *Publisher) Beside(rest http.Handler) http.Handler {
	own := p.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/pki/") {
			own.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

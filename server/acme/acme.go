// Package acme speaks ACME (RFC 8555) to clients that know nothing of this system: JWS on the outside, engines/acme within.
//
// It promises:
//   - A request is carried out on the leader; other nodes pass it on. What it says is of a state that covers everything acknowledged before it came.
//   - Nonces are authenticated tokens that every node can check, good for ten minutes. The leader takes each once; one that leads since may take one again that its predecessor has
//     taken: what is repeated then has had its effect.
//   - Requests are bounded in size, and in how many are answered at once and for each address.
package acme

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/trstctl/trstctl/engines/acme"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/admit"
)

// Bounds.
const (
	maxRequest = 64 << 10 // bytes
	patience   = 10 * time.Second
	atOnce     = 32
	waiting    = 128
	perSecond  = 100 // requests of an address
)

// Cluster is what a node knows of the others.
type Cluster interface {
	// Present returns a view that covers everything acknowledged before the call.
	Present(ctx context.Context) (*fsm.View, error)
	// Leads reports whether requests are carried out here.
	Leads() bool
	// Forward passes a request with this body to the leader.
	Forward(ctx context.Context, r *http.Request, body []byte) (*http.Response, error)
}

// Keys makes what nonces are known by; *keyring.Keyring does.
type Keys interface {
	MAC(r fsm.Reader, tenant fsm.UID, purpose string, parts ...[]byte) ([32]byte, error)
}

// Options are what a server needs. All are required.
type Options struct {
	Engine  *acme.Engine
	Cluster Cluster
	Keys    Keys
	Now     func() time.Time
	Log     *slog.Logger
}

// Server answers below /acme/.
type Server struct {
	Options
	places    *admit.Queue
	addresses *admit.Rate
	nonces    nonces
}

// New returns a server.
func New(o Options) *Server {
	return &Server{Options: o, places: admit.NewQueue("ACME requests", atOnce, waiting), addresses: admit.NewRate(perSecond), nonces: nonces{used: map[string]int64{}}}
}

// forwardedHost carries to the leader by which host the client knows the node that it asked: the URL that it has signed.
const forwardedHost = "X-Trstctl-Forwarded-Host"

// Beside serves what is below /acme/ to the public, and has others serve the rest.
func (s *Server) Beside(rest http.Handler) http.Handler {
	return s.beside(rest, func(r *http.Request) (string, bool) { return r.Host, false })
}

// BesidePeer does the same for other nodes, which vouch for what the client said.
func (s *Server) BesidePeer(rest http.Handler) http.Handler {
	return s.beside(rest, func(r *http.Request) (string, bool) { return r.Header.Get(forwardedHost), true })
}

func (s *Server) beside(rest http.Handler, host func(*http.Request) (string, bool)) http.Handler {
	own := http.NewServeMux()
	s.routes(func(pattern string, h func(*call) error) {
		own.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			name, peer := host(r)
			s.serve(&call{Server: s, w: w, r: r, host: name, peer: peer}, h)
		})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/acme/") {
			own.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

func (s *Server) routes(on func(string, func(*call) error)) {
	const at = "/acme/{directory}"
	on("GET "+at+"/directory", (*call).directory)
	on("GET "+at+"/new-nonce", (*call).newNonce)
	on("POST "+at+"/new-account", (*call).newAccount)
	on("POST "+at+"/new-order", (*call).newOrder)
	on("POST "+at+"/revoke-cert", (*call).revokeCert)
	on("POST "+at+"/key-change", (*call).keyChange)
	on("POST "+at+"/account/{id}", (*call).account)
	on("POST "+at+"/order/{id}", (*call).order)
	on("POST "+at+"/order/{id}/finalize", (*call).finalize)
	on("POST "+at+"/order/{id}/certificate", (*call).certificate)
	on("POST "+at+"/authorization/{id}", (*call).authorization)
	on("POST "+at+"/challenge/{id}/{kind}", (*call).challenge)
}

// call is one request.
type call struct {
	*Server
	w    http.ResponseWriter
	r    *http.Request
	host string // by which the client knows the node
	peer bool   // another node passes it on
	raw  []byte
	view *fsm.View
	in   acme.Found // the directory

	sent message // of a POST
}

func (s *Server) serve(c *call, h func(*call) error) {
	ctx, cancel := context.WithTimeout(c.r.Context(), patience)
	defer cancel()
	c.r = c.r.WithContext(ctx)
	if err := c.run(h); err != nil {
		c.refuse(err)
	}
}

// run returns what it refuses before there is a directory.
func (c *call) run(h func(*call) error) error {
	if !c.peer {
		if err := c.addresses.Allow(addressOf(c.r), c.Now()); err != nil {
			return err
		}
	}
	place, err := c.places.Enter(c.r.Context())
	if err != nil {
		return err
	}
	defer place.Leave()
	if c.r.Method == http.MethodPost {
		if err := c.read(); err != nil {
			return err
		}
		if !c.peer && !c.Cluster.Leads() {
			return c.forward()
		}
	}
	if c.view, err = c.Cluster.Present(c.r.Context()); err != nil {
		return err
	}
	defer c.view.Close()
	uid, err := acme.ParseUID(c.r.PathValue("directory"))
	if err == nil {
		c.in, err = acme.Find(c.view, uid)
	}
	if err != nil {
		return err
	}
	if err := h(c); err != nil {
		c.refuse(err) // as long as there is a state to make the next nonce by
	}
	return nil
}

func addressOf(r *http.Request) string {
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return at.Addr().String()
	}
	return r.RemoteAddr
}

func (c *call) read() error {
	if kind, _, _ := strings.Cut(c.r.Header.Get("Content-Type"), ";"); kind != "application/jose+json" {
		return acme.Refuse(fault.Invalid, "malformed", "the content type is application/jose+json")
	}
	var err error
	if c.raw, err = io.ReadAll(io.LimitReader(c.r.Body, maxRequest+1)); err != nil {
		return acme.Refuse(fault.Invalid, "malformed", "the request did not arrive whole")
	}
	if len(c.raw) > maxRequest {
		return acme.Refuse(fault.TooLarge, "malformed", "the request is above %d bytes", maxRequest)
	}
	return nil
}

// passed are the headers of the leader's answer that reach the client.
var passed = []string{"Content-Type", "Location", "Link", "Replay-Nonce", "Retry-After", "Cache-Control"}

// forward passes the request to the leader and its answer to the client, once.
func (c *call) forward() error {
	out := c.r.Clone(c.r.Context())
	out.Header = http.Header{"Content-Type": {"application/jose+json"}, forwardedHost: {c.host}}
	answer, err := c.Cluster.Forward(c.r.Context(), out, c.raw)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return fault.New(fault.Unknown, "the leader's answer did not arrive whole").Because(err)
	}
	for _, name := range passed {
		if v := answer.Header[name]; len(v) > 0 {
			c.w.Header()[name] = v
		}
	}
	c.w.WriteHeader(answer.StatusCode)
	_, _ = c.w.Write(body) // who has hung up learns nothing
	return nil
}

// url is where clients find something of the directory.
func (c *call) url(parts ...string) string {
	return fmt.Sprintf("https://%s/acme/%s/%s", c.host, c.in.UID, strings.Join(parts, "/"))
}

// send answers with JSON, or with nothing.
func (c *call) send(status int, v any) error {
	if err := c.head(); err != nil {
		return err
	}
	if v == nil {
		c.w.WriteHeader(status)
		return nil
	}
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // who has hung up learns nothing
	return nil
}

// head has each answer bring the next nonce (RFC 8555, section 6.5).
func (c *call) head() error {
	nonce, err := c.nonces.make(c.Keys, c.view, c.in.Tenant, c.in.UID, c.Now())
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Replay-Nonce", nonce)
	h.Set("Cache-Control", "no-store")
	h.Add("Link", "<"+c.url("directory")+`>;rel="index"`)
	return nil
}

// statuses of refusals; what is not here is 500.
var statuses = map[fault.Kind]int{fault.Invalid: 400, fault.Denied: 403, fault.NotFound: 404, fault.Conflict: 409, fault.TooLarge: 413, fault.Limit: 429, fault.RateLimited: 429, fault.NotDone: 503,
	fault.Unknown: 503, fault.Sealed: 503, fault.NoSpace: 503}

// refuse answers with a problem document (RFC 8555, section 6.7).
func (c *call) refuse(err error) {
	status, known := statuses[fault.KindOf(err)]
	detail := err.Error()
	if !known {
		status, detail = http.StatusInternalServerError, "internal error"
		c.Log.ErrorContext(c.r.Context(), "an ACME request failed", "path", c.r.URL.Path, "err", err)
	}
	h := c.w.Header()
	if c.in.UID != (fsm.UID{}) {
		_ = c.head() // a client without the next nonce asks for one
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		h.Set("Retry-After", "2")
	}
	h.Set("Content-Type", "application/problem+json")
	c.w.WriteHeader(status)
	body, _ := json.Marshal(document(err, status, detail)) // text always can be written
	_, _ = c.w.Write(body)
}

// problem is a refusal as clients read it.
type problem struct {
	Type   string `json:"type"`
	Detail string `json:"detail"`
	Status int    `json:"status,omitempty"`
}

func document(err error, status int, detail string) problem {
	name := acme.TypeOf(err)
	if name == "" {
		name = map[int]string{400: "malformed", 403: "unauthorized", 404: "malformed", 409: "malformed", 413: "malformed", 429: "rateLimited"}[status]
	}
	if name == "" {
		name = "serverInternal"
	}
	return problem{"urn:ietf:params:acme:error:" + name, detail, status}
}

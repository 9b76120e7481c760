// Package api speaks HTTP: JSON below /api/v1, and the health endpoints that load balancers ask.
//
// One table (routes.go) says for each route what it is called, which resource and capability it needs, how large its body may
// be and which Go types travel. It drives the router, the authorization and the OpenAPI document.
//
// A request passes these gates in this order: rate of its address, limits of shape and size, queue of its surface; a mutation
// on a follower then goes to the leader whole; there, or on any node for a read, its token is authenticated and
// authorized in the view that also answers it, and its tenant's share of the queue is looked at. The answer is sent after the request
// has left the queue: a caller who does not read it holds up nobody. A refusal of a mutation leaves only after the node has shown that it still leads
// (PROTOCOL 4): the engine's ledger sees to that, and here a second look after a confirmed read index.
//
// Secret values go from the body into a []byte and from a []byte into the answer; both buffers are zeroed after use.
package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/armon/go-metrics"
	"github.com/gorilla/mux"

	"github.com/trstctl/trstctl/engines/acme"
	"github.com/trstctl/trstctl/engines/auth"
	"github.com/trstctl/trstctl/engines/dynamic"
	"github.com/trstctl/trstctl/engines/kmipclient"
	"github.com/trstctl/trstctl/engines/lease"
	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/outbox"
	"github.com/trstctl/trstctl/engines/pki"
	"github.com/trstctl/trstctl/engines/rbac"
	"github.com/trstctl/trstctl/engines/secret"
	"github.com/trstctl/trstctl/engines/tenant"
	"github.com/trstctl/trstctl/engines/transit"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/server/access"
	"github.com/trstctl/trstctl/server/api/admit"
)

// Level is how present the answer to a read must be.
type Level string

// The levels. A read that names none is linearizable.
const (
	Linearizable Level = "linearizable"
	Session      Level = "session"
	Stale        Level = "stale"
)

// MaxStale is the oldest state from which a node answers anything that depends on a token or policy.
const MaxStale = 2 * time.Second

// Want is what a read asks of the state it is answered from.
type Want struct {
	Level    Level
	MaxStale time.Duration // at level Stale, at most MaxStale
	Min      uint64        // at level Session: the index that the caller has seen
}

// Reads brings the local state to a level. It refuses with fault.NotDone.
type Reads interface {
	Await(ctx context.Context, w Want) error
}

// Leader carries mutations to where they are decided.
type Leader interface {
	// Leads reports whether this node believes that it leads.
	Leads() bool
	// Forward sends r with body to the leader's Peer handler and returns its answer, whose body is read to the end and closed by
	// the caller. The headers X-Trstctl-Forwarded-For and X-Request-Id are set. It refuses with fault.NotDone when the leader
	// cannot have seen the request, with fault.Unknown otherwise, and never sends a request twice. It does not
	// use body after it has returned.
	Forward(ctx context.Context, r *http.Request, body []byte) (*http.Response, error)
}

// Health says whether the node may receive traffic.
type Health interface {
	// Ready returns nil or why not, in words for an operator.
	Ready() error
	// Writable returns nil, or fault.NoSpace when the disks have no room for more.
	Writable() error
}

// Keys is the keyring as requests need it.
type Keys interface {
	Unsealed() bool
	MAC(r fsm.Reader, tenant fsm.UID, purpose string, parts ...[]byte) ([32]byte, error)
}

// Options are the parts that an API is bound to. All are required unless said otherwise.
type Options struct {
	Node    string // this node's id
	Ledger  *fsm.Ledger
	Keys    Keys
	Access  *access.Access
	Secrets *secret.Engine
	Tokens  *auth.Engine
	Rules   *rbac.Engine
	Tenants *tenant.Engine
	Transit *transit.Engine
	Uses    *transit.Worker // of transit's keys, on this node
	KMIP    *kmipclient.Engine
	Objects *managedkey.Engine // of KMIP's clients
	Waiting Waiting
	Outbox  *outbox.Engine
	Leases  *lease.Engine
	Dynamic *dynamic.Engine
	PKI     *pki.Engine
	ACME    *acme.Engine

	Reads     Reads
	Leader    Leader
	Health    Health
	Status    Statuses
	Members   Members
	Operator  Operator
	Gate      Gate
	Rotation  Rotation
	Snapshots Snapshots
	Journal   Journal
	Refusals  Refusals
	Journals  Journals
	Signer    Signer

	EnableSecrets bool // secrets.enable_api
	EnableTransit bool // transit.enable_api
	EnableKMIP    bool // kmip.enable_api
	EnableDynamic bool // dynamic.enable_api
	EnablePKI     bool // pki.enable_api
	// Urgent marks operator calls and revocations for a queue of their own in the log; nil: there is none.
	Urgent   func(context.Context) context.Context
	Events   []fsm.Event      // zero values of the event types, by whose field names the audit shows recorded ones
	Limits   Limits           // the zero value means the defaults
	Metrics  http.Handler     // behind /metrics; nil: there is no such route here
	Counters *metrics.Metrics // nil: the process's
	Log      *slog.Logger     // nil discards
	Clock    func() time.Time // nil: chaos.Now
}

// Limits bound what callers may take at the same time. A field that is 0 has its default, a negative rate is no limit.
type Limits struct {
	AddressPerSecond int // requests of one address (of one /64 for IPv6); default 20,000
	TokenPerSecond   int // requests with one token; default 20,000
	Reads            int // reads served at the same time; default 512, twice as many may wait a second; a tenant has three quarters
	Writes           int // default 512
	Uses             int // of keys; default 512
	Operator         int // sys and revocations; default 64; the root tenant may have all
	Bulk             int // imports, exports, lists, verification; default 16
}

func (l Limits) orDefaults() Limits {
	def := func(n *int, d int) {
		if *n == 0 {
			*n = d
		}
	}
	def(&l.AddressPerSecond, 20000)
	def(&l.TokenPerSecond, 20000)
	def(&l.Reads, 512)
	def(&l.Writes, 512)
	def(&l.Uses, 512)
	def(&l.Operator, 64)
	def(&l.Bulk, 16)
	return l
}

const (
	publicPlaces = 64        // of requests that need no token
	memoryOfAll  = 256 << 20 // bytes of bodies, and again of answers, of all addresses
	memoryOfOne  = 64 << 20  // of one address
)

// API answers HTTP requests. It is made once a node and has no goroutines of its own.
type API struct {
	opt       Options
	routes    []*route
	router    *mux.Router
	queues    [surfaces]*admit.Queue
	addresses *admit.Rate
	tokens    *admit.Rate
	exports   *admit.Queue // those that stream for minutes
	bodies    *admit.Bytes
	answers   *admit.Bytes // large ones that wait to be read by their callers
	verifying atomic.Bool  // one walk over everything at a time
	quiet     quiet
	events    renderer
	document  []byte // OpenAPI
}

// New binds the API to its parts. It fails only on a defect of its own table.
func New(opt Options) (*API, error) {
	opt.Limits = opt.Limits.orDefaults()
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Clock == nil {
		opt.Clock = chaos.Now
	}
	if opt.Urgent == nil {
		opt.Urgent = func(ctx context.Context) context.Context { return ctx }
	}
	if opt.Counters == nil {
		opt.Counters = metrics.Default()
	}
	l := opt.Limits
	a := &API{opt: opt, routes: table(), addresses: admit.NewRate(l.AddressPerSecond), tokens: admit.NewRate(l.TokenPerSecond),
		bodies: admit.NewBytes("bodies", memoryOfAll, memoryOfOne), answers: admit.NewBytes("answers", memoryOfAll, memoryOfOne),
		exports: admit.NewQueue("exports", max(1, l.Bulk/4), 0), events: newRenderer(opt.Events)}
	for s, n := range [surfaces]int{reads: l.Reads, writes: l.Writes, uses: l.Uses, operator: l.Operator, bulk: l.Bulk, public: publicPlaces} {
		a.queues[s] = admit.NewQueue(surfaceNames[s], n, 2*n)
	}
	a.router = newRouter(a.routes)
	var err error
	if a.document, err = document(a.routes); err != nil {
		return nil, fmt.Errorf("describe the routes: %w", err)
	}
	return a, nil
}

// Handler serves the public. What only peers may say is taken off every request.
func (a *API) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stripForwarded(r.Header)
		a.serve(w, r, addressOf(r.RemoteAddr), false)
	})
}

// Peer serves requests that other nodes forward over the cluster port, whose mTLS has authenticated them as members. They vouch
// for the caller's address and nothing else.
func (a *API) Peer() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.serve(w, r, clean(r.Header.Get(forwardedFor), 64), true)
	})
}

// now is the moment by which expiry is judged: never before log time.
func (a *API) now(v *fsm.View) fsm.Time { return max(v.Now(), fsm.At(a.opt.Clock())) }

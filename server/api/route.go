package api

import (
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/trstctl/trstctl/engines/rbac"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

// A surface is a kind of request with a queue of its own, so that a flood of one starves no other.
const (
	reads = iota
	writes
	uses // of keys, which take no round of their own, but a processor
	operator
	bulk
	public // what needs no token: nobody's flood of it delays an operator
	surfaces
)

var surfaceNames = [surfaces]string{"reads", "writes", "uses of keys", "operator calls", "bulk requests", "what needs no token"}

// kind is which gates a request passes.
type kind uint8

const (
	open  kind = iota // no token, no level: answered from this node as it is
	read              // a token, and a state of the level that was asked for
	write             // a mutation: forwarded to the leader, with a receipt
	act               // carried out on the leader and not repeatable by key: it changes no state
)

// need is one thing that the caller must be allowed to do.
type need struct {
	resource string          // "secrets/{path}", "secrets/{body.source}", "tokens"; the part in braces stands for what was named
	caps     rbac.Capability // any one of them is enough
	when     string          // the body is asked whether this is a need at all, and knows it by this name; empty: it always is
	beneath  bool            // something beneath the resource is enough: for lists, which leave out the rest
}

// prefix and variable take the resource apart.
func (n need) prefix() string {
	p, _, _ := strings.Cut(n.resource, "{")
	return p
}

func (n need) variable() string {
	_, v, _ := strings.Cut(n.resource, "{")
	return strings.TrimSuffix(v, "}")
}

// inBody reports whether the body has to be read before the need is known.
func (n need) inBody() bool { return strings.Contains(n.resource, "{body.") }

// query is a parameter that a route takes.
type query struct{ name, schema, doc string }

// route is a row of the table.
type route struct {
	name     string // operation id and metric label
	method   string
	pattern  string // "/secrets/store/{path}" below /api/v1; {path} may hold slashes, other variables may not
	summary  string
	surface  int
	kind     kind
	needs    []need // nothing: any live token
	query    []query
	limit    int64 // bytes of body; 0: none is taken
	request  reflect.Type
	response reflect.Type // nil: not JSON
	handle   func(*call) (any, error)

	global  bool // concerns the cluster: the request stands in the root tenant whatever tenant the caller acts in
	roots   bool // exists for tokens of the root tenant only
	self    bool // concerns the caller's own token: the request stands in its tenant
	holder  bool // concerns what the caller's token may hold: the handler asks what it may do with what others hold
	present bool // answers from the present alone, whatever level others may ask for
	long    bool // has minutes, not seconds
	plain   bool // tells nothing that anybody has stored: its answers are not put on record, which would change what it measures
	frees   bool // gives space back, or takes none: goes on when the disk is full

	// Filled in by table.
	variable string
	decoder  *strictjson.Decoder
	needOf   []needOf
}

// needOf is a need taken apart once.
type needOf struct {
	need
	prefix, variable string
	body             bool
}

const base = "/api/v1"

// prepare fills in what follows from the rest of the row.
func (r *route) prepare() *route {
	if _, v, found := strings.Cut(r.pattern, "{"); found {
		r.variable, _, _ = strings.Cut(v, "}")
	}
	if r.request != nil {
		r.decoder = strictjson.ForType(r.request)
	}
	for _, n := range r.needs {
		r.needOf = append(r.needOf, needOf{n, n.prefix(), n.variable(), n.inBody() || n.when != ""})
	}
	return r
}

// ServeHTTP makes a route what the router finds; it is never called.
func (r *route) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusInternalServerError)
}

// newRouter matches the path as it was sent, without cleaning or decoding it: that happens once, in canonical.
func newRouter(routes []*route) *mux.Router {
	router := mux.NewRouter().UseEncodedPath().SkipClean(true)
	for _, r := range routes {
		router.Path(base + strings.Replace(r.pattern, "{path}", "{path:.*}", 1)).Methods(r.method).Handler(r)
	}
	return router
}

// find returns the route of r and what its variable stands for, as it was sent.
func (a *API) find(r *http.Request) (*route, string, error) {
	if !strings.HasPrefix(r.URL.Path, "/") {
		return nil, "", errNoRoute()
	}
	var m mux.RouteMatch
	found := a.router.Match(r, &m)
	switch {
	case errors.Is(m.MatchErr, mux.ErrMethodMismatch):
		return nil, "", m.MatchErr
	case !found || m.MatchErr != nil:
		return nil, "", errNoRoute()
	}
	matched := m.Handler.(*route)
	return matched, m.Vars[matched.variable], nil
}

func errNoRoute() error {
	return fault.New(fault.NotFound, "there is no such route: see %s/sys/openapi.json", base)
}

// methods returns which methods the path of r would take, for Allow.
func (a *API) methods(r *http.Request) []string {
	var found []string
	for _, m := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		var match mux.RouteMatch
		probe := &http.Request{Method: m, URL: r.URL, Host: r.Host}
		if a.router.Match(probe, &match) && match.MatchErr == nil && !slices.Contains(found, m) {
			found = append(found, m)
		}
	}
	return found
}

// canonical decodes the variable of a route: the one form that policy and engine see. An encoded slash is refused, because
// some proxy on the way may or may not have decoded it.
func canonical(variable, sent string) (string, error) {
	if variable == "" {
		return "", nil
	}
	if strings.Contains(sent, "%2F") || strings.Contains(sent, "%2f") {
		return "", fault.Bad(variable, "holds an encoded slash: write the slashes of a path as they are")
	}
	if !strings.Contains(sent, "%") {
		return sent, nil
	}
	out, err := url.PathUnescape(sent)
	if err != nil {
		return "", fault.Bad(variable, "is not percent-encoded as it should be")
	}
	return out, nil
}

// takesSpace reports whether the route is refused when the disk's reserve is reached: every mutation but those that free space,
// revocations and operators' calls.
func (r *route) takesSpace() bool { return r.kind == write && r.surface != operator && !r.frees }

// served refuses a route whose surface this node's configuration does not switch on.
func (a *API) served(r *route) error {
	switch {
	case strings.HasPrefix(r.pattern, "/secrets/pki/"):
		if !a.opt.EnablePKI {
			return fault.New(fault.NotFound, "the PKI is switched off on this node: pki.enable_api in its configuration")
		}
	case strings.HasPrefix(r.pattern, "/secrets/") && !a.opt.EnableSecrets:
		return fault.New(fault.NotFound, "the secret store is switched off on this node: secrets.enable_api in its configuration")
	case strings.HasPrefix(r.pattern, "/transit/") && !a.opt.EnableTransit:
		return fault.New(fault.NotFound, "transit is switched off on this node: transit.enable_api in its configuration")
	case strings.HasPrefix(r.pattern, "/kmip/") && !a.opt.EnableKMIP:
		return fault.New(fault.NotFound, "the administration of KMIP is switched off on this node: kmip.enable_api in its configuration")
	case strings.HasPrefix(r.pattern, "/dynamic/") && !a.opt.EnableDynamic:
		return fault.New(fault.NotFound, "dynamic secrets are switched off on this node: dynamic.enable_api in its configuration")
	}
	return nil
}

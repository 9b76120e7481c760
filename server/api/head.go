package api

import (
	"crypto/rand"
	"net/http"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Limits of everything before the body, in bytes. The server that reads the requests has a coarser one of its own.
const (
	maxURI     = 8 << 10
	maxHeaders = 64
	maxHeader  = 16 << 10 // names and values together
)

// Headers, in canonical form.
const (
	forwardedPrefix = "X-Trstctl-Forwarded-"
	forwardedFor    = "X-Trstctl-Forwarded-For"
	requestID       = "X-Request-Id"
	indexHeader     = "X-Trstctl-Index"
	tenantHeader    = "X-Trstctl-Tenant"
	idempotencyKey  = "Idempotency-Key"
	replayedHeader  = "Idempotent-Replayed"
)

// Values of answer headers that are the same for all; nobody changes them.
var (
	jsonType        = []string{"application/json"}
	problemType     = []string{"application/problem+json"}
	ndjsonType      = []string{"application/x-ndjson"}
	binaryType      = []string{"application/octet-stream"}
	noStore         = []string{"no-store"}
	noSniff         = []string{"nosniff"}
	bearerChallenge = []string{`Bearer realm="trstctl"`}
)

// checkHead bounds what comes before the body.
func checkHead(r *http.Request) error {
	if len(r.RequestURI) > maxURI || len(r.URL.Path)+len(r.URL.RawQuery) > maxURI {
		return fault.New(fault.TooLarge, "the address of the request is longer than %d bytes", maxURI)
	}
	n := 0
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v)
		}
	}
	if len(r.Header) > maxHeaders || n > maxHeader {
		return fault.New(fault.TooLarge, "the headers are more than %d or longer than %d bytes", maxHeaders, maxHeader)
	}
	return nil
}

// stripForwarded takes off what only a peer may say.
func stripForwarded(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, forwardedPrefix) {
			delete(h, name)
		}
	}
}

// addressOf returns the address of "host:port" without the port.
func addressOf(remote string) string {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return clean(remote, 64)
	}
	return ap.Addr().Unmap().WithZone("").String()
}

// rateKey is what shares a bucket: an IPv4 address, or an IPv6 /64, which is what one customer gets.
func rateKey(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Is4() {
		return address
	}
	p, err := a.Prefix(64)
	if err != nil {
		return address
	}
	return p.Addr().String()
}

// requestIDOf takes the caller's request id if it is a plain one, and makes one otherwise.
func requestIDOf(h http.Header) string {
	id := h.Get(requestID)
	if id == "" || len(id) > 64 || strings.ContainsFunc(id, unsafeInID) {
		return "req_" + rand.Text()
	}
	return id
}

func unsafeInID(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("-_.:", r)
}

// checkKey refuses a mutation whose Idempotency-Key is missing or not 1 to 128 printable ASCII characters.
func checkKey(h http.Header) (string, error) {
	values := h[idempotencyKey]
	if len(values) != 1 || values[0] == "" {
		return "", fault.Bad(idempotencyKey, "a request that changes something needs exactly one Idempotency-Key header, new for each request and the same for its repetition")
	}
	if k := values[0]; len(k) <= 128 && !strings.ContainsFunc(k, func(r rune) bool { return r < ' ' || r > '~' }) {
		return k, nil
	}
	return "", fault.Bad(idempotencyKey, "must be 1 to 128 printable ASCII characters")
}

// bearer returns the token of the Authorization header.
func bearer(h http.Header) ([]byte, error) {
	values := h["Authorization"]
	if len(values) == 0 {
		return nil, fault.New(fault.Unauthenticated, "the request has no token: send it as Authorization: Bearer")
	}
	scheme, token, found := strings.Cut(values[0], " ")
	if len(values) > 1 || !found || !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > 512 {
		return nil, fault.New(fault.Unauthenticated, "the token is not valid")
	}
	return []byte(token), nil
}

// clean makes caller-chosen text fit for a log or record: valid, printable, at most n bytes.
func clean(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}

func toValid(s string) string { return strings.ToValidUTF8(s, "?") }

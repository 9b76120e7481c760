package kmip

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"

	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// longer is the bound of an answer in an encoding that takes more bytes for the same.
var longer = ttlv.Limits{Size: 8 * ttlv.DefaultSize}

// encoding is a form that messages have over HTTPS.
type encoding struct {
	read  func([]byte) (*ttlv.Item, error)
	write func(*ttlv.Item) ([]byte, error)
}

// encodings by media type (KMIP Profiles 1.4: the HTTPS, XML and JSON profiles).
var encodings = map[string]encoding{
	"application/octet-stream": {
		func(b []byte) (*ttlv.Item, error) { return ttlv.Parse(b, ttlv.Limits{}) },
		func(it *ttlv.Item) ([]byte, error) { return ttlv.Marshal(it, ttlv.Limits{}) }},
	"text/xml": {
		func(b []byte) (*ttlv.Item, error) { return ttlv.ParseXML(b, ttlv.Options{}) },
		func(it *ttlv.Item) ([]byte, error) { return ttlv.MarshalXML(it, longer) }},
	"application/json": {
		func(b []byte) (*ttlv.Item, error) { return ttlv.ParseJSON(b, ttlv.Options{}) },
		func(it *ttlv.Item) ([]byte, error) { return ttlv.MarshalJSON(it, longer) }},
}

// Path is where messages are posted.
const Path = "/kmip"

// Handler answers messages that are posted to Path, in the encoding in which they came: 200, whatever the message in the body says; 401 without a client's
// certificate, 404, 405, 413 and 415 as HTTP has them, and 503 with Connection: close where no answer was found. Without a meter nothing is measured.
func Handler(b Backend, patience Patience, meter *Meter, log *slog.Logger) http.Handler {
	return &poster{b, patience.orDefaults(), meter, log}
}

type poster struct {
	backend  Backend
	patience Patience
	meter    *Meter
	log      *slog.Logger
}

// ServeHTTP implements http.Handler.
func (p *poster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	e, known := encodings[media]
	switch {
	case r.URL.Path != Path:
		http.Error(w, "KMIP messages are posted to "+Path, http.StatusNotFound)
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "KMIP messages are posted", http.StatusMethodNotAllowed)
	case r.TLS == nil || len(r.TLS.PeerCertificates) == 0:
		http.Error(w, "a client's certificate is needed", http.StatusUnauthorized)
	case err != nil || !known:
		http.Error(w, "the Content-Type is application/octet-stream, text/xml or application/json", http.StatusUnsupportedMediaType)
	default:
		p.post(w, r, media, e)
	}
}

// post answers one message.
func (p *poster) post(w http.ResponseWriter, r *http.Request, media string, e encoding) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, ttlv.DefaultSize))
	defer clear(body)
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			http.Error(w, "a message has at most 1 MiB", http.StatusRequestEntityTooLarge)
		}
		return // otherwise nobody listens any more
	}
	out, err := p.answer(r, body, e)
	if err != nil {
		p.log.ErrorContext(r.Context(), "a KMIP message over HTTPS was not answered", "address", hostOf(r.RemoteAddr), "err", err)
		w.Header().Set("Connection", "close")
		http.Error(w, "no answer was found: try again", http.StatusServiceUnavailable)
		return
	}
	defer clear(out)
	w.Header().Set("Content-Type", media)
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(out) // who is gone needs no answer
}

// answer has the backend answer a message, in the message's own encoding.
func (p *poster) answer(r *http.Request, body []byte, e encoding) (out []byte, err error) {
	defer rescue(&out, &err)
	ctx, cancel := context.WithTimeout(r.Context(), p.patience.Request)
	defer cancel()
	m, err := e.read(body)
	var raw []byte
	if bad, ok := errors.AsType[*ttlv.Error](err); ok {
		raw, err = unreadable(bad, chaos.Now())
		p.meter.count(raw)
	} else if err == nil {
		defer m.Wipe()
		raw, err = p.backend.Answer(ctx, Peer{Chain: r.TLS.PeerCertificates, Address: hostOf(r.RemoteAddr)}, m)
	}
	if err != nil {
		return nil, err
	}
	answer, err := ttlv.Parse(raw, ttlv.Limits{})
	if err != nil {
		return nil, err
	}
	defer answer.Wipe()
	return e.write(answer)
}

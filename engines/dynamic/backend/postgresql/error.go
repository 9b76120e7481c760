package postgresql

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/trstctl/trstctl/fsm/fault"
)

// refused is what the server said. The rest of its error is left out: it may quote statements.
type refused struct {
	text    string
	code    string // SQLSTATE
	message string
}

func (r *refused) Error() string { return r.text }

// explain says what was being done, what came of it and at which server. Nothing of the driver's error is kept but text: it has its configuration with it.
func (s *session) explain(doing string, err error) error {
	var (
		server *pgconn.PgError
		kind   *fault.Error
		cert   *tls.CertificateVerificationError
		dialed *pgconn.ConnectError
		ours   *advice
		broken net.Error
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &kind), errors.As(err, &ours): // the dialer's, or ours
		return fmt.Errorf("%s at postgresql %s: %w", doing, s.address, own(kind, ours))
	case errors.As(err, &server) && errors.As(err, &dialed):
		return s.told("postgresql "+s.address+" does not let "+s.username+" into database "+s.database, server)
	case errors.As(err, &server):
		return s.told("postgresql "+s.address+" refuses to "+doing, server)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: postgresql %s did not answer in time: %w", doing, s.address, outcome(err))
	case errors.As(err, &cert):
		return fmt.Errorf("%s: the certificate of postgresql %s does not show that it is %s: %v", doing, s.address, s.host(), cert.Err)
	case errors.As(err, &dialed):
		return fmt.Errorf("%s: cannot reach postgresql %s: %v", doing, s.address, errors.Unwrap(dialed))
	case errors.As(err, &broken), pgconn.SafeToRetry(err):
		return fmt.Errorf("%s: the connection to postgresql %s broke: %v", doing, s.address, err)
	}
	return fmt.Errorf("%s at postgresql %s: %v", doing, s.address, err)
}

func (s *session) host() string {
	host, _, _ := net.SplitHostPort(s.address)
	return host
}

func own(kind *fault.Error, ours *advice) error {
	if kind != nil {
		return kind
	}
	return ours
}

// outcome is the context's error, without what pgx put around it.
func outcome(err error) error {
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	return context.DeadlineExceeded
}

// told takes over what the server said. Details are taken where they name what stands in the way.
func (s *session) told(what string, e *pgconn.PgError) error {
	text := fmt.Sprintf("%s: %s (SQLSTATE %s)", what, e.Message, e.Code)
	if detail := strings.ReplaceAll(e.Detail, "\n", "; "); detail != "" && (e.Code == "2BP01" || e.Code == "42501") {
		text += ": " + detail[:min(len(detail), 500)]
	}
	return &refused{text, e.Code, e.Message}
}

// advice is what stands in the way, and what to do about it.
type advice struct{ text string }

func (a *advice) Error() string { return a.text }

func advise(format string, args ...any) error { return &advice{fmt.Sprintf(format, args...)} }

// without takes secrets out of an error that quotes them: servers may, of statements that they do not understand.
func without(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	for _, s := range secrets {
		if s != "" && strings.Contains(err.Error(), s) {
			return errors.New(strings.ReplaceAll(err.Error(), s, "[redacted]"))
		}
	}
	return err
}

package seal

import (
	"context"
	"errors"
	"time"

	"github.com/trstctl/trstctl/engines/seal/token"
	"github.com/trstctl/trstctl/fsm/fault"
)

// errPIN says that the token refused the PIN.
var errPIN = errors.New("the token refused the PIN")

// login starts a child, opens the token and logs in, with exactly one attempt and only if nothing speaks against it.
func (s *PKCS11) login(ctx context.Context) error {
	pin, err := s.conf.pin(s.limits.pin)
	if err != nil {
		return err
	}
	defer clear(pin)
	earlier, err := s.earlier(pin)
	if err != nil {
		return err
	}
	info, err := s.start()
	if err != nil {
		return err
	}
	if err := s.mayLogin(ctx, info, earlier); err != nil {
		return err
	}
	now, err := s.conf.attempt(pin)
	if err == nil {
		err = s.mark.write(now)
	}
	if err != nil {
		return err
	}
	_, err = s.request(token.Message{Kind: token.Login, A: pin}, s.limits.call)
	switch {
	case errors.Is(err, errPIN):
		return s.refused(now, err.Error())
	case err != nil:
		return err // nobody knows whether the token counted it: the mark stays, as an attempt
	}
	return s.mark.remove()
}

// earlier returns the attempt with this PIN whose end nobody saw, nil if there is none, or the error that forbids another.
func (s *PKCS11) earlier(pin []byte) (*markContent, error) {
	m, err := s.mark.read()
	if m == nil || err != nil {
		return nil, err
	}
	bits, err := s.conf.bits(pin, m.Salt)
	switch {
	case err != nil:
		return nil, err
	case bits != m.Bits:
		return nil, nil // another PIN
	case m.Refused:
		return nil, s.forbidden(*m)
	}
	return m, nil
}

// forbidden says why nobody logs in, and what to do.
func (s *PKCS11) forbidden(m markContent) error {
	return fault.New(fault.Denied, "seal %s: token %q refused the PIN at %s (%s), so it is not tried again: put the right one into %s, or, if it is right now, run `trstctl operator seal retry %s`",
		s.id, s.conf.Token, m.At.Format(time.RFC3339), m.Why, s.conf.pinSource(), s.id)
}

// refused turns the mark of an attempt into one that forbids.
func (s *PKCS11) refused(m markContent, why string) error {
	m.Refused, m.Why = true, why
	return errors.Join(s.forbidden(m), s.mark.write(m))
}

// mayLogin judges what the token says about its PIN.
func (s *PKCS11) mayLogin(ctx context.Context, info token.Info, earlier *markContent) error {
	refuse := func(format string) error {
		return fault.New(fault.Denied, "seal %s: token %q "+format, s.id, s.conf.Token)
	}
	switch {
	case info.Locked:
		return refuse("has locked the user's PIN: set it anew with the HSM's own tools")
	case info.FinalTry:
		return refuse("bears only one more wrong PIN before it locks, so it is not tried here: log in once with the HSM's own tools")
	case info.Expired:
		return refuse("wants a new user's PIN: set it with the HSM's own tools")
	case info.CountLow && earlier != nil:
		return s.refused(*earlier, "an attempt did not end, and the token counts a wrong PIN since its last login")
	case info.CountLow:
		s.log.WarnContext(ctx, "the token counts a wrong PIN since its last login", "token", s.conf.Token)
	}
	return nil
}

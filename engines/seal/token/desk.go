//go:build cgo

package token

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
)

// Built says whether PKCS#11 is in this binary.
const Built = true

// desk answers requests in order.
type desk struct {
	module  *module
	session *session
}

// failure is an error with the kind of its answer.
type failure struct {
	kind byte
	error
}

func refusef(format string, args ...any) error {
	return failure{Refused, fmt.Errorf(format, args...)}
}

// rv is an error of the module's, which names the step that failed.
func rv(step string, err error) error { return fmt.Errorf("%s: %w", step, err) }

// is reports whether err is one of the module's return values.
func is(err error, values ...uint) bool {
	e, ok := errors.AsType[pkcs11.Error](err)
	for _, v := range values {
		if ok && uint(e) == v {
			return true
		}
	}
	return false
}

func (d *desk) handle(m Message) Message {
	out, err := d.answer(m)
	if err == nil {
		return Message{Kind: Done, A: out}
	}
	kind := Failed
	if f, ok := errors.AsType[failure](err); ok {
		kind = f.kind
	}
	if errors.Is(err, errWrongKey) {
		kind = WrongKey
	}
	return Message{Kind: kind, B: []byte(err.Error())}
}

func (d *desk) answer(m Message) ([]byte, error) {
	switch {
	case m.Kind == Open && d.module == nil:
		return d.open(m.A)
	case m.Kind == InitToken && d.module == nil:
		return nil, d.load(m.A)
	case m.Kind == SetPINs && d.module != nil && d.session == nil:
		return nil, d.module.initToken(m.A, m.B)
	case d.session == nil:
		return nil, refusef("request %d came out of turn", m.Kind)
	case m.Kind == Login:
		return nil, d.session.login(m.A)
	case m.Kind == Wrap:
		return d.session.wrap(m.A, m.B)
	case m.Kind == Unwrap:
		return d.session.unwrap(m.A, m.B)
	case m.Kind == CreateKey:
		return nil, d.session.createKeys()
	}
	return nil, refusef("request %d is not known", m.Kind)
}

func (d *desk) load(settings []byte) error {
	var set Settings
	if err := json.Unmarshal(settings, &set); err != nil {
		return refusef("read the settings: %w", err)
	}
	var err error
	d.module, err = load(set)
	return err
}

func (d *desk) open(settings []byte) (_ []byte, err error) {
	if err = d.load(settings); err != nil {
		return nil, err
	}
	var info Info
	if d.session, info, err = d.module.openToken(); err != nil {
		return nil, err
	}
	return json.Marshal(info)
}

// close is polite to tokens that count sessions. What fails here ends with the process anyway.
func (d *desk) close() {
	if d.session != nil {
		_ = d.module.Logout(d.session.handle)
		_ = d.module.CloseSession(d.session.handle)
	}
	if d.module != nil {
		_ = d.module.Finalize()
	}
}

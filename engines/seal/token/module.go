//go:build cgo

package token

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"github.com/miekg/pkcs11"
)

// module is a library that was loaded and initialised.
type module struct {
	*pkcs11.Ctx
	set Settings
	pin runtime.Pinner // holds the reserved parameters, which a module may go on reading
}

func load(set Settings) (*module, error) {
	if _, err := os.Stat(set.Module); err != nil {
		return nil, refusef("the module cannot be found: %w", err)
	}
	m := &module{Ctx: pkcs11.New(set.Module), set: set}
	if m.Ctx == nil {
		return nil, refusef("the module %s cannot be loaded: is it a PKCS#11 library, and does `ldd` find all that it needs?", set.Module)
	}
	options := []pkcs11.InitializeOption{}
	if set.Reserved != "" {
		text := append([]byte(set.Reserved), 0)
		m.pin.Pin(&text[0])
		options = append(options, pkcs11.InitializeWithReserved(unsafe.Pointer(&text[0])))
	}
	if err := m.Initialize(options...); err != nil {
		return nil, rv("initialise the module", err)
	}
	return m, nil
}

// tokens returns the slots and states of all tokens that can be asked.
func (m *module) tokens() (map[uint]pkcs11.TokenInfo, error) {
	slots, err := m.GetSlotList(true)
	if err != nil {
		return nil, rv("list the slots", err)
	}
	found := map[uint]pkcs11.TokenInfo{}
	for _, slot := range slots {
		info, err := m.GetTokenInfo(slot)
		if is(err, pkcs11.CKR_TOKEN_NOT_PRESENT, pkcs11.CKR_TOKEN_NOT_RECOGNIZED, pkcs11.CKR_DEVICE_REMOVED) {
			continue // pulled out since it was listed, or not a token: another one may be ours
		}
		if err != nil {
			return nil, rv("ask a token who it is", err)
		}
		info.Label = strings.TrimRight(info.Label, " \x00")
		found[slot] = info
	}
	return found, nil
}

// findToken returns the one token with the configured label. Slot numbers change when tokens come and go, so they are never relied on.
func (m *module) findToken() (slot uint, info pkcs11.TokenInfo, err error) {
	all, err := m.tokens()
	if err != nil {
		return 0, info, err
	}
	var labels []string
	n := 0
	for s, i := range all {
		if i.Label == "" {
			continue // one that was not initialised
		}
		labels = append(labels, i.Label)
		if i.Label == m.set.Token {
			slot, info, n = s, i, n+1
		}
	}
	slices.Sort(labels)
	switch n {
	case 0:
		return 0, info, failure{Failed, fmt.Errorf("there is no token %q: the module shows %q", m.set.Token, labels)}
	case 1:
		return slot, info, nil
	}
	return 0, info, refusef("%d tokens are called %q: give each a label of its own", n, m.set.Token)
}

// openToken opens a session on the token. Nobody is logged in yet.
func (m *module) openToken() (*session, Info, error) {
	slot, t, err := m.findToken()
	if err != nil {
		return nil, Info{}, err
	}
	handle, err := m.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return nil, Info{}, rv("open a session", err)
	}
	flag := func(f uint) bool { return t.Flags&f != 0 }
	return &session{module: m, slot: slot, handle: handle}, Info{
		Serial:   strings.TrimRight(t.SerialNumber, " \x00"),
		CountLow: flag(pkcs11.CKF_USER_PIN_COUNT_LOW), FinalTry: flag(pkcs11.CKF_USER_PIN_FINAL_TRY), Locked: flag(pkcs11.CKF_USER_PIN_LOCKED),
		Expired: flag(pkcs11.CKF_USER_PIN_TO_BE_CHANGED),
	}, nil
}

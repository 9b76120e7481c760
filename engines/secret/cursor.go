package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"encoding/base64"
	"strings"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// A cursor is the path or folder to go on behind. One that stands in no list, because a page ended among what the caller may not see,
// is closed: a slash, which begins no path, and in base64 a MAC of the path, then the path under a key derived from that MAC. The same path
// gives the same cursor on every node.
const (
	closedMark = "/"
	closedMAC  = 16
)

func (e *Engine) closeCursor(r fsm.Reader, tenant fsm.UID, path string) (string, error) {
	mac, err := e.keys.MAC(r, tenant, "secret list cursor", []byte(path))
	if err != nil {
		return "", err
	}
	out := append(mac[:closedMAC:closedMAC], path...)
	err = e.cryptCursor(r, tenant, out)
	return closedMark + base64.RawURLEncoding.EncodeToString(out), err
}

// openCursor gives back what was closed, and any other cursor as it is.
func (e *Engine) openCursor(r fsm.Reader, tenant fsm.UID, cursor string) (string, error) {
	text, closed := strings.CutPrefix(cursor, closedMark)
	if !closed {
		return cursor, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) <= closedMAC {
		return "", errCursor()
	}
	if err := e.cryptCursor(r, tenant, b); err != nil {
		return "", err
	}
	mac, err := e.keys.MAC(r, tenant, "secret list cursor", b[closedMAC:])
	if err == nil && !hmac.Equal(mac[:closedMAC], b[:closedMAC]) {
		err = errCursor()
	}
	return string(b[closedMAC:]), err
}

// cryptCursor en- or decrypts what stands behind the MAC.
func (e *Engine) cryptCursor(r fsm.Reader, tenant fsm.UID, b []byte) error {
	key, err := e.keys.MAC(r, tenant, "secret list cursor key", b[:closedMAC])
	if err != nil {
		return err
	}
	defer clear(key[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return err
	}
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(b[closedMAC:], b[closedMAC:]) // the key is this path's alone
	return nil
}

func errCursor() error { return fault.Bad("cursor", "is not one that this list gave") }

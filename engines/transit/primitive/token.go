package primitive

import (
	"bytes"
	"encoding/base64"
	"strconv"

	"github.com/trstctl/trstctl/fsm/fault"
)

// A token is how ciphertexts, MACs, signatures and encapsulated keys are written outside:
//
//	trv:<version>:<payload in base64>
//
// The version of the key is decimal without leading zeros; base64 is RFC 4648, section 4, padded, with unused bits zero, on one line. So every token
// has one way to be written.
const (
	tokenPrefix = "trv:"
	maxHead     = len(tokenPrefix) + 16 + 1

	// MaxVersion is the highest version of a key: what every JSON reader takes for an exact integer.
	MaxVersion = 1<<53 - 1
	// MaxPayload bounds what a token carries, in bytes.
	MaxPayload = MaxPlaintext + 64
	// MaxToken bounds a token's text, in bytes.
	MaxToken = maxHead + (MaxPayload+2)/3*4
)

// Token is a parsed token.
type Token struct {
	Version uint64 // 1 to MaxVersion
	Payload []byte // at least one byte, in the buffer that ParseToken was given
}

var errToken error = fault.New(fault.Invalid, "not of the form trv:<version>:<base64>")

// ParseToken decodes text behind dst, whose content it leaves alone and in whose spare capacity the payload stands if it fits.
func ParseToken(dst, text []byte) (Token, error) {
	if len(text) > MaxToken {
		return Token{}, fault.New(fault.TooLarge, "a token has %d bytes at most", MaxToken)
	}
	rest, ok := bytes.CutPrefix(text, []byte(tokenPrefix))
	if !ok {
		return Token{}, errToken
	}
	digits, body, ok := bytes.Cut(rest, []byte(":"))
	version, good := parseVersion(digits)
	if !ok || !good || len(body) == 0 || len(body)%4 != 0 || bytes.IndexByte(body, '\r') >= 0 || bytes.IndexByte(body, '\n') >= 0 { // which the decoder would skip
		return Token{}, errToken
	}
	out, err := base64.StdEncoding.Strict().AppendDecode(dst, body)
	if err != nil || len(out)-len(dst) > MaxPayload {
		return Token{}, errToken
	}
	return Token{Version: version, Payload: out[len(dst):]}, nil
}

// TokenVersion returns the version that text names, whatever comes behind it.
func TokenVersion(text []byte) (version uint64, ok bool) {
	rest, ok := bytes.CutPrefix(text, []byte(tokenPrefix))
	digits, _, found := bytes.Cut(rest, []byte(":"))
	if !ok || !found {
		return 0, false
	}
	return parseVersion(digits)
}

func parseVersion(digits []byte) (uint64, bool) {
	if len(digits) == 0 || len(digits) > 16 || digits[0] == '0' {
		return 0, false
	}
	var v uint64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = 10*v + uint64(c-'0')
	}
	return v, v <= MaxVersion
}

// AppendToken writes the token of a payload behind dst.
func AppendToken(dst []byte, version uint64, payload []byte) []byte {
	return base64.StdEncoding.AppendEncode(appendHead(dst, version), payload)
}

func appendHead(dst []byte, version uint64) []byte {
	return append(strconv.AppendUint(append(dst, tokenPrefix...), version, 10), ':')
}

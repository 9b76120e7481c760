package dynamic

import (
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"log/slog"
	"math/big"
	"strings"

	"github.com/trstctl/trstctl/fsm"
)

// Password is one that was made here. It prints as [redacted]; whoever sends it converts it to []byte on purpose.
type Password []byte

// Zero overwrites p.
func (p Password) Zero() { clear(p) }

// String, GoString, Format, LogValue, MarshalText and MarshalJSON keep the secret out of every kind of output.
func (Password) String() string               { return redacted }
func (Password) GoString() string             { return redacted }
func (Password) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Password) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Password) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Format implements fmt.Formatter for every verb.
func (Password) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte(redacted)) // fmt reports what its writer refuses
}

const redacted = "[redacted]"

// Lengths of passwords.
const (
	leastLength   = 20
	mostLength    = 128
	defaultLength = 32
)

// classes are of characters that no quoting touches. Every password has one of each.
var classes = []string{"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789", "-_"}

// newPassword draws a password: each one with a character of each class is as likely as any other.
func newPassword(length int) Password {
	all := strings.Join(classes, "")
	for {
		p := make(Password, length)
		for i := range p {
			p[i] = all[below(len(all))]
		}
		if varied(p) {
			return p
		}
		p.Zero()
	}
}

func varied(p Password) bool {
	for _, c := range classes {
		if strings.IndexAny(c, string([]byte(p))) < 0 {
			return false
		}
	}
	return true
}

func below(n int) int {
	i, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return int(i.Int64())
}

var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// prefixOf is what the names of a connection's accounts begin with, and no other connection's.
func prefixOf(connection fsm.UID) string { return "trs" + letters.EncodeToString(connection[:3]) + "_" }

// drawn is the length of the random end of an account's name, in characters: 64 bits.
const drawn = 13

// accountName draws a name of at most limit bytes, with as much of the role's name in it as fits: for people who look at the target.
func accountName(connection fsm.UID, role string, limit int) string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails: the process ends instead
	prefix, end := prefixOf(connection), letters.EncodeToString(random[:])
	middle := readable(role)
	if room := limit - len(prefix) - 1 - drawn; room < 1 || middle == "" {
		return prefix + end
	} else if len(middle) > room {
		middle = middle[:room]
	}
	return prefix + middle + "_" + end
}

// readable is what of a name can stand in an account's.
func readable(name string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

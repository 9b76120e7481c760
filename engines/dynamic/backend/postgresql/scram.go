package postgresql

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

const (
	scramIterations = 4096 // RFC 7677, and PostgreSQL's default
	scramSaltSize   = 16
)

// newVerifier is what the server keeps of a password, with a salt of its own: SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey (PostgreSQL's documentation of pg_authid). Passwords are
// printable ASCII, which SASLprep leaves as it is.
func newVerifier(password []byte) string {
	salt := make([]byte, scramSaltSize)
	_, _ = rand.Read(salt) // never fails: the process ends instead
	return verifier(password, salt, scramIterations)
}

// verifier is RFC 5802, section 3.
func verifier(password, salt []byte, iterations int) string {
	salted := stretch(password, salt, iterations)
	defer clear(salted)
	client := mac(salted, []byte("Client Key"))
	defer clear(client)
	stored := sha256.Sum256(client)
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(stored[:]), b64(mac(salted, []byte("Server Key"))))
}

// stretch is Hi of RFC 5802: the first block of PBKDF2. crypto/pbkdf2 takes a string, which nobody can clear.
func stretch(password, salt []byte, iterations int) []byte {
	h := hmac.New(sha256.New, password)
	h.Write(salt)
	h.Write(binary.BigEndian.AppendUint32(nil, 1))
	u := h.Sum(nil)
	out := append([]byte(nil), u...)
	for range iterations - 1 {
		h.Reset()
		h.Write(u)
		u = h.Sum(u[:0])
		for i := range out {
			out[i] ^= u[i]
		}
	}
	clear(u)
	return out
}

func mac(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}

package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
)

func kept(t *testing.T, name, content string) string {
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}

func TestTransitUsageAsksNobody(t *testing.T) {
	r := newRig(t, 200, struct{}{})
	short := kept(t, "short", "not a key")
	for _, args := range []string{
		"", "key", "encrypt", "encrypt k a b", "encrypt k /does/not/exist", "encrypt k --text x -", "encrypt k --base64", "encrypt k --lines --text x", "decrypt k --lines trv:1:AAAA",
		"decrypt k", "decrypt k --context @/does/not/exist", "verify k", "verify k --signature trv:1:AAAA --hmac trv:1:AAAA", "verify k --signature @/does/not/exist",
		"hash --format octal", "random ten", "random 0", "random 16 --format octal", "key configure k", "key trim k", "key create k --rotate-every -1h", "key create k --rotate-every 1ns",
		"key import k -", "key import k - --algorithm rot13", "key import k " + short + " --algorithm aes256-gcm", "key import k - --algorithm ed25519 --hash sha1", "key import k - --wrapped --plain --algorithm ed25519",
		"key export k --to a.pem --version 2", "key export k --to /does/not/exist", "key export k /does/not/exist/file", "key restore k /does/not/exist",
	} {
		require.Equal(t, exitUsage, r.run(t, append([]string{"transit"}, strings.Fields(args)...)...), args)
		require.Empty(t, r.asked, args)
		require.NotEmpty(t, r.err.String(), args)
	}
	for _, flag := range []string{"--context", "--associated-data", "--text", "--hash"} {
		require.Equal(t, exitUsage, r.run(t, "transit", "encrypt", "k", flag, ""))
		require.Contains(t, r.err.String(), flag+" is empty")
		require.Empty(t, r.asked)
	}
}

func TestEncryptPrintsTheCiphertextAlone(t *testing.T) {
	r := newRig(t, 200, map[string]any{"ciphertext": "trv:2:AAAA", "key_version": 2})
	r.in = "from stdin\n"
	file := kept(t, "value", "\xff\x00")
	for args, want := range map[string]string{
		"k":                       `{"plaintext":"ZnJvbSBzdGRpbgo="}`,
		"k -":                     `{"plaintext":"ZnJvbSBzdGRpbgo="}`,
		"k " + file:               `{"plaintext":"/wA="}`,
		"k --text planted":        `{"plaintext":"cGxhbnRlZA=="}`,
		"k --key-version 2":       `{"plaintext":"ZnJvbSBzdGRpbgo=","key_version":2}`,
		"k --context @" + file:    `{"plaintext":"ZnJvbSBzdGRpbgo=","context":"/wA="}`,
		"k --associated-data row": `{"plaintext":"ZnJvbSBzdGRpbgo=","associated_data":"cm93"}`,
	} {
		require.Equal(t, exitOK, r.run(t, append([]string{"transit", "encrypt"}, strings.Fields(args)...)...), r.err.String())
		require.Equal(t, "trv:2:AAAA\n", r.out.String())
		require.JSONEq(t, want, r.asked[0].body)
		require.Equal(t, strings.Contains(args, "--text"), strings.Contains(r.err.String(), "history"))
		require.NotContains(t, r.err.String(), "planted")
	}
	require.Equal(t, exitOK, r.run(t, "transit", "encrypt", "k", "-o", "json"))
	require.JSONEq(t, `{"ciphertext":"trv:2:AAAA","key_version":2}`, r.out.String())
	r.in = strings.Repeat("x", maxMessage+1)
	require.Equal(t, exitUsage, r.run(t, "transit", "encrypt", "k"))
	require.Contains(t, r.err.String(), "trstctl transit datakey")
	require.Equal(t, exitUsage, r.run(t, "transit", "sign", "k"))
	require.Contains(t, r.err.String(), "--prehashed")
	require.Empty(t, r.asked)
	r.in = r.in[1:]
	require.Equal(t, exitOK, r.run(t, "transit", "encrypt", "k", "--associated-data", "@"+kept(t, "ad", strings.Repeat("x", 64<<10))))
	require.Less(t, len(r.asked[0].body), sdk.MaxUseBody)
}

func TestDecryptPrintsExactlyTheBytes(t *testing.T) {
	r := newRig(t, 200, map[string]any{"plaintext": "/wAKCg=="})
	r.in = "  trv:1:AAAA\r\n"
	for _, arg := range []string{"-", "trv:1:AAAA", kept(t, "made", "trv:1:AAAA\n")} {
		require.Equal(t, exitOK, r.run(t, "transit", "decrypt", "k", arg), r.err.String())
		require.Equal(t, "\xff\x00\n\n", r.out.String())
		require.JSONEq(t, `{"ciphertext":"trv:1:AAAA"}`, r.asked[0].body)
	}
	require.Equal(t, exitOK, r.run(t, "transit", "decrypt", "k", "-o", "json"))
	require.JSONEq(t, `{"plaintext":"/wAKCg=="}`, r.out.String())
	require.Equal(t, exitOK, r.run(t, "transit", "decrypt", "k", "-o", "table"))
	require.Equal(t, "(4 bytes that are not text: use -o raw)\n", r.out.String())
}

func TestVerifyHasACodeOfItsOwn(t *testing.T) {
	for valid, code := range map[bool]int{true: exitOK, false: exitNot} {
		r := newRig(t, 200, map[string]bool{"valid": valid})
		r.in = "input"
		require.Equal(t, code, r.run(t, "transit", "verify", "k", "--signature", "@"+kept(t, "sig", "trv:1:AAAA\n"), "--scheme", "pkcs1v15"))
		require.JSONEq(t, `{"input":"aW5wdXQ=","signature":"trv:1:AAAA","scheme":"pkcs1v15"}`, r.asked[0].body)
		require.Contains(t, r.out.String(), "valid  "+yes(valid))
		require.Equal(t, !valid, strings.Contains(r.err.String(), "trstctl: not valid"))
		require.Equal(t, code, r.run(t, "transit", "verify", "k", "--hmac", "trv:1:AAAA", "-o", "json"))
		require.JSONEq(t, `{"valid":`+map[bool]string{true: "true", false: "false"}[valid]+`}`, r.out.String())
	}
}

func TestDigestsAsProgramsPrintThem(t *testing.T) {
	sum := sha256.Sum256(nil)
	printed := hex.EncodeToString(sum[:])
	for _, in := range []string{string(sum[:]), printed, printed + "\n", printed + "  some file\n", strings.ToUpper(printed)} {
		require.Equal(t, sum[:], digestOf([]byte(in)), in)
	}
	for _, in := range []string{"", "00", "planted", printed + "0"} {
		require.Equal(t, in, string(digestOf([]byte(in))))
	}
}

func TestLinesAnswerLineByLine(t *testing.T) {
	r := newRig(t, 200, map[string]any{"items": []any{map[string]any{"ciphertext": "trv:1:AAAA", "key_version": 1}, map[string]any{"ciphertext": "trv:1:AAAB", "key_version": 1}}})
	r.in = "YQ==\nnot base64\r\nYg==\r\n"
	require.Equal(t, exitPart, r.run(t, "transit", "encrypt", "k", "--lines", "--base64"))
	require.JSONEq(t, `{"items":[{"plaintext":"YQ=="},{"plaintext":"Yg=="}]}`, r.asked[0].body)
	require.Equal(t, "trv:1:AAAA\n\ntrv:1:AAAB\n", r.out.String())
	require.Equal(t, "line 2: is not standard base64 with padding\ntrstctl: 1 of 3 lines were refused, all others are done\n", r.err.String())
	require.Equal(t, exitPart, r.run(t, "transit", "encrypt", "k", "--lines", "--base64", "-o", "json"))
	require.Equal(t, `{"line":1,"ciphertext":"trv:1:AAAA","key_version":1}
{"line":2,"error":{"kind":"invalid","detail":"is not standard base64 with padding"}}
{"line":3,"ciphertext":"trv:1:AAAB","key_version":1}
`, r.out.String())
	r.in = "a\n\nc\n"
	require.Equal(t, exitFailure, r.run(t, "transit", "encrypt", "k", "--lines"), "an answer of two items to three")
	require.JSONEq(t, `{"items":[{"plaintext":"YQ=="},{"plaintext":""},{"plaintext":"Yw=="}]}`, r.asked[0].body)
	require.Empty(t, r.out.String())
	require.Contains(t, r.err.String(), "trstctl: line 1 and those after it were not done: ")
	r.in = ""
	require.Equal(t, exitOK, r.run(t, "transit", "rewrap", "k", "--lines"))
	require.Empty(t, r.out.String()+r.err.String())
	require.Empty(t, r.asked)
}

func TestLinesOfPlaintext(t *testing.T) {
	r := newRig(t, 200, map[string]any{"items": []any{map[string]any{"plaintext": ""}, map[string]any{"plaintext": "YQpi"},
		map[string]any{"error": map[string]any{"kind": "invalid", "detail": "cannot be decrypted"}}, map[string]any{"plaintext": "Yw=="}}})
	r.in = "trv:1:A\ntrv:1:B\ntrv:1:C\ntrv:1:D\n"
	require.Equal(t, exitPart, r.run(t, "transit", "decrypt", "k", "--lines", "--context", "c"))
	require.Equal(t, "\n\n\nc\n", r.out.String())
	require.Contains(t, r.err.String(), "line 2: the plaintext holds a line break: use --base64\nline 3: cannot be decrypted\n")
	require.Contains(t, r.asked[0].body, `{"ciphertext":"trv:1:A","context":"Yw=="}`)
	require.Equal(t, exitPart, r.run(t, "transit", "decrypt", "k", "--lines", "--base64"))
	require.Equal(t, "\nYQpi\n\nYw==\n", r.out.String())
	require.NotContains(t, r.err.String(), "line 2")
	require.Equal(t, exitPart, r.run(t, "transit", "decrypt", "k", "--lines", "-o", "json"))
	require.Contains(t, r.out.String(), `{"line":1,"plaintext":""}`+"\n"+`{"line":2,"plaintext":"YQpi"}`+"\n")
	down := newRig(t, 503, map[string]string{"kind": "not-done", "detail": "because"})
	down.in = r.in
	require.Equal(t, exitUnavailable, down.run(t, "transit", "decrypt", "k", "--lines", "--timeout", "100ms"))
	require.Contains(t, down.err.String(), "line 1 and those after it were not done: because")
}

// pieces gives one piece a read, as a pipe does.
type pieces []string

func (p *pieces) Read(b []byte) (int, error) {
	if len(*p) == 0 {
		return 0, io.EOF
	}
	n := copy(b, (*p)[0])
	*p = (*p)[1:]
	return n, nil
}

func TestALineIsNotKeptWaiting(t *testing.T) {
	r := &lineReader{in: bufio.NewReaderSize(&pieces{"a\nb\nc", "c\n", strings.Repeat("x", 30), "\nd"}, 64), longest: 20}
	var got []string
	for err := error(nil); !errors.Is(err, io.EOF); {
		var lines []inputLine
		lines, err = r.batch()
		for _, l := range lines {
			got = append(got, string(l.text)+map[bool]string{true: "(long)"}[l.long])
		}
		got = append(got, "|")
	}
	require.Equal(t, "a b | cc | (long) | d |", strings.Join(got, " "))
	many := &lineReader{in: bufio.NewReaderSize(strings.NewReader(strings.Repeat("\n", linesAtOnce+1)), 4096), longest: 20}
	lines, err := many.batch()
	require.NoError(t, err)
	require.Len(t, lines, linesAtOnce)
	wide := &lineReader{in: bufio.NewReaderSize(strings.NewReader("a\nb\nc\n"), 64), longest: 20, beside: bytesAtOnce / 2}
	lines, err = wide.batch()
	require.NoError(t, err)
	require.Len(t, lines, 2)
}

func TestWhatIsImportedIsWrappedHere(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	require.NoError(t, err)
	r := newRig(t, 200, map[string]any{"public_key": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), "name": "k", "version": 1, "algorithm": "aes256-gcm"})
	r.in = "planted-planted-planted-planted-"
	planted := base64.StdEncoding.EncodeToString([]byte(r.in))
	for args, asked := range map[string][]string{
		"--algorithm aes256-gcm --exportable --idempotency-key once": {"POST wrapping-key", "POST keys/k/import", "GET keys/k"},
		"--next-version":                 {"GET keys/k", "POST wrapping-key", "POST keys/k/import", "GET keys/k"},
		"--algorithm ed25519 --plain":    {"POST keys/k/import", "GET keys/k"},
		"--algorithm rsa-2048 --wrapped": {"POST keys/k/import", "GET keys/k"},
	} {
		require.Equal(t, exitOK, r.run(t, append([]string{"transit", "key", "import", "k", "-"}, strings.Fields(args)...)...), r.err.String())
		var lines []string
		for _, q := range r.asked {
			line, _, _ := strings.Cut(strings.Replace(q.line, "/api/v1/transit/", "", 1), "?")
			lines = append(lines, line)
			if strings.HasSuffix(line, "/import") {
				require.Equal(t, strings.Contains(args, "--plain"), strings.Contains(q.body, `"key":"`+planted+`"`), args)
				require.Equal(t, strings.Contains(args, "--wrapped"), strings.Contains(q.body, `"wrapped_key":"`+planted+`"`), args)
			}
		}
		require.Equal(t, asked, lines)
		require.NotContains(t, r.out.String()+r.err.String(), "planted")
	}
}

func TestAKeyIsWrittenToANewFileAlone(t *testing.T) {
	r := newRig(t, 200, map[string]any{"key": "/wA=", "backup": "/wE=", "name": "k", "version": 3, "format": "raw"})
	dir := t.TempDir()
	exported, backup := filepath.Join(dir, "exported"), filepath.Join(dir, "backup")
	require.Equal(t, exitOK, r.run(t, "transit", "key", "export", "k", exported, "--version", "3"), r.err.String())
	require.Equal(t, "GET /api/v1/transit/export/k?version=3", r.asked[0].line)
	require.Equal(t, exitOK, r.run(t, "transit", "key", "backup", "k", backup, "-o", "json"), r.err.String())
	require.JSONEq(t, `{"name":"k","file":"`+backup+`"}`, r.out.String())
	for file, want := range map[string]string{exported: "\xff\x00", backup: "\xff\x01"} {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, want, string(b))
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode())
		require.Equal(t, exitConflict, r.run(t, "transit", "key", "export", "k", file))
		require.Empty(t, r.asked)
	}
	require.Equal(t, exitOK, r.run(t, "transit", "key", "export", "k"))
	require.Equal(t, "\xff\x00", r.out.String())
	require.Equal(t, exitOK, r.run(t, "transit", "key", "export", "k", "--to", kept(t, "to.pem", "PEM")))
	require.Equal(t, "\xff\x01", r.out.String())
	require.JSONEq(t, `{"public_key":"PEM"}`, r.asked[0].body)
	failing := newRig(t, 409, map[string]string{"kind": "conflict", "detail": "not exportable"})
	require.Equal(t, exitConflict, failing.run(t, "transit", "key", "export", "k", filepath.Join(dir, "none")))
	require.NoFileExists(t, filepath.Join(dir, "none"))
}

func TestDigestsAndRandomBytesInTheirFormats(t *testing.T) {
	r := newRig(t, 200, map[string]any{"sum": "/wA=", "random": "/wA="})
	for _, what := range []string{"sum", "random"} {
		args := map[string][]string{"sum": {"transit", "hash"}, "random": {"transit", "random", "2"}}[what]
		for format, want := range map[string]string{"hex": "ff00\n", "base64": "/wA=\n", "raw": "\xff\x00"} {
			require.Equal(t, exitOK, r.run(t, append(args, "--format", format)...))
			require.Equal(t, want, r.out.String())
		}
		require.Equal(t, exitOK, r.run(t, append(args, "-o", "json")...))
		require.JSONEq(t, `{"`+what+`":"ff00","format":"hex"}`, r.out.String())
	}
	require.JSONEq(t, `{"bytes":2}`, r.asked[0].body)
}

func TestADataKeyIsShownOnlyWhenItIsWanted(t *testing.T) {
	r := newRig(t, 200, map[string]any{"plaintext": "/wA=", "ciphertext": "trv:1:AAAA", "key_version": 1})
	require.Equal(t, exitOK, r.run(t, "transit", "datakey", "k", "--bits", "128"))
	require.Equal(t, "POST /api/v1/transit/datakey-plaintext/k", r.asked[0].line)
	require.Equal(t, "plaintext   /wA=\nciphertext  trv:1:AAAA\n", r.out.String())
	require.Equal(t, exitOK, r.run(t, "transit", "datakey", "k", "--wrapped-only"))
	require.Equal(t, "POST /api/v1/transit/datakey/k", r.asked[0].line)
	require.Equal(t, "trv:1:AAAA\n", r.out.String())
	require.False(t, bytes.Contains(r.out.Bytes(), []byte("/wA=")))
}

package primitive

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

func TestTokensComeBack(t *testing.T) {
	for _, version := range []uint64{1, 9, 10, 1 << 32, MaxVersion} {
		for n := 1; n < 9; n++ {
			payload := bytes.Repeat([]byte{0xfb}, n)
			text := AppendToken([]byte("x"), version, payload)
			token, err := ParseToken([]byte("y"), text[1:])
			require.NoError(t, err)
			require.Equal(t, Token{version, payload}, token)
		}
	}
}

func TestThePayloadStandsInTheBuffer(t *testing.T) {
	buffer := append(make([]byte, 0, 64), "kept"...)
	token, err := ParseToken(buffer, []byte("trv:1:AAAA"))
	require.NoError(t, err)
	require.Equal(t, &buffer[:5][4], &token.Payload[0])
	require.Equal(t, "kept", string(buffer))
}

func TestTextsThatAreNoTokens(t *testing.T) {
	for _, text := range []string{
		"", "trv", "trv:", "trv:1", "trv:1:", "trv::", "trv::AAAA", ":1:AAAA", "1:AAAA", "AAAA",
		"TRV:1:AAAA", "trw:1:AAAA", "trv1:1:AAAA", " trv:1:AAAA", "trv:1:AAAA ", "trv:1:AAAA\n", "\ntrv:1:AAAA", "trv:1:v1:AAAA",
		"trv:0:AAAA", "trv:00:AAAA", "trv:01:AAAA", "trv:+1:AAAA", "trv:-1:AAAA", "trv: 1:AAAA", "trv:1 :AAAA", "trv:v1:AAAA", "trv:1.0:AAAA", "trv:1e3:AAAA", "trv:0x1:AAAA", "trv:١:AAAA",
		"trv:9007199254740992:AAAA", "trv:9999999999999999:AAAA", "trv:18446744073709551616:AAAA", "trv:18446744073709551617:AAAA", "trv:" + strings.Repeat("9", 1000) + ":AAAA",
		"trv:1:A", "trv:1:AA", "trv:1:AAA", "trv:1:AAAAA", "trv:1:====", "trv:1:A===", "trv:1:AA=A", "trv:1:=AAA", "trv:1:AAAA====", "trv:1:AA==AA==",
		"trv:1:AB==", "trv:1:AAB=", // bits that stand for nothing
		"trv:1:__8=", "trv:1:-_8A", "trv:1:AA\nAA", "trv:1:AA\r\n", "trv:1:AAAA\r\n\r\n", "trv:1:AA A", "trv:1:AAA\x00", "trv:1:\xff\xff\xff\xff", "trv:1::AAAA", "trv:1:AAAA:AAAA", "trv:1:AAAA:",
	} {
		token, err := ParseToken(nil, []byte(text))
		require.Equal(t, errToken, err, "%q", text)
		require.Zero(t, token)
	}
	_, err := ParseToken(nil, bytes.Repeat([]byte("A"), MaxToken+1))
	require.True(t, fault.Is(err, fault.TooLarge))
	require.NotContains(t, errToken.Error(), "AAAA")
}

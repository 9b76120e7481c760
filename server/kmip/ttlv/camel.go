package ttlv

import (
	"strconv"
	"strings"
	"unicode"
)

// camel makes the specification's wording a name for XML and JSON: "Re-key" becomes "ReKey", "PKCS#1" "PKCS_1", "3DES" "DES3"
// (KMIP Profiles 1.4, "Normalizing Names").
func camel(title string) string {
	words := strings.Fields(separate(strings.NewReplacer("(", " ", ")", " ").Replace(title)))
	if len(words) == 0 {
		return ""
	}
	rest := strings.TrimLeft(words[0], "0123456789")
	words[0] = rest + strings.TrimSuffix(words[0], rest)
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

// separate makes a space of punctuation that a word follows, and an underscore of any other.
func separate(s string) string {
	b := []byte(s)
	for i, c := range b {
		switch {
		case c == ' ' || c == '_' || alphanumeric(c):
		case i+2 < len(s) && unicode.IsLetter(rune(s[i+1])) && unicode.IsLower(rune(s[i+2])):
			b[i] = ' '
		default:
			b[i] = '_'
		}
	}
	return string(b)
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// hexNumber reads "0x" and one to 2*size hexadecimal digits.
func hexNumber(s string, size int) (uint64, bool) {
	digits, ok := strings.CutPrefix(s, "0x")
	if !ok || len(digits) > 2*size {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	return n, err == nil
}

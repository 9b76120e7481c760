package ttlv

import "fmt"

// Version is a version of the protocol. Versions compare with < and >.
type Version uint16

// The versions whose tags and values the tables hold. 2.0 is here because the tables say what came with it.
const (
	V10 Version = 0x0100
	V11 Version = 0x0101
	V12 Version = 0x0102
	V13 Version = 0x0103
	V14 Version = 0x0104
	V20 Version = 0x0200
	V21 Version = 0x0201
)

// VersionOf returns the version of the two numbers in a Protocol Version structure. It is false unless the tables know it.
func VersionOf(major, minor int32) (Version, bool) {
	for _, v := range [...]Version{V10, V11, V12, V13, V14, V20, V21} {
		if int32(v.Major()) == major && int32(v.Minor()) == minor {
			return v, true
		}
	}
	return 0, false
}

// Major returns the number before the point.
func (v Version) Major() int { return int(v >> 8) }

// Minor returns the number after the point.
func (v Version) Minor() int { return int(v & 0xff) }

// String returns "1.4".
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major(), v.Minor()) }

// Span is the range of versions in which a tag or a value is defined.
type Span struct {
	Since Version
	Until Version // the last one; 0 where none has taken it away
}

// Has reports whether v is within s.
func (s Span) Has(v Version) bool { return s.Since <= v && (s.Until == 0 || v <= s.Until) }

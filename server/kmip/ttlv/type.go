package ttlv

import "fmt"

// Type says how an item's value is encoded (KMIP 1.4 section 9.1.1.2).
type Type uint8

// The types. DateTimeExtended exists since KMIP 2.0; the codec reads it in every message.
const (
	TypeStructure        Type = 0x01
	TypeInteger          Type = 0x02
	TypeLongInteger      Type = 0x03
	TypeBigInteger       Type = 0x04
	TypeEnumeration      Type = 0x05
	TypeBoolean          Type = 0x06
	TypeTextString       Type = 0x07
	TypeByteString       Type = 0x08
	TypeDateTime         Type = 0x09
	TypeInterval         Type = 0x0a
	TypeDateTimeExtended Type = 0x0b
)

var typeNames = [...]string{
	TypeStructure: "Structure", TypeInteger: "Integer", TypeLongInteger: "LongInteger", TypeBigInteger: "BigInteger",
	TypeEnumeration: "Enumeration", TypeBoolean: "Boolean", TypeTextString: "TextString", TypeByteString: "ByteString",
	TypeDateTime: "DateTime", TypeInterval: "Interval", TypeDateTimeExtended: "DateTimeExtended",
}

// Valid reports whether the protocol defines t.
func (t Type) Valid() bool { return t >= TypeStructure && t <= TypeDateTimeExtended }

// String returns the name that XML and JSON use, or "0x0c" for a type that is not defined.
func (t Type) String() string {
	if t.Valid() {
		return typeNames[t]
	}
	return fmt.Sprintf("0x%02x", uint8(t))
}

// ParseType returns the type with this name, or with this number as "0x02".
func ParseType(name string) (Type, bool) {
	for t := TypeStructure; t.Valid(); t++ {
		if typeNames[t] == name {
			return t, true
		}
	}
	n, ok := hexNumber(name, 1)
	return Type(n), ok && Type(n).Valid()
}

// size returns the number of bytes that every value of t has, 0 where they vary.
func (t Type) size() int {
	switch t {
	case TypeInteger, TypeEnumeration, TypeInterval:
		return 4
	case TypeLongInteger, TypeBoolean, TypeDateTime, TypeDateTimeExtended:
		return 8
	}
	return 0
}

// bytes reports whether a value of t is kept as bytes rather than as a number.
func (t Type) bytes() bool {
	return t == TypeBigInteger || t == TypeTextString || t == TypeByteString
}

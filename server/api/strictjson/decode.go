package strictjson

import (
	"encoding"
	"encoding/base64"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Text is a secret that travels as a JSON string; the caller zeroes it. It is nil only when the field was left out.
type Text []byte

// Base64 is a secret that travels as standard base64 with padding; the caller zeroes it.
type Base64 []byte

// Both print nothing of themselves.
func (Text) String() string         { return "[redacted]" }
func (Text) GoString() string       { return "[redacted]" }
func (Text) LogValue() slog.Value   { return slog.StringValue("[redacted]") }
func (Base64) String() string       { return "[redacted]" }
func (Base64) GoString() string     { return "[redacted]" }
func (Base64) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// Decoder fills structs of one type. It is made once and used by any number of goroutines.
type Decoder struct{ read reader }

// reader passes one value and stores it in v, which can be set.
type reader func(s *scanner, depth int, v reflect.Value) error

// For makes the decoder of T, a struct whose fields have json tags. A field of a type that it cannot read is a defect and
// panics at start.
func For[T any]() *Decoder { return ForType(reflect.TypeFor[T]()) }

// ForType is For when only the type is at hand.
func ForType(t reflect.Type) *Decoder { return &Decoder{readerOf(t)} }

// Decode reads body, which Check has passed, into the struct that out points to. An empty body is an empty object. A field
// with the tag strict:"required" must be there.
func (d *Decoder) Decode(body []byte, out any) error {
	if len(body) == 0 {
		body = []byte("{}")
	}
	s := scanner{in: body}
	s.space()
	return d.read(&s, 1, reflect.ValueOf(out).Elem())
}

var textual = reflect.TypeFor[encoding.TextUnmarshaler]()

func readerOf(t reflect.Type) reader {
	switch {
	case t == reflect.TypeFor[Text]():
		return readText
	case t == reflect.TypeFor[Base64]():
		return readBase64
	case reflect.PointerTo(t).Implements(textual):
		return readTextual
	}
	switch t.Kind() {
	case reflect.Pointer:
		return pointerTo(t.Elem())
	case reflect.String:
		return readString
	case reflect.Bool:
		return readBool
	case reflect.Uint64:
		return readUint
	case reflect.Slice:
		return sliceOf(t)
	case reflect.Map:
		return mapOf(t)
	case reflect.Struct:
		return structOf(t)
	}
	panic("strictjson: no way to read " + t.String())
}

func wrong(want string) error { return fault.New(fault.Invalid, "%s is wanted here", want) }

func (s *scanner) wantString() (span, error) {
	if s.peek() != '"' {
		return span{}, wrong("a string")
	}
	return s.str()
}

func readString(s *scanner, _ int, v reflect.Value) error {
	p, err := s.wantString()
	if err == nil {
		v.SetString(string(p.bytes()))
	}
	return err
}

func readText(s *scanner, _ int, v reflect.Value) error {
	p, err := s.wantString()
	if err == nil {
		v.SetBytes(p.appendTo(make([]byte, 0, len(p.raw))))
	}
	return err
}

func readBase64(s *scanner, _ int, v reflect.Value) error {
	p, err := s.wantString()
	if err != nil {
		return err
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(p.raw)))
	n, err := base64.StdEncoding.Strict().Decode(out, p.bytes())
	if err != nil {
		clear(out)
		return wrong("standard base64 with padding")
	}
	v.SetBytes(out[:n])
	return nil
}

func readTextual(s *scanner, _ int, v reflect.Value) error {
	p, err := s.wantString()
	if err != nil {
		return err
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(p.bytes()); err != nil {
		return wrong(kindOf(v.Type()))
	}
	return nil
}

// kindOf names what a textual type wants, by its own word when it has one.
func kindOf(t reflect.Type) string {
	if d, ok := reflect.Zero(t).Interface().(interface{ Describe() string }); ok {
		return d.Describe()
	}
	return "a " + strings.ToLower(t.Name()) + " of the documented form"
}

func readBool(s *scanner, _ int, v reflect.Value) error {
	c := s.peek()
	if c != 't' && c != 'f' {
		return wrong("true or false")
	}
	v.SetBool(c == 't')
	return s.literal()
}

func readUint(s *scanner, _ int, v reflect.Value) error {
	if c := s.peek(); c != '-' && (c < '0' || c > '9') {
		return wrong("a whole number")
	}
	text, err := s.number()
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil || n > math.MaxInt64 {
		return wrong("a whole number from 0 to 9223372036854775807")
	}
	v.SetUint(n)
	return nil
}

func pointerTo(t reflect.Type) reader {
	read := readerOf(t)
	return func(s *scanner, depth int, v reflect.Value) error {
		p := reflect.New(t)
		v.Set(p)
		return read(s, depth, p.Elem())
	}
}

func sliceOf(t reflect.Type) reader {
	read := readerOf(t.Elem())
	return func(s *scanner, depth int, v reflect.Value) error {
		if s.peek() != '[' {
			return wrong("an array")
		}
		v.Set(reflect.MakeSlice(t, 0, 4))
		return s.array(depth, func(i int) error {
			v.Set(reflect.Append(v, reflect.Zero(t.Elem())))
			return inside(fmt.Sprintf("[%d]", i), read(s, depth+1, v.Index(i)))
		})
	}
}

func mapOf(t reflect.Type) reader {
	read := readerOf(t.Elem())
	return func(s *scanner, depth int, v reflect.Value) error {
		if s.peek() != '{' {
			return wrong("an object")
		}
		v.Set(reflect.MakeMap(t))
		return s.members(depth, func(name []byte) error {
			key, elem := string(name), reflect.New(t.Elem()).Elem()
			if err := read(s, depth+1, elem); err != nil {
				return inside(show([]byte(key)), err)
			}
			v.SetMapIndex(reflect.ValueOf(key).Convert(t.Key()), elem)
			return nil
		})
	}
}

type field struct {
	index    []int // through embedded structs
	read     reader
	required uint64 // its bit, 0 if it may be left out
}

// gather finds the fields of t and of the structs embedded in it.
func gather(t reflect.Type, at []int, fields map[string]field, required *[]string) {
	for i := range t.NumField() {
		f, index := t.Field(i), append(slices.Clone(at), i)
		if f.Anonymous {
			gather(f.Type, index, fields, required)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			panic("strictjson: field " + f.Name + " of " + t.String() + " has no json tag")
		}
		d := field{index: index, read: readerOf(f.Type)}
		if f.Tag.Get("strict") == "required" {
			d.required = 1 << len(*required)
			*required = append(*required, name)
		}
		fields[name] = d
	}
}

func structOf(t reflect.Type) reader {
	fields, required := map[string]field{}, []string{}
	gather(t, nil, fields, &required)
	return func(s *scanner, depth int, v reflect.Value) error {
		if s.peek() != '{' {
			return wrong("an object")
		}
		var seen uint64
		err := s.members(depth, func(name []byte) error {
			f, known := fields[string(name)]
			if !known {
				return fault.Bad(show(name), "no such field")
			}
			seen |= f.required
			if err := f.read(s, depth+1, v.FieldByIndex(f.index)); err != nil {
				return inside(show(name), err)
			}
			return nil
		})
		if err != nil {
			return err
		}
		return missing(seen, required)
	}
}

func missing(seen uint64, required []string) error {
	for i, name := range required {
		if seen&(1<<i) == 0 {
			return fault.Bad(name, "is missing")
		}
	}
	return nil
}

// inside puts the name of the enclosing field before that of err.
func inside(name string, err error) error {
	e, ok := err.(*fault.Error)
	if !ok {
		return err
	}
	out := *e
	switch {
	case e.Field == "":
		out.Field = name
	case strings.HasPrefix(e.Field, "["):
		out.Field = name + e.Field
	default:
		out.Field = name + "." + e.Field
	}
	return &out
}

package api

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/trstctl/trstctl/fsm"
)

// renderer shows recorded events by the names that their Go types give to the fields. An event whose type it was not told of
// is shown by the numbers that stand in the record.
type renderer struct{ types map[string]reflect.Type }

func newRenderer(events []fsm.Event) renderer {
	r := renderer{map[string]reflect.Type{}}
	for _, e := range events {
		r.types[e.EventType()] = reflect.TypeOf(e)
	}
	return r
}

// fields renders the data of an event for JSON.
func (r renderer) fields(e fsm.PastEvent) (map[string]any, error) {
	var raw any
	if err := fsm.Decode(e.Data, &raw); err != nil {
		return nil, err
	}
	shown, ok := render(raw, r.types[e.Type]).(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the data of %s is no map", e.Type)
	}
	return shown, nil
}

// render shows a decoded value; t is its Go type, nil if that is not known.
func render(v any, t reflect.Type) any {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := v.(type) {
	case []byte:
		return renderBytes(v, t)
	case []any:
		return renderList(v, t)
	case map[any]any:
		return renderMap(v, t)
	}
	switch t {
	case of[fsm.Time]():
		if n, ok := number(v); ok {
			return fsm.Time(n)
		}
	case of[time.Duration]():
		if n, ok := number(v); ok {
			return time.Duration(n).String()
		}
	}
	return v
}

func number(v any) (int64, bool) {
	switch n := v.(type) {
	case uint64:
		return int64(n), true
	case int64:
		return n, true
	}
	return 0, false
}

func renderBytes(b []byte, t reflect.Type) any {
	switch {
	case t == of[fsm.Sealed]() && len(b) == 0:
		return ""
	case t == of[fsm.Sealed]():
		return "sha256:" + hex.EncodeToString(b)
	}
	return hex.EncodeToString(b)
}

func renderList(list []any, t reflect.Type) any {
	var elem reflect.Type
	if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
		elem = t.Elem()
	}
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = render(v, elem)
	}
	return out
}

func renderMap(m map[any]any, t reflect.Type) any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		name, elem := nameOf(k, t)
		out[name] = render(v, elem)
	}
	return out
}

// nameOf returns the name and type of the field with key k in the record.
func nameOf(k any, t reflect.Type) (string, reflect.Type) {
	name := fmt.Sprint(k)
	if n, ok := number(k); ok {
		name = strconv.FormatInt(n, 10)
	}
	if t == nil {
		return name, nil
	}
	switch t.Kind() {
	case reflect.Map:
		return name, t.Elem()
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			key, _, _ := strings.Cut(f.Tag.Get("cbor"), ",")
			if key == name || key == "" && f.Name == name {
				return snake(f.Name), f.Type
			}
		}
	}
	return name, nil
}

// snake turns a Go name into the API's style: "MaxExpires" is "max_expires".
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// EDN writes a history as Jepsen does: one map a line, with :index, :time (ns), :process (a number, :nemesis, :watcher or :settler), :type, :f
// and :value. JSON objects become maps with keywords for keys.
func (h *History) EDN(to io.Writer) error {
	w := bufio.NewWriter(to)
	for _, e := range h.Events {
		fmt.Fprintf(w, "{:index %d, :time %d, :process %s, :type :%s, :f %s", e.Index, int64(e.Time), ednProcess(e.Process), e.Type, keyword(e.F))
		if e.Node != "" {
			fmt.Fprintf(w, ", :node %s", strconv.Quote(e.Node))
		}
		value, err := ednOf(e.Value)
		if err != nil {
			return fmt.Errorf("event %d: %w", e.Index, err)
		}
		fmt.Fprintf(w, ", :value %s", value)
		if e.Error != "" {
			fmt.Fprintf(w, ", :error %s", ednString(e.Error))
		}
		w.WriteString("}\n")
	}
	return w.Flush()
}

func ednProcess(p int) string {
	switch p {
	case Nemesis:
		return ":nemesis"
	case Watcher:
		return ":watcher"
	case Settler:
		return ":settler"
	}
	return strconv.Itoa(p)
}

func ednOf(raw json.RawMessage) (string, error) {
	if len(raw) == 0 {
		return "nil", nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // 64-bit integers stay exact
	var v any
	if err := d.Decode(&v); err != nil {
		return "", err
	}
	var b strings.Builder
	writeEDN(&b, v)
	return b.String(), nil
}

func writeEDN(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("nil")
	case string:
		b.WriteString(ednString(v))
	case []any:
		b.WriteByte('[')
		for i, x := range v {
			separate(b, i, " ")
			writeEDN(b, x)
		}
		b.WriteByte(']')
	case map[string]any:
		writeMap(b, v)
	default: // bool, json.Number
		fmt.Fprint(b, v)
	}
}

func writeMap(b *strings.Builder, m map[string]any) {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b.WriteByte('{')
	for i, k := range keys {
		separate(b, i, ", ")
		b.WriteString(keyword(k) + " ")
		writeEDN(b, m[k])
	}
	b.WriteByte('}')
}

func separate(b *strings.Builder, i int, by string) {
	if i > 0 {
		b.WriteString(by)
	}
}

// keyword is a name as EDN's keyword where it can be one, else a string.
func keyword(name string) string {
	for i, c := range name {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789.-/", c)) {
			return ednString(name)
		}
	}
	if name == "" {
		return `""`
	}
	return ":" + name
}

// ednString escapes what EDN's reader wants escaped, and no more.
func ednString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
}

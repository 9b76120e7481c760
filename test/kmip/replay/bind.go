package replay

import (
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// clockSlack is how far the clock of a server may be from ours.
const clockSlack = 10 * time.Second

// bindings are the values that stand for placeholders and drawn values while a group runs.
//
// Two kinds have rules of their own. $NOW, $NOW+n and $NOW-n are the moment of the request and n seconds around it; in a response
// they are a time around any moment since the group began, as the object that has it may be older than the request. A
// correlation value is bound anew by the response that starts another stream or another asynchronous operation.
type bindings struct {
	values     map[string]ttlv.Item
	began, now time.Time
}

func newBindings(at time.Time) *bindings {
	return &bindings{values: map[string]ttlv.Item{}, began: at, now: at}
}

func (b *bindings) clone() *bindings {
	return &bindings{maps.Clone(b.values), b.began, b.now}
}

// request returns the message to send. A placeholder that no response has bound is an error.
func (b *bindings) request(n *Node) (ttlv.Item, error) { return n.item(b.sent) }

func (b *bindings) sent(n *Node) (ttlv.Item, error) {
	if offset, ok := moment(n); ok {
		return ttlv.DateTime(n.Tag, b.now.Add(offset).Unix()), nil
	}
	bytes := n.Type == ttlv.TypeByteString || n.Type == ttlv.TypeBigInteger
	if v, ok := b.values[n.key()]; ok && (bytes || n.placeholder()) {
		return v, nil
	}
	if n.placeholder() {
		return ttlv.Item{}, fmt.Errorf("%s: the placeholder %s is used before a response has bound it", n.Tag, n.Text)
	}
	return n.value, nil
}

// key is under what the value of a leaf is bound.
func (n *Node) key() string {
	if n.placeholder() {
		return n.Text
	}
	return valueKey(n)
}

var momentText = regexp.MustCompile(`^\$NOW([+-]\d+)?$`)

// moment returns what a time is away from the moment of the request; it is false where n is no such placeholder.
func moment(n *Node) (time.Duration, bool) {
	found := momentText.FindStringSubmatch(n.Text)
	if found == nil || n.Type != ttlv.TypeDateTime {
		return 0, false
	}
	seconds, err := strconv.Atoi(strings.TrimPrefix(found[1], "+"))
	return time.Duration(seconds) * time.Second, err == nil || found[1] == ""
}

// around reports whether seconds lies around offset away from any moment since the group began.
func (b *bindings) around(seconds int64, offset time.Duration) bool {
	at := time.Unix(seconds, 0)
	return !at.Before(b.began.Add(offset-clockSlack)) && !at.After(b.now.Add(offset+clockSlack))
}

// starts reports whether the response binds n anew: a correlation value that the request did not bring.
func starts(n, request *Node) bool {
	if n.Tag != ttlv.TagCorrelationValue && n.Tag != ttlv.TagAsynchronousCorrelationValue {
		return false
	}
	for sent := range request.all(n.Tag) {
		if sent.Text == n.Text {
			return false
		}
	}
	return true
}

var distinct = regexp.MustCompile(`^\$(UNIQUE_IDENTIFIER|KEY_MATERIAL)`)

// holder returns the placeholder that has the value already where two placeholders must not have the same, otherwise "".
func (b *bindings) holder(key string, value *ttlv.Item) string {
	kind := distinct.FindString(key)
	if kind == "" {
		return ""
	}
	for other, v := range b.values {
		if other != key && strings.HasPrefix(other, kind) && same(&v, value) {
			return other
		}
	}
	return ""
}

// same reports whether two items have the same type and value; the tags may differ.
func same(a, b *ttlv.Item) bool {
	c := *a
	c.Tag = b.Tag
	return c.Equal(b)
}

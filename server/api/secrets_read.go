package api

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"

	"github.com/trstctl/trstctl/engines/rbac"
	"github.com/trstctl/trstctl/engines/secret"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/server/access"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

// valueAnswer is a value on its way out; it is zeroed once it has been written.
type valueAnswer struct {
	Path        string            `json:"path"`
	Version     uint64            `json:"version"`
	Value       strictjson.Text   `json:"value,omitempty" doc:"the value if it is UTF-8"`
	Base64      strictjson.Base64 `json:"value_base64,omitempty" doc:"the value if it is not"`
	ContentType string            `json:"content_type,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	At          fsm.Time          `json:"created_at"`
	By          string            `json:"created_by"`
	Expires     fsm.Time          `json:"expires_at,omitempty"`
	Latest      uint64            `json:"latest_version"`
}

func (a *valueAnswer) wipe() { clear(a.Value) }

// appendJSON writes the answer into one buffer that is large enough, so that no copy of the value stays behind.
func (a *valueAnswer) appendJSON(b []byte) []byte {
	if b == nil {
		b = make([]byte, 0, a.room())
	}
	b = appendField(append(b, '{'), "path", a.Path)
	b = strconv.AppendUint(append(b, `,"version":`...), a.Version, 10)
	if utf8.Valid(a.Value) {
		b = strictjson.AppendString(append(b, `,"value":`...), a.Value)
	} else {
		b = base64.StdEncoding.AppendEncode(append(b, `,"value_base64":"`...), a.Value)
		b = append(b, '"')
	}
	if a.ContentType != "" {
		b = appendField(append(b, ','), "content_type", a.ContentType)
	}
	if len(a.Labels) > 0 {
		b = appendLabels(append(b, `,"labels":`...), a.Labels)
	}
	b = appendTime(append(b, `,"created_at":`...), a.At)
	b = appendField(append(b, ','), "created_by", a.By)
	if a.Expires != 0 {
		b = appendTime(append(b, `,"expires_at":`...), a.Expires)
	}
	b = strconv.AppendUint(append(b, `,"latest_version":`...), a.Latest, 10)
	return append(b, '}')
}

// room is the most that the answer can need: a control character grows sixfold.
func (a *valueAnswer) room() int {
	n := 512 + 6*(len(a.Path)+len(a.ContentType)+len(a.By))
	for k, v := range a.Labels {
		n += 8 + 6*(len(k)+len(v))
	}
	grown := len(a.Value)
	for _, ch := range a.Value {
		if ch < ' ' || ch == 0x7f {
			grown += 5
		} else if ch == '"' || ch == '\\' {
			grown++
		}
	}
	return n + max(grown, base64.StdEncoding.EncodedLen(len(a.Value)))
}

func appendLabels(b []byte, labels map[string]string) []byte {
	b = append(b, '{')
	for i, k := range sortedKeys(labels) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(strictjson.AppendString(b, k), ':')
		b = strictjson.AppendString(b, labels[k])
	}
	return append(b, '}')
}

func getSecret(c *call) (any, error) {
	version, err := c.number("version", 0)
	if err != nil {
		return nil, err
	}
	expand, err := c.flag("expand")
	if err != nil {
		return nil, err
	}
	if err := secret.ValidPath(c.path); err != nil {
		return nil, err
	}
	v, err := c.api.opt.Secrets.Get(c.view, c.tenant, c.path, version, c.now)
	if err != nil {
		return nil, err
	}
	c.version = v.Version
	if expand {
		if v.Value, err = c.expand(v.Value); err != nil {
			return nil, err
		}
	}
	return &valueAnswer{Path: v.Path, Version: v.Version, Value: v.Value, ContentType: v.ContentType, Labels: v.Labels,
		At: v.At, By: v.By, Expires: v.Expires, Latest: v.Latest}, nil
}

// expand resolves references; each is a read by the caller, with the caller's rights.
func (c *call) expand(value []byte) ([]byte, error) {
	defer clear(value)
	return c.api.opt.Secrets.Expand(c.view, c.tenant, c.path, value, c.now, func(path string) error {
		d := c.session.Explain("secrets/"+path, rbac.Read)
		c.reference(path, d)
		if err := c.recordReference(path, d); err != nil {
			return err
		}
		if !d.Allowed {
			return access.Denied()
		}
		return nil
	})
}

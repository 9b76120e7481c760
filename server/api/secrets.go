package api

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"

	"github.com/trstctl/trstctl/engines/rbac"
	"github.com/trstctl/trstctl/engines/secret"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

// secret reports whether a route belongs to the secret store, which has a switch.
func (r *route) secret() bool { return len(r.pattern) > 9 && r.pattern[:9] == "/secrets/" }

// valueBody is what a put sends: value for UTF-8, value_base64 for any bytes, exactly one of them.
type valueBody struct {
	Value       strictjson.Text   `json:"value" doc:"the value, as UTF-8"`
	Base64      strictjson.Base64 `json:"value_base64" doc:"the value, as standard base64; instead of value"`
	Cas         *uint64           `json:"cas" doc:"the version that must be the last one; 0: there is none yet"`
	Labels      map[string]string `json:"labels"`
	ContentType string            `json:"content_type"`
	ExpiresAt   moment            `json:"expires_at"`
}

func (b *valueBody) wipe() { clear(b.Value); clear(b.Base64) }

// value returns the one that was sent.
func (b *valueBody) value() ([]byte, error) {
	switch {
	case b.Value == nil && b.Base64 == nil:
		return nil, fault.Bad("value", "is missing: send value, or value_base64 for bytes that are not UTF-8")
	case b.Value != nil && b.Base64 != nil:
		return nil, fault.Bad("value_base64", "is sent beside value: send one of them")
	case b.Value != nil:
		return b.Value, nil
	}
	return b.Base64, nil
}

func (b *valueBody) item(path string) (secret.Item, error) {
	v, err := b.value()
	return secret.Item{Path: path, Value: v, Cas: b.Cas,
		Attributes: secret.Attributes{Labels: b.Labels, ContentType: b.ContentType, Expires: fsm.Time(b.ExpiresAt)}}, err
}

// written is the answer to what makes a version.
type written struct {
	Path    string   `json:"path"`
	Version uint64   `json:"version"`
	At      fsm.Time `json:"created_at"`
}

func (w written) appendJSON(b []byte) []byte {
	b = appendField(append(b, '{'), "path", w.Path)
	b = strconv.AppendUint(append(b, `,"version":`...), w.Version, 10)
	b = append(appendTime(append(b, `,"created_at":`...), w.At), '}')
	return b
}

func appendTime(b []byte, t fsm.Time) []byte {
	return append(t.Std().AppendFormat(append(b, '"'), "2006-01-02T15:04:05.999999999Z07:00"), '"')
}

func putSecret(c *call) (any, error) {
	it, err := c.body.(*valueBody).item(c.path)
	if err != nil {
		return nil, err
	}
	w, _, err := c.api.opt.Secrets.Put(c.ctx, c.req, it)
	return written(w), err
}

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
		return c.session.Check("secrets/"+path, rbac.Read)
	})
}

// pathVersion names a version of a path.
type pathVersion struct {
	Path    string `json:"path"`
	Version uint64 `json:"version"`
}

func deleteSecret(c *call) (any, error) {
	cas, err := c.cas()
	if err != nil {
		return nil, err
	}
	w, _, err := c.api.opt.Secrets.Delete(c.ctx, c.req, c.path, cas)
	return pathVersion{w.Path, w.Version}, err
}

type nothing struct{}

func undeleteSecret(c *call) (any, error) {
	w, _, err := c.api.opt.Secrets.Undelete(c.ctx, c.req, c.path)
	return pathVersion{w.Path, w.Version}, err
}

type rollbackBody struct {
	Version uint64  `json:"version" strict:"required" doc:"the version that becomes the newest"`
	Cas     *uint64 `json:"cas"`
}

func rollbackSecret(c *call) (any, error) {
	b := c.body.(*rollbackBody)
	if b.Version == 0 {
		return nil, fault.Bad("version", "must be 1 or more")
	}
	w, _, err := c.api.opt.Secrets.Rollback(c.ctx, c.req, c.path, b.Version, b.Cas)
	return written(w), err
}

type purgeBody struct {
	Version *uint64 `json:"version" doc:"the version to purge"`
	All     bool    `json:"all" doc:"purge every version; instead of version"`
}

func purgeSecret(c *call) (any, error) {
	b, version := c.body.(*purgeBody), uint64(0)
	switch {
	case b.All == (b.Version != nil):
		return nil, fault.Bad("version", "send either a version or all: true")
	case b.Version != nil && *b.Version == 0:
		return nil, fault.Bad("version", "must be 1 or more")
	case b.Version != nil:
		version = *b.Version
	}
	w, _, err := c.api.opt.Secrets.Purge(c.ctx, c.req, c.path, version)
	return pathVersion{w.Path, w.Version}, err
}

// transferBody is a move; a copy may name a version.
type moveBody struct {
	Source      string  `json:"source" strict:"required"`
	Destination string  `json:"destination" strict:"required"`
	Cas         *uint64 `json:"cas" doc:"the last version of the destination"`
}

type copyBody struct {
	Source      string  `json:"source" strict:"required"`
	Destination string  `json:"destination" strict:"required"`
	Version     uint64  `json:"version" doc:"of the source; 0 or nothing: the latest"`
	Cas         *uint64 `json:"cas" doc:"the last version of the destination"`
}

func (b *moveBody) names(variable string) []string { return ends(variable, b.Source, b.Destination) }
func (b *copyBody) names(variable string) []string { return ends(variable, b.Source, b.Destination) }

func ends(variable, source, destination string) []string {
	if variable == "body.source" {
		return []string{source}
	}
	return []string{destination}
}

func moveSecret(c *call) (any, error) {
	b := c.body.(*moveBody)
	w, _, err := c.api.opt.Secrets.Move(c.ctx, c.req, b.Source, b.Destination, b.Cas)
	return pathVersion{w.Path, w.Version}, err
}

func copySecret(c *call) (any, error) {
	b := c.body.(*copyBody)
	w, _, err := c.api.opt.Secrets.Copy(c.ctx, c.req, b.Source, b.Version, b.Destination, b.Cas)
	return pathVersion{w.Path, w.Version}, err
}

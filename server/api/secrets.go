package api

import (
	"strconv"

	"github.com/trstctl/trstctl/engines/secret"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

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
	return written(w), ofCas(err)
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
	return pathVersion{w.Path, w.Version}, ofCas(err)
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
	return written(w), ofCas(err)
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
	return pathVersion{w.Path, w.Version}, ofCas(err)
}

func copySecret(c *call) (any, error) {
	b := c.body.(*copyBody)
	w, _, err := c.api.opt.Secrets.Copy(c.ctx, c.req, b.Source, b.Version, b.Destination, b.Cas)
	return pathVersion{w.Path, w.Version}, ofCas(err)
}

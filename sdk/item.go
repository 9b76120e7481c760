package sdk

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"
)

// Item is a secret to be written. Its JSON form is the API's: value for UTF-8, value_base64 for other bytes.
type Item struct {
	Path        string
	Value       []byte  // up to 1 MiB
	CAS         *uint64 // the version that must be the latest; 0: none must exist; nil: no condition
	Labels      map[string]string
	ContentType string
	ExpiresAt   time.Time // zero: never
}

// Value is a version of a secret with its plaintext, which the caller should clear after use. Its JSON form is the API's.
type Value struct {
	Path          string
	Version       uint64
	Value         []byte
	ContentType   string
	Labels        map[string]string
	CreatedAt     time.Time
	CreatedBy     string
	ExpiresAt     time.Time // zero: never
	LatestVersion uint64
}

// payload is the value in one of its two forms.
type payload struct {
	Text   *Text   `json:"value,omitempty"`
	Base64 *[]byte `json:"value_base64,omitempty"`
}

func newPayload(v []byte) payload {
	if utf8.Valid(v) {
		t := Text(v)
		return payload{Text: &t}
	}
	return payload{Base64: &v}
}

func (p payload) bytes() ([]byte, error) {
	switch {
	case p.Text != nil && p.Base64 != nil:
		return nil, errors.New("both value and value_base64 are given")
	case p.Text != nil:
		return *p.Text, nil
	case p.Base64 != nil:
		return *p.Base64, nil
	}
	return nil, errors.New("neither value nor value_base64 is given")
}

type itemWire struct {
	Path string `json:"path,omitempty"`
	payload
	CAS         *uint64           `json:"cas,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	ContentType string            `json:"content_type,omitempty"`
	ExpiresAt   time.Time         `json:"expires_at,omitzero"`
}

func (i Item) wire() itemWire {
	return itemWire{i.Path, newPayload(i.Value), i.CAS, i.Labels, i.ContentType, i.ExpiresAt}
}

// MarshalJSON writes the plaintext: it is what goes to the node.
func (i Item) MarshalJSON() ([]byte, error) { return json.Marshal(i.wire()) }

// UnmarshalJSON refuses unknown fields: a misspelt "cas" must not become an unconditional write.
func (i *Item) UnmarshalJSON(b []byte) error {
	var w itemWire
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return err
	}
	v, err := w.bytes()
	*i = Item{w.Path, v, w.CAS, w.Labels, w.ContentType, w.ExpiresAt}
	return err
}

type valueWire struct {
	Path    string `json:"path"`
	Version uint64 `json:"version"`
	payload
	ContentType   string            `json:"content_type,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	CreatedAt     time.Time         `json:"created_at,omitzero"`
	CreatedBy     string            `json:"created_by,omitempty"`
	ExpiresAt     time.Time         `json:"expires_at,omitzero"`
	LatestVersion uint64            `json:"latest_version,omitempty"`
}

// MarshalJSON writes the plaintext.
func (v Value) MarshalJSON() ([]byte, error) {
	return json.Marshal(valueWire{v.Path, v.Version, newPayload(v.Value), v.ContentType, v.Labels, v.CreatedAt, v.CreatedBy, v.ExpiresAt, v.LatestVersion})
}

// UnmarshalJSON reads a node's answer.
func (v *Value) UnmarshalJSON(b []byte) error {
	var w valueWire
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	plain, err := w.bytes()
	*v = Value{w.Path, w.Version, plain, w.ContentType, w.Labels, w.CreatedAt, w.CreatedBy, w.ExpiresAt, w.LatestVersion}
	return err
}

// Package export writes the audit as lines of JSON that can be checked without any server, and checks them.
//
// The first line says what it is. Each source (the event log, the journals of each node) stands between a line that says where its chain begins
// and one that says where it ends; a line between has the record as people read it, and in "raw" the bytes that its hash covers. The last
// line holds the SHA-256 of all bytes before it, signed with the cluster's audit key (Ed25519). So the chains show that nothing is
// missing or out of place, and the signature whose they are.
//
// A tenant's export has its own records only, without raw: it is signed, and has no chain to recompute.
package export

import (
	"crypto/sha256"
	"encoding/json"
	"hash"
	"io"

	"github.com/trstctl/trstctl/fsm"
)

// Header is the first line's "export".
type Header struct {
	Format  int      `json:"format"` // 1
	Cluster string   `json:"cluster"`
	Node    string   `json:"node"`  // that wrote it
	Scope   string   `json:"scope"` // "all", or a tenant's uid
	At      fsm.Time `json:"at"`
}

// Format of what this package writes and reads.
const Format = 1

// All is the scope of an export that holds everything.
const All = "all"

// Begin opens a source.
type Begin struct {
	Source  string `json:"source"`
	Node    string `json:"node,omitempty"`
	Journal string `json:"journal,omitempty"` // the journal's own name
	After   uint64 `json:"after"`             // sequence before the first record
	Hash    string `json:"hash"`              // of that one
}

// End closes it.
type End struct {
	Source string `json:"source"`
	Node   string `json:"node,omitempty"`
	Seq    uint64 `json:"seq"`
	Hash   string `json:"hash"`
}

// Missing is a node whose journal could not be read to its end.
type Missing struct {
	Node   string `json:"node"`
	Source string `json:"source"`
	Reason string `json:"reason"`
}

// Head is what is signed, as it stands in the last line.
type Head struct {
	Cluster string `json:"cluster"`
	Scope   string `json:"scope"`
	Lines   uint64 `json:"lines"`  // before the last
	SHA256  string `json:"sha256"` // of these, with their line ends
	Key     []byte `json:"key,omitempty"`
}

// lastLine has one form only: nothing can be added to it, either.
type lastLine struct {
	Head      json.RawMessage `json:"head"`
	Signature []byte          `json:"signature,omitempty"`
}

// signed puts the text of a head into a context of its own, so that the key's signature on anything else is none on an export.
func signed(head []byte) []byte { return append([]byte("trstctl audit export v1\n"), head...) }

// Writer writes an export. It is not safe for concurrent use.
type Writer struct {
	to     io.Writer
	header Header
	sum    hash.Hash
	lines  uint64
}

// NewWriter writes the first line.
func NewWriter(to io.Writer, h Header) (*Writer, error) {
	h.Format = Format
	w := &Writer{to, h, sha256.New(), 0}
	return w, w.line(struct {
		Export Header `json:"export"`
	}{h})
}

func (w *Writer) line(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	w.sum.Write(b)
	w.lines++
	_, err = w.to.Write(b)
	return err
}

// Record writes a record as it is shown: an object with "seq", "hash" and, for a chain, "raw".
func (w *Writer) Record(v any) error { return w.line(v) }

// Begin opens a source.
func (w *Writer) Begin(b Begin) error {
	return w.line(struct {
		Begin Begin `json:"begin"`
	}{b})
}

// End closes it.
func (w *Writer) End(e End) error {
	return w.line(struct {
		End End `json:"end"`
	}{e})
}

// Missing says that a source is not there, or not to its end.
func (w *Writer) Missing(m Missing) error {
	return w.line(struct {
		Missing Missing `json:"missing"`
	}{m})
}

// Close writes the last line. key is what sign signs with; nil: the export is not signed.
func (w *Writer) Close(key []byte, sign func(message []byte) ([]byte, error)) error {
	head, err := json.Marshal(Head{w.header.Cluster, w.header.Scope, w.lines, hexOf(w.sum.Sum(nil)), key})
	if err != nil {
		return err
	}
	last := lastLine{Head: head}
	if key != nil {
		if last.Signature, err = sign(signed(head)); err != nil {
			return err
		}
	}
	return w.line(last)
}

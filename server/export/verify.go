package export

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/trstctl/trstctl/engines/audit"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/journal"
)

// maxLine bounds a line: a record of the log has at most a Raft entry's size, twice: shown, and raw in base64.
const maxLine = 64 << 20

// Source is what was found intact of one.
type Source struct {
	Source  string `json:"source"`
	Node    string `json:"node,omitempty"`
	Records uint64 `json:"records"`
	After   uint64 `json:"after"`
	Last    uint64 `json:"last"`
	Hash    string `json:"hash"`
	Anchors int    `json:"anchors"` // of the log's that the journal agrees with
}

// Result is what Verify found. Nothing in it is to be believed when Verify returns an error.
type Result struct {
	Header
	Sources []Source  `json:"sources"`
	Missing []Missing `json:"missing"`
	Chained bool      `json:"chained"` // the chains were recomputed
	Key     string    `json:"key"`     // fingerprint of the key that signed it, "" when it is not signed
}

// Verify reads an export to its end and recomputes everything in it. key is the fingerprint that must have signed it; "" takes any, which proves
// only that nobody changed it who did not sign it anew. What is wrong is fault.Corrupt, with the line.
func Verify(r io.Reader, key string) (Result, error) {
	v := verifier{sum: sha256.New(), anchors: map[string][]audit.Head{}, before: map[string]int{}}
	v.Sources, v.Missing = []Source{}, []Missing{}
	in := bufio.NewReaderSize(r, 64<<10)
	for !v.closed {
		b, err := readLine(in)
		v.number++
		if errors.Is(err, io.EOF) {
			err = errors.New("it ends early: the last line, with its head, is not there")
		}
		if err == nil {
			err = v.line(b, key)
		}
		if err != nil {
			return v.Result, fault.New(fault.Corrupt, "line %d of the export: %s", v.number, err.Error())
		}
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		return v.Result, fault.New(fault.Corrupt, "something stands behind the end of the export")
	}
	return v.Result, nil
}

func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case len(line) > maxLine:
			return nil, fmt.Errorf("it has more than %d bytes", maxLine)
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// anyLine is every form that a line can have.
type anyLine struct {
	Export    *Header         `json:"export"`
	Begin     *Begin          `json:"begin"`
	End       *End            `json:"end"`
	Missing   *Missing        `json:"missing"`
	Head      json.RawMessage `json:"head"`
	Signature []byte          `json:"signature"`

	Source string `json:"source"`
	Node   string `json:"node"`
	Seq    uint64 `json:"seq"`
	Hash   string `json:"hash"`
	Raw    []byte `json:"raw"`
}

type verifier struct {
	Result
	number  uint64
	sum     hash.Hash
	closed  bool
	open    *Begin // the source that is being read
	hash    [32]byte
	now     Source
	anchors map[string][]audit.Head // by node, in the log's order; those that are left
	before  map[string]int          // how many of these stand before the cluster was last restored
}

func (v *verifier) line(b []byte, key string) error {
	var l anyLine
	if err := json.Unmarshal(b, &l); err != nil {
		return fmt.Errorf("it is not JSON: %w", err)
	}
	switch {
	case (l.Export != nil) != (v.number == 1):
		return errors.New("the first line, and no other, says what the export is")
	case l.Head != nil:
		v.closed = true
		if same, err := json.Marshal(lastLine{l.Head, l.Signature}); err != nil || !bytes.Equal(append(same, '\n'), b) {
			return errors.New("the last line is not as it is written")
		}
		return v.head(l.Head, l.Signature, key)
	}
	v.sum.Write(b)
	switch {
	case l.Export != nil:
		v.Header = *l.Export
		if v.Chained = v.Scope == All; v.Format != Format {
			return fmt.Errorf("it has format %d, this binary reads %d", v.Format, Format)
		}
		return nil
	case l.Begin != nil:
		return v.begin(*l.Begin)
	case l.End != nil:
		return v.end(*l.End)
	case l.Missing != nil:
		v.open = nil
		v.Missing = append(v.Missing, *l.Missing)
		return nil
	}
	return v.record(l)
}

func (v *verifier) begin(b Begin) error {
	h, err := hex.DecodeString(b.Hash)
	if err != nil || len(h) != 32 || v.open != nil {
		return errors.New("a source begins where it cannot")
	}
	v.open, v.hash = &b, [32]byte(h)
	v.now = Source{Source: b.Source, Node: b.Node, After: b.After, Last: b.After}
	if v.Chained && b.Source == "reads" { // after a restore another node may have the id
		old := v.anchors[b.Node][:v.before[b.Node]]
		kept := slices.DeleteFunc(slices.Clone(old), func(h audit.Head) bool { return h.Journal.String() != b.Journal })
		v.anchors[b.Node] = append(kept, v.anchors[b.Node][len(old):]...)
	}
	for v.Chained && b.Source == "reads" && len(v.anchors[b.Node]) > 0 && v.anchors[b.Node][0].Seq < b.After {
		v.anchors[b.Node] = v.anchors[b.Node][1:]
	}
	if v.Chained && b.Source == "reads" {
		return v.anchored()
	}
	return nil
}

func (v *verifier) record(l anyLine) error {
	if v.open == nil || l.Source != v.open.Source || l.Node != v.open.Node {
		return errors.New("a record stands outside its source")
	}
	v.now.Records++
	if !v.Chained {
		v.now.Last = l.Seq
		return nil
	}
	if l.Seq != v.now.Last+1 {
		return fmt.Errorf("record %d stands where %d should", l.Seq, v.now.Last+1)
	}
	v.now.Last = l.Seq
	if err := v.follow(l); err != nil {
		return err
	}
	if l.Hash != hexOf(v.hash[:]) {
		return fmt.Errorf("record %d does not have its hash", l.Seq)
	}
	if l.Source == "reads" {
		return v.anchored()
	}
	return nil
}

// follow goes one record on in the chain.
func (v *verifier) follow(l anyLine) error {
	if l.Source != "log" {
		line := journal.Line{Body: l.Raw}
		r, err := line.Record()
		if err != nil || r.Seq != l.Seq {
			return fmt.Errorf("record %d is another one in its raw form", l.Seq)
		}
		v.hash = line.After(v.hash)
		return nil
	}
	r, err := fsm.ParseRecord(v.hash, l.Raw)
	if err != nil {
		return err
	}
	v.hash = r.Hash
	for _, e := range r.Events {
		if audit.Restores(e) {
			for n, all := range v.anchors {
				v.before[n] = len(all)
			}
		}
		heads, err := audit.HeadsOf(e)
		if err != nil {
			return err
		}
		for _, h := range heads {
			v.anchors[h.Node] = append(v.anchors[h.Node], h)
		}
	}
	return nil
}

// anchored holds the record just read against the log.
func (v *verifier) anchored() error {
	left := v.anchors[v.open.Node]
	if len(left) == 0 {
		return nil
	}
	a := left[0]
	switch {
	case a.Journal.String() != v.open.Journal:
		return fmt.Errorf("the log has the hash of record %d of another journal of node %s, %s", a.Seq, a.Node, a.Journal)
	case a.Seq < v.now.Last:
		return fmt.Errorf("the log has the hash of record %d of node %s after that of a later one: its journal was cut back", a.Seq, a.Node)
	case a.Seq > v.now.Last:
		return nil
	case a.Hash != v.hash:
		return fmt.Errorf("record %d of the journal of node %s is not the one whose hash the log has", a.Seq, a.Node)
	}
	v.now.Anchors++
	v.anchors[v.open.Node] = left[1:]
	return nil
}

func (v *verifier) end(e End) error {
	if v.open == nil || e.Source != v.open.Source || e.Node != v.open.Node {
		return errors.New("a source ends that has not begun")
	}
	if v.Chained {
		if e.Seq != v.now.Last || e.Hash != hexOf(v.hash[:]) {
			return fmt.Errorf("%s ends at record %d, its chain at %d", e.Source, e.Seq, v.now.Last)
		}
		left := v.anchors[e.Node]
		if e.Source == "reads" && len(left) > 0 && left[0].Seq <= e.Seq {
			return fmt.Errorf("the log has the hash of record %d of node %s after that of a later one: its journal was cut back", left[0].Seq, e.Node)
		}
		if e.Source == "reads" && len(left) > 0 {
			return fmt.Errorf("the journal of node %s ends at record %d, but the log has the hash of record %d: its end was cut off", e.Node, e.Seq, left[0].Seq)
		}
	}
	v.now.Hash = e.Hash
	v.Sources = append(v.Sources, v.now)
	v.open = nil
	return nil
}

// head checks the last line.
func (v *verifier) head(text json.RawMessage, signature []byte, key string) error {
	var h Head
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&h); err != nil {
		return fmt.Errorf("its head cannot be read: %w", err)
	}
	switch {
	case v.open != nil:
		return fmt.Errorf("source %q does not end", v.open.Source)
	case h.Lines != v.number-1 || h.SHA256 != hexOf(v.sum.Sum(nil)) || h.Cluster != v.Cluster || h.Scope != v.Scope:
		return errors.New("the lines before are not those that its head was made for: the file was changed")
	case len(h.Key) == 0 && key != "":
		return errors.New("the export is not signed")
	case len(h.Key) == 0:
		return nil
	case len(h.Key) != ed25519.PublicKeySize || !ed25519.Verify(h.Key, signed(text), signature):
		return errors.New("its signature is wrong: the file was changed")
	}
	v.Key = audit.Fingerprint(h.Key)
	if key != "" && key != v.Key {
		return fmt.Errorf("it is signed with the key %s, not with %s", v.Key, key)
	}
	return nil
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

package kmip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

var now = time.Unix(1_800_000_000, 0)

// ask makes a request of version 1.4 with a batch of items.
func ask(items ...ttlv.Item) *ttlv.Item { return askIn(ttlv.V14, nil, items...) }

func askIn(v ttlv.Version, options []ttlv.Item, items ...ttlv.Item) *ttlv.Item {
	h := ttlv.Structure(ttlv.TagRequestHeader, ttlv.Structure(ttlv.TagProtocolVersion,
		ttlv.Integer(ttlv.TagProtocolVersionMajor, int32(v.Major())), ttlv.Integer(ttlv.TagProtocolVersionMinor, int32(v.Minor()))))
	h.Add(options...)
	h.Add(ttlv.Integer(ttlv.TagBatchCount, int32(len(items))))
	m := ttlv.Structure(ttlv.TagRequestMessage, h)
	m.Add(items...)
	return &m
}

func item(operation uint32, id string) ttlv.Item {
	b := ttlv.Structure(ttlv.TagBatchItem, ttlv.Enumeration(ttlv.TagOperation, operation))
	if id != "" {
		b.Add(ttlv.ByteString(ttlv.TagUniqueBatchItemID, []byte(id)))
	}
	b.Add(ttlv.Structure(ttlv.TagRequestPayload, ttlv.TextString(ttlv.TagUniqueIdentifier, id)))
	return b
}

// stage does what it is told by the id in a payload.
type stage struct {
	done   []string
	commit error
}

func (s *stage) Do(_ context.Context, _ ttlv.Version, _ uint32, payload *ttlv.Item) (*ttlv.Item, error) {
	name, err := payload.Find(ttlv.TagUniqueIdentifier).TextString()
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(name, "missing"):
		return nil, fault.New(fault.NotFound, "there is no object %q", name)
	case strings.HasPrefix(name, "broken"):
		return nil, errors.New("planted: a detail of ours")
	}
	s.done = append(s.done, name)
	size := 0
	_, _ = fmt.Sscanf(name, "big%d", &size)
	out := ttlv.Structure(ttlv.TagResponsePayload, ttlv.TextString(ttlv.TagUniqueIdentifier, name+strings.Repeat("x", size)))
	return &out, nil
}

// run is a Runner that commits what was done, or not.
func (s *stage) run(_ context.Context, _ *Request, do func(Stage) error) error {
	if err := do(s); err != nil {
		return err
	}
	return s.commit
}

// handle returns an answer: its version, and of each item the status, and the reason or what its payload says.
func handle(t *testing.T, m *ttlv.Item, s *stage) (version string, items []string) {
	t.Helper()
	b, err := ttlv.Marshal(m, ttlv.Limits{})
	require.NoError(t, err)
	m, err = ttlv.Parse(b, ttlv.Limits{})
	require.NoError(t, err)
	raw, err := Handle(t.Context(), m, s.run, now)
	require.NoError(t, err)
	out, err := ttlv.Parse(raw, ttlv.Limits{})
	require.NoError(t, err)
	h := out.Find(ttlv.TagResponseHeader)
	v := h.Find(ttlv.TagProtocolVersion)
	major, err := v.Find(ttlv.TagProtocolVersionMajor).Integer()
	require.NoError(t, err)
	minor, err := v.Find(ttlv.TagProtocolVersionMinor).Integer()
	require.NoError(t, err)
	for b := range out.All(ttlv.TagBatchItem) {
		items = append(items, told(t, b))
	}
	count, err := h.Find(ttlv.TagBatchCount).Integer()
	require.NoError(t, err)
	require.EqualValues(t, len(items), count)
	return fmt.Sprintf("%d.%d", major, minor), items
}

func told(t *testing.T, b *ttlv.Item) string {
	status, err := b.Find(ttlv.TagResultStatus).Enumeration()
	require.NoError(t, err)
	text, _ := ttlv.EnumName(ttlv.TagResultStatus, status)
	if reason, err := b.Find(ttlv.TagResultReason).Enumeration(); err == nil {
		name, _ := ttlv.EnumName(ttlv.TagResultReason, reason)
		message, err := b.Find(ttlv.TagResultMessage).TextString()
		require.NoError(t, err)
		return name + ": " + message
	}
	if name, err := b.Find(ttlv.TagResponsePayload).Find(ttlv.TagUniqueIdentifier).TextString(); err == nil {
		text += " " + name
	}
	return text
}

func option(v uint32) []ttlv.Item {
	return []ttlv.Item{ttlv.Enumeration(ttlv.TagBatchErrorContinuationOption, v)}
}

func TestBatches(t *testing.T) {
	a, missing, c := item(ttlv.OperationGet, "a"), item(ttlv.OperationGet, "missing"), item(ttlv.OperationGet, "c")
	for name, c := range map[string]struct {
		options []ttlv.Item
		commit  error
		want    []string
	}{
		"stop, when nothing is said": {nil, nil, []string{"Success a", `ItemNotFound: there is no object "missing"`}},
		"stop":                       {option(ttlv.BatchErrorContinuationOptionStop), nil, []string{"Success a", `ItemNotFound: there is no object "missing"`}},
		"continue":                   {option(ttlv.BatchErrorContinuationOptionContinue), nil, []string{"Success a", `ItemNotFound: there is no object "missing"`, "Success c"}},
		"undo":                       {option(ttlv.BatchErrorContinuationOptionUndo), nil, []string{"OperationUndone", `ItemNotFound: there is no object "missing"`}},
		"not committed": {option(ttlv.BatchErrorContinuationOptionContinue), fault.New(fault.NotDone, "no leader"),
			[]string{"GeneralFailure: no leader", `ItemNotFound: there is no object "missing"`, "GeneralFailure: no leader"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &stage{commit: c.commit}
			version, got := handle(t, askIn(ttlv.V14, c.options, a, missing, item(ttlv.OperationGet, "c")), s)
			require.Equal(t, c.want, got)
			require.Equal(t, "1.4", version)
		})
	}
	_, got := handle(t, ask(a, c), &stage{commit: errors.New("planted: a detail of ours")})
	require.Equal(t, []string{"GeneralFailure: internal error: the node's log has the details", "GeneralFailure: internal error: the node's log has the details"}, got)
}

func TestVersions(t *testing.T) {
	for asked, want := range map[[2]int]string{{1, 0}: "1.0", {1, 4}: "1.4", {2, 1}: "2.1", {1, 9}: "1.4", {2, 0}: "2.1", {3, 0}: "1.4", {0, 1}: "1.4"} {
		v := ttlv.Version(asked[0]<<8 | asked[1])
		version, got := handle(t, askIn(v, nil, item(ttlv.OperationGet, "a")), &stage{})
		require.Equal(t, want, version, "%v", asked)
		if fmt.Sprintf("%d.%d", asked[0], asked[1]) == want {
			require.Equal(t, []string{"Success a"}, got)
		} else {
			require.Contains(t, got[0], "InvalidMessage: version")
		}
	}
	_, got := handle(t, askIn(ttlv.V10, nil, item(ttlv.OperationEncrypt, "a")), &stage{})
	require.Contains(t, got[0], "OperationNotSupported: version 1.0 knows", "Encrypt came with 1.2")
	_, got = handle(t, ask(item(0x7fffffff, "a")), &stage{})
	require.Contains(t, got[0], "OperationNotSupported")
}

// TestWhatIsWrongWithAMessage is refused as a whole, with one item that names no operation; what is wrong with an item concerns that one.
func TestWhatIsWrongWithAMessage(t *testing.T) {
	a := item(ttlv.OperationGet, "a")
	without := func(tag ttlv.Tag, it ttlv.Item) ttlv.Item {
		out := ttlv.Structure(it.Tag)
		for _, part := range it.Items() {
			if part.Tag != tag {
				out.Add(part)
			}
		}
		return out
	}
	other := *ask(a)
	other.Tag = ttlv.TagResponseMessage
	twice := option(ttlv.BatchErrorContinuationOptionStop)
	miscounted := askIn(ttlv.V14, []ttlv.Item{ttlv.Integer(ttlv.TagBatchCount, 2)}, a)
	for want, m := range map[string]*ttlv.Item{
		"InvalidMessage: the message is no request":                          &other,
		"InvalidMessage: the header has BatchErrorContinuationOption twice":  askIn(ttlv.V14, append(twice, twice...), a),
		"InvalidMessage: the header has BatchCount twice":                    miscounted,
		"InvalidMessage: the batch count is 0":                               ask(),
		"InvalidMessage: an item of a batch of several has no unique":        ask(a, item(ttlv.OperationGet, "")),
		"InvalidMessage: there is no such batch error":                       askIn(ttlv.V14, option(9), a),
		"InvalidMessage: the maximum response size":                          askIn(ttlv.V14, []ttlv.Item{ttlv.Integer(ttlv.TagMaximumResponseSize, -1)}, a),
		"InvalidMessage: mismatch in MaximumResponseSize":                    askIn(ttlv.V14, []ttlv.Item{ttlv.Boolean(ttlv.TagMaximumResponseSize, true)}, a),
		"InvalidMessage: a batch item names no operation":                    ask(without(ttlv.TagOperation, a)),
		"InvalidMessage: mismatch in Operation":                              ask(ttlv.Structure(ttlv.TagBatchItem, ttlv.Integer(ttlv.TagOperation, 1))),
		"GeneralFailure: internal error: the node's log has the details":     ask(item(ttlv.OperationGet, "broken")),
		"FeatureNotSupported: a message extension":                           ask(extended(a, true)),
		"FeatureNotSupported: every operation is answered at once":           askIn(ttlv.V21, []ttlv.Item{ttlv.Enumeration(ttlv.TagAsynchronousIndicator, ttlv.AsynchronousIndicatorMandatory)}, a),
		"InvalidMessage: missing in RequestHeader/ProtocolVersion: there is": {Tag: ttlv.TagRequestMessage},
	} {
		if m.Type() == 0 {
			*m = ttlv.Structure(ttlv.TagRequestMessage, ttlv.Structure(ttlv.TagRequestHeader))
		}
		_, got := handle(t, m, &stage{})
		require.Len(t, got, 1, want)
		require.Contains(t, got[0], want)
	}
	_, got := handle(t, ask(extended(a, false)), &stage{})
	require.Equal(t, []string{"Success a"}, got, "what need not be understood is passed over")
	_, got = handle(t, askIn(ttlv.V14, []ttlv.Item{ttlv.Boolean(ttlv.TagAsynchronousIndicator, true)}, a), &stage{})
	require.Equal(t, []string{"Success a"}, got, "a later answer would have done as well")
}

func extended(it ttlv.Item, critical bool) ttlv.Item {
	out := ttlv.Structure(it.Tag, it.Items()...)
	out.Add(ttlv.Structure(ttlv.TagMessageExtension, ttlv.TextString(ttlv.TagVendorIdentification, "x"), ttlv.Boolean(ttlv.TagCriticalityIndicator, critical), ttlv.Structure(ttlv.TagVendorExtension)))
	return out
}

func TestAnAnswerIsNoLongerThanTheClientTakes(t *testing.T) {
	most := []ttlv.Item{ttlv.Integer(ttlv.TagMaximumResponseSize, 300)}
	s := &stage{}
	_, got := handle(t, askIn(ttlv.V14, most, item(ttlv.OperationGet, "big500")), s)
	require.Len(t, got, 1)
	require.Contains(t, got[0], "ResponseTooLarge")
	_, got = handle(t, askIn(ttlv.V14, most, item(ttlv.OperationGet, "a")), s)
	require.Equal(t, []string{"Success a"}, got)
}

// TestEveryPublishedRequestIsUnderstood reads the requests of all published cases.
func TestEveryPublishedRequestIsUnderstood(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(cmp.Or(os.Getenv("TRSTCTL_KMIP_CASES"), "../../../shared/kmip/oasis"), "*", "*.xml"))
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skip("there are no published cases here: set TRSTCTL_KMIP_CASES")
	}
	requests := 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		all, err := ttlv.ParseXMLDocument(b, ttlv.Options{Limits: ttlv.Limits{Size: 16 << 20, Items: 1 << 20}, Value: filler})
		require.NoError(t, err, file)
		for i := range all {
			if all[i].Tag != ttlv.TagRequestMessage {
				continue
			}
			requests++
			r, bad := parse(&all[i])
			require.Nil(t, bad, "%s: %v", file, bad)
			for _, it := range r.Items {
				require.True(t, it.refused == nil || strings.Contains(file, "Unrecognized_Message_Extension"), "%s: %v", file, it.refused)
			}
		}
	}
	t.Logf("%d requests in %d files", requests, len(files))
}

// filler puts some value of its type in the place of a placeholder.
func filler(_ ttlv.Tag, typ ttlv.Type, raw string) (string, error) {
	if !strings.HasPrefix(raw, "$") {
		return raw, nil
	}
	switch typ {
	case ttlv.TypeDateTime:
		return "2026-01-01T00:00:00+00:00", nil
	case ttlv.TypeByteString:
		return "00", nil
	}
	return "1", nil
}

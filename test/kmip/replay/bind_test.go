package replay

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

func get(id string) string { return ask("Get", "", text("UniqueIdentifier", id)) }
func got(id string) string { return answer("Get", "", text("UniqueIdentifier", id)) }

func TestAPlaceholderKeepsItsValue(t *testing.T) {
	c := caseOf(t, message("Request", "", ask("Create", "", "")), message("Response", stamp, got("$UNIQUE_IDENTIFIER_0")))
	b := newBindings(time.Now())
	require.Empty(t, compare(b, &c.Steps[0], sent(t, message("Response", stamp, got("one")))))
	require.Empty(t, compare(b, &c.Steps[0], sent(t, message("Response", stamp, got("one")))))
	diffs := compare(b, &c.Steps[0], sent(t, message("Response", stamp, got("two"))))
	require.Len(t, diffs, 1)
	require.Equal(t, `$UNIQUE_IDENTIFIER_0 ("one")`, diffs[0].Expected)
	require.Equal(t, `"two"`, diffs[0].Got)
	require.NotEmpty(t, compare(newBindings(time.Now()), &c.Steps[0], sent(t, message("Response", stamp, got("")))))
}

func TestAnUnboundPlaceholderIsAnError(t *testing.T) {
	c := caseOf(t, message("Request", "", get("$UNIQUE_IDENTIFIER_3")), message("Response", stamp, got("$UNIQUE_IDENTIFIER_3")))
	r := Run(t.Context(), Group{c.Name, []Case{c}}, newFake(Group{c.Name, []Case{c}}, nil).dial, Options{})[0]
	require.Equal(t, Failed, r.Outcome)
	require.ErrorContains(t, r.Err, "step 1, Get: RequestMessage/BatchItem/RequestPayload/UniqueIdentifier: "+
		"the placeholder $UNIQUE_IDENTIFIER_3 is used before a response has bound it")
}

func TestACorrelationValueIsBoundAnewByAnotherStream(t *testing.T) {
	value := func(v string) string { return leaf("CorrelationValue", "ByteString", v) }
	c := caseOf(t,
		message("Request", "", ask("Encrypt", "", "")), message("Response", stamp, answer("Encrypt", "", value("$CORRELATION_VALUE"))),
		message("Request", "", ask("Encrypt", "", value("$CORRELATION_VALUE"))), message("Response", stamp, answer("Encrypt", "", value("$CORRELATION_VALUE"))))
	b := newBindings(time.Now())
	for _, v := range []string{"01", "02"} {
		require.Empty(t, compare(b, &c.Steps[0], sent(t, message("Response", stamp, answer("Encrypt", "", value(v))))))
	}
	require.Empty(t, compare(b, &c.Steps[1], sent(t, message("Response", stamp, answer("Encrypt", "", value("02"))))))
	require.NotEmpty(t, compare(b, &c.Steps[1], sent(t, message("Response", stamp, answer("Encrypt", "", value("01"))))))
}

func TestTimesAreAroundTheRequest(t *testing.T) {
	date := func(v string) string { return leaf("ArchiveDate", "DateTime", v) }
	c := caseOf(t, message("Request", "", ask("Get", "", date("$NOW+600"))), message("Response", stamp, answer("Get", "", date("$NOW-3600"))))
	now := time.Now()
	b := newBindings(now)
	request, err := b.request(&c.Steps[0].Request)
	require.NoError(t, err)
	asked, err := request.Find(ttlv.TagBatchItem).Find(ttlv.TagRequestPayload).Find(ttlv.TagArchiveDate).DateTime()
	require.NoError(t, err)
	require.Equal(t, now.Unix()+600, asked)
	for offset, fits := range map[time.Duration]bool{-3600 * time.Second: true, -3595 * time.Second: true, 0: false, -4000 * time.Second: false} {
		came := date(now.Add(offset).UTC().Format(time.RFC3339))
		require.Equal(t, fits, len(compare(b, &c.Steps[0], sent(t, message("Response", stamp, answer("Get", "", came))))) == 0, "%s", offset)
	}
}

// TestADrawnValue takes what one server drew from a case that never registered it, and puts another server's in its place.
func TestADrawnValue(t *testing.T) {
	data := func(v string) string {
		return text("UniqueIdentifier", "$UNIQUE_IDENTIFIER_0") + leaf("Data", "ByteString", v)
	}
	c := caseOf(t,
		message("Request", "", ask("Create", "", "")), message("Response", stamp, answer("Create", "", text("UniqueIdentifier", "$UNIQUE_IDENTIFIER_0"))),
		message("Request", "", ask("Encrypt", "", data("0102"))), message("Response", stamp, answer("Encrypt", "", data("0a0b"))),
		message("Request", "", ask("Decrypt", "", data("0A0B"))), message("Response", stamp, answer("Decrypt", "", data("0102"))))
	b := newBindings(time.Now())
	b.values["$UNIQUE_IDENTIFIER_0"] = ttlv.TextString(ttlv.TagUniqueIdentifier, "one")
	came := func(v string) *ttlv.Item {
		return sent(t, message("Response", stamp, answer("Encrypt", "", text("UniqueIdentifier", "one")+leaf("Data", "ByteString", v))))
	}
	require.Contains(t, compare(b.clone(), &c.Steps[1], came("ffff00"))[0].Expected, "0a0b, or any other of its length")
	require.Empty(t, compare(b, &c.Steps[1], came("ffff")))
	require.NotEmpty(t, compare(b, &c.Steps[1], came("eeee")))
	request, err := b.request(&c.Steps[2].Request)
	require.NoError(t, err)
	ciphertext, err := request.Find(ttlv.TagBatchItem).Find(ttlv.TagRequestPayload).Find(ttlv.TagData).ByteString()
	require.NoError(t, err)
	require.Equal(t, []byte{0xff, 0xff}, ciphertext)
	require.NotEmpty(t, compare(b, &c.Steps[2], came("0103")), "the plaintext was in a request")
}

// TestARepeatedStep answers wrongly twice.
func TestARepeatedStep(t *testing.T) {
	c := caseOf(t, "# TIME 2 # [Client-B] # [REPEAT] until it is active", message("Request", "", get("a")), message("Response", stamp, got("a")))
	require.Equal(t, "B", c.Steps[0].Client)
	f, asked := newFake(Group{c.Name, []Case{c}}, nil), 0
	f.mutate = func(_ int, answer *ttlv.Item) {
		if asked++; asked < 3 {
			f.at = -1
			*answer = *sent(t, message("Response", stamp, got("b")))
		}
	}
	require.Empty(t, Run(t.Context(), Group{c.Name, []Case{c}}, f.dial, Options{Pause: time.Millisecond})[0].Differences)
	require.Equal(t, 3, asked)
}

func TestAFileThatIsNoCaseIsNamed(t *testing.T) {
	for name, content := range map[string]string{
		"broken.xml":    "<KMIP><RequestMessage>",
		"empty.xml":     "<KMIP></KMIP>",
		"answer.xml":    "<KMIP>" + message("Response", stamp, got("a")) + "</KMIP>",
		"unknown.xml":   "<KMIP><RequestMessage><NoSuchTag/></RequestMessage></KMIP>",
		"halfacase.xml": "<KMIP>" + message("Request", "", get("a")) + "</KMIP>",
	} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
		_, err := Load(dir)
		require.ErrorContains(t, err, name)
	}
	_, err := Load(t.TempDir())
	require.ErrorContains(t, err, "there is no test case")
}

func TestAReportNamesEveryCase(t *testing.T) {
	c := caseOf(t, message("Request", "", get("a")), message("Response", stamp, got("a")))
	failing, skipped := c, c
	failing.Name, skipped.Name = "test/failing", "test/skipped"
	skip := NotApplicable{skipped.Name: "for the sake of the test"}
	dial := func(context.Context, string) (Exchange, func(), error) {
		f := newFake(Group{c.Name, []Case{c}}, nil)
		return f.exchange, nil, nil
	}
	wrong := func(context.Context, string) (Exchange, func(), error) {
		return func(context.Context, []byte) ([]byte, error) {
			return ttlv.Marshal(sent(t, message("Response", stamp, got("b"))), ttlv.Limits{})
		}, nil, nil
	}
	report := RunAll(t.Context(), []Group{{c.Name, []Case{c, skipped}}}, dial, Options{NotApplicable: skip})
	report = append(report, Run(t.Context(), Group{failing.Name, []Case{failing}}, wrong, Options{})...)
	require.Equal(t, `3 cases: 1 passed, 1 failed, 1 not applicable
test/failing: failed
    step 1: ResponseMessage/BatchItem[Get]/ResponsePayload/UniqueIdentifier: expected "a", got "b"
test/skipped: not applicable: for the sake of the test
test/case: passed`, report.String())
}

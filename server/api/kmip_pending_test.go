package api

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/kmipclient"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// fakeWaiting is a cluster of three, of whom the last may be silent, to whose first two each certificate came.
type fakeWaiting struct {
	until  map[fsm.UID]fsm.Time
	seen   []*x509.Certificate
	silent bool
}

func (f *fakeWaiting) Open(ctx context.Context, tenant fsm.UID, d time.Duration) ([]WaitingRoom, error) {
	if f.until == nil {
		f.until = map[fsm.UID]fsm.Time{}
	}
	delete(f.until, tenant)
	if d > 0 {
		f.until[tenant] = fsm.At(time.Now()).Add(d)
	}
	return f.Rooms(ctx, tenant)
}

func (f *fakeWaiting) Rooms(_ context.Context, tenant fsm.UID) ([]WaitingRoom, error) {
	out := []WaitingRoom{{Node: "n1", Missed: 1}, {Node: "n2", Missed: 2}, {Node: "n3"}}
	if f.silent {
		out[2].Error = errors.New("planted: no answer")
	}
	if f.until[tenant] == 0 {
		return out, nil
	}
	for i := range out {
		if out[i].Error == nil {
			out[i].Until = f.until[tenant]
		}
	}
	for i, c := range f.seen {
		for n := range 2 {
			out[n].Seen = append(out[n].Seen, WaitingCertificate{Certificate: c, Key: kmipclient.KeyPrint(c), Address: "192.0.2." + out[n].Node, Nodes: []string{out[n].Node},
				First: fsm.Time(10*i + n + 1), Last: fsm.Time(10*i + n + 5), Requests: 2})
		}
	}
	return out, nil
}

func keySum(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

func pendingBody(c *x509.Certificate) string {
	return `{"pending_public_key_fingerprint":"` + keySum(c) + `"}`
}

// TestACertificateThatPresentsItselfIsAcceptedByItsKey, once, while a window is open, and never by what a list shows.
func TestACertificateThatPresentsItselfIsAcceptedByItsKey(t *testing.T) {
	b := newBench(t)
	array, tape := newCertified("array").cert, newCertified("tape").cert
	b.waiting.seen = []*x509.Certificate{array, tape}
	b.post("/kmip/clients/a", b.root, pendingBody(array)).refused(fault.NotFound, "")
	require.Empty(t, b.get("/kmip/pending", b.root).is(200).reply()["items"], "no window is open")
	w := b.post("/kmip/pending", b.root, `{"for":"5m"}`).is(200).reply()
	require.Equal(t, []any{"n1", "n2", "n3"}, w["nodes"])
	require.NotEmpty(t, w["open_until"])
	shown := b.get("/kmip/pending", b.root).is(200)
	require.NotContains(t, string(shown.body), keySum(array))
	require.EqualValues(t, 2, shown.reply()["pending"])
	require.EqualValues(t, 3, shown.reply()["missed"])
	first := shown.reply()["items"].([]any)[0].(map[string]any)
	require.Equal(t, "CN=array", first["subject"])
	require.Equal(t, []any{"n1", "n2"}, first["nodes"])
	require.Equal(t, "192.0.2.n2", first["address"], "from where it came last")
	require.EqualValues(t, 4, first["requests"])

	b.post("/kmip/clients/a", b.root, pendingBody(newCertified("another").cert)).refused(fault.NotFound, "")
	got := b.post("/kmip/clients/a", b.root, pendingBody(array)).is(200).reply()
	require.Equal(t, "certificate", got["kind"])
	sum := sha256.Sum256(array.Raw)
	require.Equal(t, hex.EncodeToString(sum[:]), got["fingerprint"])
	b.post("/kmip/clients/b", b.root, pendingBody(array)).refused(fault.Conflict, "")
	require.EqualValues(t, 1, b.get("/kmip/pending", b.root).is(200).reply()["pending"], "it is known now")

	require.Nil(t, b.delete("/kmip/pending", b.root).is(200).reply()["open_until"])
	b.post("/kmip/clients/b", b.root, pendingBody(tape)).refused(fault.NotFound, "")
}

// TestARepetitionIsAnsweredWhenTheWindowIsClosed: the first answer may have been lost on its way.
func TestARepetitionIsAnsweredWhenTheWindowIsClosed(t *testing.T) {
	b := newBench(t)
	array := newCertified("array").cert
	b.waiting.seen = []*x509.Certificate{array}
	b.post("/kmip/pending", b.root, `{}`).is(200)
	once := func() answer {
		return b.send(req("POST", base+"/kmip/clients/a", b.root, pendingBody(array)).with("Idempotency-Key", "accept-array-1-0001"))
	}
	first := once().is(200)
	b.delete("/kmip/pending", b.root).is(200)
	require.Equal(t, string(first.body), string(once().is(200).body))
}

// TestTenantsSeeNothingOfUnknownCertificates: nobody knows yet whose they are, and one tenant's window opens nothing for another.
func TestTenantsSeeNothingOfUnknownCertificates(t *testing.T) {
	b := newBench(t)
	array := newCertified("array").cert
	b.waiting.seen = []*x509.Certificate{array}
	acme, other := b.kmipTenant("acme"), b.kmipTenant("other")
	b.post("/kmip/pending", acme, `{}`).is(200)
	shown := b.get("/kmip/pending", acme).is(200)
	require.EqualValues(t, 1, shown.reply()["pending"])
	require.NotContains(t, string(shown.body), "array")
	operator := b.send(req("GET", base+"/kmip/pending", b.root, "").with(tenantHeader, "acme")).is(200)
	require.Contains(t, string(operator.body), "CN=array")
	require.Nil(t, b.get("/kmip/pending", other).is(200).reply()["open_until"])
	b.post("/kmip/clients/a", other, pendingBody(array)).refused(fault.NotFound, "")
	b.post("/kmip/clients/a", acme, pendingBody(array)).is(200)
}

func TestWhoMayOpenAWindow(t *testing.T) {
	b := newBench(t)
	weak := b.token("kmip/* read,write,delete,list")
	b.post("/kmip/pending", weak, `{}`).refused(fault.Denied, "")
	b.get("/kmip/pending", weak).refused(fault.Denied, "")
	b.delete("/kmip/pending", weak).refused(fault.Denied, "")
	for _, d := range []string{"59s", "61m", "-5m", "x"} {
		b.post("/kmip/pending", b.root, `{"for":"`+d+`"}`).refused(fault.Invalid, "for")
	}
	b.post("/kmip/clients/a", b.root, `{"pending_public_key_fingerprint":"00"}`).refused(fault.Invalid, "pending_public_key_fingerprint")
	b.waiting.silent = true
	require.Equal(t, []any{"n3"}, b.post("/kmip/pending", b.root, `{}`).is(200).reply()["missing"])
	require.Equal(t, []any{"n3"}, b.delete("/kmip/pending", b.root).is(200).reply()["missing"])
}

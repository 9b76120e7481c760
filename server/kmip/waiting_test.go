package kmip

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// TestAnUnknownCertificateWaitsWhileAWindowIsOpen: on the node to which it came, and only one that nobody knows.
func TestAnUnknownCertificateWaitsWhileAWindowIsOpen(t *testing.T) {
	b := newBranch(t)
	acme, now := b.tenant(), fsm.At(time.Now())
	known := b.follower.as(b.enrol(acme, "array", ""))
	stranger := certified(t, "stranger")
	come := func() {
		got := b.follower.as(stranger).ask(asks(ttlv.OperationQuery, ""))[0]
		require.Equal(t, ttlv.ResultReasonAuthenticationNotSuccessful, reason(t, got), "whether a window is open or not")
	}
	come()
	require.Zero(t, b.office.Waiting.Room(acme, now))
	b.office.Waiting.Open(acme, time.Minute, now)
	come()
	come()
	made(t, known.ask(creates("disk"))[0])
	room := b.office.Waiting.Room(acme, now)
	require.Equal(t, now.Add(time.Minute), room.Until)
	require.Len(t, room.Seen, 1)
	require.Equal(t, stranger.Certificate[0], room.Seen[0].Certificate)
	require.Equal(t, "127.0.0.1", room.Seen[0].Address)
	require.EqualValues(t, 2, room.Seen[0].Requests)
	require.Zero(t, b.office.Waiting.Room(b.tenant(), now), "another tenant has no window")
	require.Zero(t, b.office.Waiting.Room(acme, now.Add(time.Minute)), "it is closed")
	come()
	b.office.Waiting.Open(acme, time.Minute, now)
	require.Empty(t, b.office.Waiting.Room(acme, now).Seen, "what was seen before is forgotten")
}

// TestWhoWasRevokedDoesNotWait: what was once bound is never bound to another.
func TestWhoWasRevokedDoesNotWait(t *testing.T) {
	b := newBranch(t)
	acme, now := b.tenant(), fsm.At(time.Now())
	cert := b.enrol(acme, "array", "")
	_, _, err := b.clients.Revoke(t.Context(), fsm.Request{ID: fsm.UID{4}, Tenant: acme}, "array")
	require.NoError(t, err)
	b.office.Waiting.Open(acme, time.Minute, now)
	require.Equal(t, ttlv.ResultReasonAuthenticationNotSuccessful, reason(t, b.follower.as(cert).ask(asks(ttlv.OperationQuery, ""))[0]))
	require.Empty(t, b.office.Waiting.Room(acme, now).Seen)
}

func TestWhatWaitsIsBounded(t *testing.T) {
	var w Waiting
	tenant, now := fsm.UID{1}, fsm.At(time.Now())
	w.Open(tenant, time.Minute, now)
	from := func(address string, n int) {
		for i := range n {
			c := certified(t, fmt.Sprint(address, i)).Leaf
			w.note(c, address, now.Add(time.Duration(i)))
		}
	}
	from("192.0.2.1", maxFrom+3)
	room := w.Room(tenant, now)
	require.Len(t, room.Seen, maxFrom, "of one address")
	require.EqualValues(t, 3, room.Missed)
	for i := range maxWaiting/maxFrom + 1 {
		from(fmt.Sprint("198.51.100.", i), maxFrom)
	}
	require.Len(t, w.Room(tenant, now).Seen, maxWaiting)
	large := certified(t, "large").Leaf
	large.Raw = make([]byte, maxCertificate+1)
	w.Open(tenant, 0, now)
	w.Open(tenant, time.Minute, now)
	w.note(large, "192.0.2.1", now)
	require.Empty(t, w.Room(tenant, now).Seen)
}

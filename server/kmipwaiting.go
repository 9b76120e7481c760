package server

import (
	"context"
	"crypto/x509"
	"sync"
	"time"

	"github.com/trstctl/trstctl/engines/kmipclient"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api"
	"github.com/trstctl/trstctl/server/kmip"
)

// askRoom is how members ask each other what waits with them, and open and close windows.
const askRoom = "kmip.room"

// roomTime is for one member's answer.
const roomTime = 5 * time.Second

// roomQuestion asks for a tenant's room, after its window was opened for a while, or closed by Open of 0.
type roomQuestion struct {
	Tenant fsm.UID        `cbor:"1,keyasint"`
	Open   *time.Duration `cbor:"2,keyasint,omitempty"`
}

// answerRoom answers a member.
func (k *keyService) answerRoom(body []byte) ([]byte, error) {
	var in roomQuestion
	if err := fsm.Decode(body, &in); err != nil {
		return nil, fault.New(fault.Invalid, "the question cannot be read").Because(err)
	}
	now := fsm.At(chaos.Now())
	if in.Open != nil {
		k.office.Waiting.Open(in.Tenant, *in.Open, now)
	}
	return fsm.Encode(k.office.Waiting.Room(in.Tenant, now))
}

// Open implements api.Waiting.
func (k *keyService) Open(ctx context.Context, tenant fsm.UID, d time.Duration) ([]api.WaitingRoom, error) {
	return k.rooms(ctx, roomQuestion{tenant, &d})
}

// Rooms implements api.Waiting.
func (k *keyService) Rooms(ctx context.Context, tenant fsm.UID) ([]api.WaitingRoom, error) {
	return k.rooms(ctx, roomQuestion{Tenant: tenant})
}

// rooms asks every member.
func (k *keyService) rooms(ctx context.Context, q roomQuestion) ([]api.WaitingRoom, error) {
	body, err := fsm.Encode(q)
	if err != nil {
		return nil, err
	}
	ids, err := k.m.cluster.MemberIDs()
	if err != nil {
		return nil, err
	}
	out := make([]api.WaitingRoom, len(ids))
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() { out[i] = k.roomOf(ctx, id, body) })
	}
	wg.Wait()
	return out, nil
}

func (k *keyService) roomOf(ctx context.Context, id string, body []byte) api.WaitingRoom {
	ctx, cancel := context.WithTimeout(ctx, roomTime)
	defer cancel()
	out := api.WaitingRoom{Node: id}
	b, err := k.m.cluster.Ask(ctx, id, askRoom, body)
	var room kmip.Room
	if err == nil {
		err = fsm.Decode(b, &room)
	}
	if err == nil {
		out.Until, out.Missed = room.Until, room.Missed
		out.Seen, err = presented(id, room.Seen)
	}
	if out.Error = err; err != nil {
		k.m.log.WarnContext(ctx, "a node does not say which KMIP certificates wait with it", "node", id, "err", err)
	}
	return out
}

func presented(node string, all []kmip.Presented) ([]api.WaitingCertificate, error) {
	out := make([]api.WaitingCertificate, len(all))
	for i, p := range all {
		c, err := x509.ParseCertificate(p.Certificate)
		if err != nil {
			return nil, err
		}
		out[i] = api.WaitingCertificate{Certificate: c, Key: kmipclient.KeyPrint(c), Address: p.Address, Nodes: []string{node}, First: p.First, Last: p.Last, Requests: p.Requests}
	}
	return out, nil
}

package kmip

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/engines/kmipclient"
	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fsmtest"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
	"github.com/trstctl/trstctl/test/kmip/replay"
)

// desk is an engine on a store and a keyring of its own, with what a server has between it and a message.
type desk struct {
	t      testing.TB
	engine *managedkey.Engine
	ledger *fsm.Ledger
	log    *fsmtest.Solo
	view   func() *fsm.View
	keys   *keyring.Keyring
	made   int           // tenants
	late   time.Duration // by which the clock is ahead
	step   time.Duration // by which each request moves it on
}

func newDesk(t testing.TB) *desk {
	kek := filepath.Join(t.TempDir(), "kek")
	require.NoError(t, seal.Keygen(kek))
	file, err := seal.OpenFile(kek)
	require.NoError(t, err)
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(fsm.Builtin, keyring.Register, fsmtest.Agreeing, managedkey.Register, kmipclient.Register), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	d := &desk{t: t, log: fsmtest.NewSolo(s, fsm.At(time.Now())), keys: keyring.New(fsm.UID{9}, file)}
	d.view = func() *fsm.View {
		v, err := s.View()
		require.NoError(t, err)
		return v
	}
	v := d.view()
	events, _, err := d.keys.Found(t.Context(), v, keyring.People{})
	require.NoError(t, err)
	require.NoError(t, v.Close())
	d.log.Must(t, fsm.RootTenant, events...)
	d.log.Must(t, fsm.RootTenant, fsmtest.Agreed{Version: 100})
	v = d.view()
	require.NoError(t, d.keys.Unseal(t.Context(), v))
	events, err = d.keys.NewTenant(v, fsm.RootTenant)
	require.NoError(t, err)
	require.NoError(t, v.Close())
	d.log.Must(t, fsm.RootTenant, events...)
	d.ledger = fsm.NewLedger(s, d.log)
	d.engine = managedkey.New(d.ledger, d.keys, func() fsm.Time { return fsm.At(d.now()) })
	return d
}

func (d *desk) now() time.Time { return time.Now().Add(d.late) }

// tenant makes one.
func (d *desk) tenant() fsm.UID {
	d.made++
	uid := fsm.UID{7, byte(d.made >> 8), byte(d.made)}
	v := d.view()
	defer v.Close()
	events, err := d.keys.NewTenant(v, uid)
	require.NoError(d.t, err)
	d.log.Must(d.t, uid, events...)
	return uid
}

// answer carries a message out for a client of a tenant. No answer has anything in it that its version does not know, and nothing of the message, which may have to be
// carried out again, is wiped with it.
func (d *desk) answer(ctx context.Context, tenant fsm.UID, c Caller, raw []byte) ([]byte, error) {
	asked := slices.Clone(raw)
	m, err := ttlv.Parse(raw, ttlv.Limits{})
	if err != nil {
		return nil, err
	}
	var version ttlv.Version
	out, err := Handle(ctx, m, func(ctx context.Context, r *Request, do func(Stage) error) error {
		if version = r.Version; r.Correlation != "" {
			r.Correlated = "ours"
		}
		_, err := d.engine.Commit(ctx, fsm.Request{ID: fsm.UID{1}, Tenant: tenant}, func(s *managedkey.Stage) error { return do(newSession(s, c)) })
		return err
	}, d.now())
	require.Equal(d.t, asked, raw, "the answer has wiped the message")
	if err == nil && version != 0 {
		var answer *ttlv.Item
		answer, err = ttlv.Parse(slices.Clone(out), ttlv.Limits{})
		require.NoError(d.t, err)
		d.known(version, answer)
	}
	return out, err
}

// known asserts that a version has all tags of an answer.
func (d *desk) known(v ttlv.Version, it *ttlv.Item) {
	if span, known := it.Tag.Span(); known && !span.Has(v) {
		d.t.Errorf("an answer of version %s has a %s", v, it.Tag)
	}
	for i := range it.Items() {
		d.known(v, &it.Items()[i])
	}
}

func (d *desk) dial(tenant fsm.UID) replay.Dial {
	return func(context.Context, string) (replay.Exchange, func(), error) {
		return func(ctx context.Context, request []byte) ([]byte, error) {
			d.late += d.step
			return d.answer(ctx, tenant, Caller{ID: "client", All: true, PKCS1v15: true, SmallRSA: true}, request)
		}, nil, nil
	}
}

// TestPublishedCases plays those of OASIS in this process, where two minutes that one of them waits for are some hundred requests: TRSTCTL_KMIP_CASE picks some by a
// part of their name.
func TestPublishedCases(t *testing.T) {
	dir := os.Getenv("TRSTCTL_KMIP_CASES")
	if dir == "" {
		dir = filepath.FromSlash("../../../shared/kmip/oasis")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the published KMIP test cases are not here; TRSTCTL_KMIP_CASES names their folder")
	}
	groups, err := replay.Load(dir)
	require.NoError(t, err)
	skip := replay.Unsupported(groups)
	d := newDesk(t)
	for _, g := range groups {
		if !strings.Contains(g.Name, os.Getenv("TRSTCTL_KMIP_CASE")) {
			continue
		}
		d.step = 0
		if strings.Contains(g.Name, "TC_92") {
			d.step = time.Second
		}
		report := replay.Run(t.Context(), g, d.dial(d.tenant()), replay.Options{NotApplicable: skip, Pause: time.Millisecond, Now: d.now})
		for _, r := range report {
			if r.Outcome == replay.Failed {
				t.Error(r)
			}
		}
	}
}

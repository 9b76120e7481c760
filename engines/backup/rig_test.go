package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
)

var (
	cluster = fsm.UID{7, 7}
	acme    = fsm.UID{1}
)

// noted is something that a state holds, sealed.
type noted struct {
	Name  string     `cbor:"1,keyasint"`
	Value fsm.Sealed `cbor:"2,keyasint"`
}

func (noted) EventType() string     { return "test.note.noted" }
func (e noted) EventStream() string { return "note/" + e.Name }

var notes = fsm.NewTable[noted]("test.note")

func registry() *fsm.Registry {
	return fsm.NewRegistry(fsm.Builtin, keyring.Register, Register, func(r *fsm.Registry) {
		fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, _ versioned) error { tx.SetVersion(2); return nil })
		fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e noted) error { return notes.Put(tx, fsm.K(e.Name), e) })
	})
}

// rig is a state with keys and a few sealed values.
type rig struct {
	t     *testing.T
	store *fsm.Store
	kek   *seal.File
	keys  *keyring.Keyring
}

func newRig(t *testing.T, values int) *rig {
	r := &rig{t: t}
	path := filepath.Join(t.TempDir(), "kek")
	require.NoError(t, seal.Keygen(path))
	var err error
	r.kek, err = seal.OpenFile(path)
	require.NoError(t, err)
	r.store, err = fsm.Open(t.TempDir(), registry(), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.store.Close()) })
	r.keys = keyring.New(cluster, r.kek)
	events, _, err := r.keys.Found(t.Context(), r.view(), keyring.People{})
	require.NoError(t, err)
	r.apply(fsm.RootTenant, events...)
	require.NoError(t, r.keys.Unseal(t.Context(), r.view()))
	events, err = r.keys.NewTenant(r.view(), acme)
	require.NoError(t, err)
	r.apply(acme, events...)
	for i := range values {
		r.note(fmt.Sprintf("n%04d", i), bytes.Repeat([]byte{byte(i)}, 1000))
	}
	return r
}

func (r *rig) note(name string, value []byte) {
	v := r.view()
	s, err := r.keys.Seal(v, place(name), value)
	require.NoError(r.t, err)
	r.apply(acme, noted{name, s})
}

func place(name string) fsm.Binding {
	return fsm.Binding{Tenant: acme, Feature: "test", Field: "value", Path: name, Version: 1}
}

func (r *rig) apply(tenant fsm.UID, events ...fsm.Event) {
	e := &fsm.Entry{Tenant: tenant}
	e.Add(events...)
	_, err := r.store.Append(3, fsm.Time(r.store.Applied()), e)
	require.NoError(r.t, err)
}

func (r *rig) view() *fsm.View {
	v, err := r.store.View()
	require.NoError(r.t, err)
	r.t.Cleanup(func() { v.Close() })
	return v
}

// save returns a backup of the present state.
func (r *rig) save() []byte {
	b, err := Prepare(r.t.Context(), r.view(), r.keys, cluster, "n1", 99)
	require.NoError(r.t, err)
	defer b.Close()
	var out bytes.Buffer
	require.NoError(r.t, b.Write(r.t.Context(), &out))
	return out.Bytes()
}

// load opens a file with seals and brings it into new tables.
func load(t *testing.T, file []byte, seals ...seal.Seal) (*Loaded, error) {
	f, err := Read(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	content, err := f.Open(t.Context(), seals...)
	if err != nil {
		return nil, err
	}
	l, err := f.Load(t.Context(), t.TempDir(), registry(), content)
	if err == nil {
		t.Cleanup(func() { require.NoError(t, l.Store.Close()) })
	}
	return l, err
}

func check(file []byte) error {
	f, err := Read(bytes.NewReader(file))
	if err != nil {
		return err
	}
	return f.Check()
}

// resum gives a changed file the trailer that fits it, as anybody can.
func resum(file []byte) []byte {
	body := file[:len(file)-trailerSize]
	out := binary.BigEndian.AppendUint64(append(bytes.Clone(body), endMagic...), uint64(len(body)))
	sum := sha256.Sum256(body)
	return append(out, sum[:]...)
}

// frontOf is how many bytes stand before the chunks.
func frontOf(file []byte) int {
	return len(magic) + 4 + int(binary.BigEndian.Uint32(file[len(magic):])) + macSize
}

package dynamic

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm/fault"
)

type ctx = context.Context

// TestAConnectionIsTriedBeforeItIsWritten, and its password is sent nowhere else.
func TestAConnectionIsTriedBeforeItIsWritten(t *testing.T) {
	r := newRig(t)
	err := r.connect(func(c *Connection) { c.Password = Password("wrong") })
	require.True(t, fault.Is(err, fault.Conflict), "%v", err)
	require.ErrorContains(t, err, "password authentication failed")
	require.True(t, fault.Is(r.connect(func(c *Connection) { c.Password = nil }), fault.Invalid))
	require.True(t, fault.Is(r.connect(func(c *Connection) { c.Backend = "oracle" }), fault.Invalid))
	require.True(t, fault.Is(r.connect(func(c *Connection) { c.Username = "" }), fault.Invalid))
	require.True(t, fault.Is(r.connect(func(c *Connection) { c.Name = "a/b" }), fault.Invalid))
	require.True(t, fault.Is(r.connect(func(c *Connection) { c.Config.Host = "" }), fault.Invalid))
	require.NoError(t, r.connect(nil))
	kept := func(change func(*Connection)) error {
		return r.connect(func(c *Connection) { c.Password = nil; change(c) })
	}
	require.NoError(t, kept(func(c *Connection) { c.Length = 40 }))
	for _, change := range []func(*Connection){
		func(c *Connection) { c.Config.Host = "evil" }, func(c *Connection) { c.Config.Port = 1 }, func(c *Connection) { c.Config.TLS = backend.Disable },
		func(c *Connection) { c.Config.CA = []byte("x") }, func(c *Connection) { c.Username = "other" }, func(c *Connection) { c.Config.Options = map[string]string{"a": "b"} },
	} {
		require.True(t, fault.Is(kept(change), fault.Invalid), "the credential is needed again")
	}
	known, err := GetConnection(r.view(), acme, "pg")
	require.NoError(t, err)
	require.Equal(t, 40, known.Length)
	_, err = GetConnection(r.view(), umbra, "pg")
	require.True(t, fault.Is(err, fault.NotFound))
}

// TestRotateRoot survives a crash at every step, and nobody but the cluster knows the password then.
func TestNamesThatStandBeforeOtherLeasesAreTaken(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"pki", "ssh"} {
		require.True(t, fault.Is(r.connect(func(c *Connection) { c.Name = name }), fault.Invalid))
	}
}

func TestRotateRoot(t *testing.T) {
	for name, plant := range map[string]func(*rig){
		"nothing fails":               func(*rig) {},
		"the target is down":          func(r *rig) { r.db.Fail(at("password")) },
		"the answer is lost":          func(r *rig) { r.db.Fail(at("after password")) },
		"the result is not committed": func(r *rig) { r.log.before = "dynamic.root.rotated" },
	} {
		t.Run(name, func(t *testing.T) {
			r := ready(t)
			plant(r)
			_, _, err := r.e.RotateRoot(t.Context(), r.keyed("rotate"), "pg")
			require.Equal(t, name != "nothing fails", err != nil)
			r.db.Fail(nil)
			r.log.before = ""
			r.restart()
			_, err = r.issue("meanwhile")
			require.NoError(t, err, "whichever password the target has")
			r.log.Pass(patience + time.Second)
			require.NoError(t, r.worker.rotations(t.Context()))
			require.NotEqual(t, "first", r.db.Root())
			known, err := GetConnection(r.view(), acme, "pg")
			require.NoError(t, err)
			require.NotZero(t, known.Rotated)
			require.Zero(t, known.Rotating)
			r.restart()
			_, err = r.issue("afterwards")
			require.NoError(t, err)
			before := r.db.Root()
			if err == nil && name == "nothing fails" {
				_, _, err = r.e.RotateRoot(t.Context(), r.keyed("rotate"), "pg")
				require.NoError(t, err)
				require.Equal(t, before, r.db.Root(), "a repetition rotates nothing")
			}
		})
	}
}

// TestRotateRootWhereTheTargetDraws: whatever fails, the cluster has a credential that the target takes, and in the end there is no other.
func TestRotateRootWhereTheTargetDraws(t *testing.T) {
	for name, plant := range map[string]func(*rig){
		"nothing fails":                  func(*rig) {},
		"the target is down":             func(r *rig) { r.db.Fail(at("password")) },
		"the answer is lost":             func(r *rig) { r.db.Fail(at("after password")) },
		"what was drawn is not recorded": func(r *rig) { r.log.before = "dynamic.root.replaced" },
		"nobody knows whether it was":    func(r *rig) { r.log.after = "dynamic.root.replaced" },
		"the old one is not ended":       func(r *rig) { r.db.Fail(at("retire")) },
		"nobody knows whether it ended":  func(r *rig) { r.db.Fail(at("after retire")) },
		"the end is not recorded":        func(r *rig) { r.log.before = "dynamic.root.rotated" },
	} {
		t.Run(name, func(t *testing.T) {
			r := ready(t)
			r.db.DrawOwn()
			r.restart()
			plant(r)
			_, _, err := r.e.RotateRoot(t.Context(), r.keyed("rotate"), "pg")
			require.Equal(t, name != "nothing fails", err != nil)
			r.db.Fail(nil)
			r.log.before, r.log.after = "", ""
			r.restart()
			_, err = r.issue("meanwhile")
			require.NoError(t, err, "the target takes what is stored")
			if name != "nothing fails" {
				_, _, err = r.e.RotateRoot(t.Context(), r.keyed("another"), "pg")
				require.True(t, fault.Is(err, fault.Conflict), "another node may be at it: %v", err)
			}
			r.log.Pass(patience + time.Second)
			require.NoError(t, r.worker.rotations(t.Context()))
			require.NotEqual(t, "first", r.db.Root())
			require.Equal(t, 1, r.db.Own())
			known, err := GetConnection(r.view(), acme, "pg")
			require.NoError(t, err)
			require.NotZero(t, known.Rotated)
			require.Zero(t, known.Rotating)
			r.restart()
			_, err = r.issue("afterwards")
			require.NoError(t, err)
		})
	}
}

// TestAConnectionWithLeasesStays: nobody else could end them.
func TestAConnectionWithLeasesStays(t *testing.T) {
	r := ready(t)
	_, err := r.issue("one")
	require.NoError(t, err)
	_, err = r.e.DeleteConnection(t.Context(), r.req(), "pg")
	require.True(t, fault.Is(err, fault.Conflict), "%v", err)
	require.NoError(t, r.connect(func(c *Connection) { c.Name = "other" }))
	_, err = r.e.DeleteConnection(t.Context(), r.req(), "other")
	require.NoError(t, err)
	_, err = r.e.DeleteConnection(t.Context(), r.req(), "other")
	require.True(t, fault.Is(err, fault.NotFound))
	page, next, err := Connections(r.view(), acme, "", 10)
	require.NoError(t, err)
	require.Empty(t, next)
	require.Len(t, page, 1)
	require.Equal(t, "pg", page[0].Name)
}

func TestRolesSayWhatTheyGrant(t *testing.T) {
	r := ready(t)
	write := func(role Role) error {
		_, _, err := r.e.WriteRole(t.Context(), r.req(), "pg", role)
		return err
	}
	some := backend.Role{Grants: []string{"SELECT"}}
	for _, bad := range []Role{{Name: "r"}, {Name: "r", Grant: backend.Role{Grants: []string{""}}}, {Name: "a/b", Grant: some}, {Name: "r", Grant: some, TTL: time.Second},
		{Name: "r", Grant: some, TTL: 2 * time.Hour, MaxTTL: time.Hour}} {
		require.True(t, fault.Is(write(bad), fault.Invalid), "%+v", bad)
	}
	require.NoError(t, write(Role{Name: "r", Grant: some, MaxTTL: 30 * time.Minute}))
	role, err := GetRole(r.view(), acme, "pg", "r")
	require.NoError(t, err)
	require.Equal(t, 30*time.Minute, role.TTL, "within the maximum")
	_, _, err = r.e.WriteRole(t.Context(), r.req(), "none", Role{Name: "r", Grant: some})
	require.True(t, fault.Is(err, fault.NotFound))
	_, err = r.e.DeleteRole(t.Context(), r.req(), "pg", "r")
	require.NoError(t, err)
	_, err = r.e.DeleteRole(t.Context(), r.req(), "pg", "r")
	require.True(t, fault.Is(err, fault.NotFound))
	all, _, err := Roles(r.view(), acme, "pg", "", 10)
	require.NoError(t, err)
	require.Len(t, all, 1)
}

// TestStraysAreToldAndEndedWhenSomebodySaysSo: they may be another cluster's mistake.
func TestStraysAreToldAndEndedWhenSomebodySaysSo(t *testing.T) {
	r := ready(t)
	c, err := r.issue("one")
	require.NoError(t, err)
	known, err := GetConnection(r.view(), acme, "pg")
	require.NoError(t, err)
	stray := known.Prefix + "stray"
	r.db.Plant(stray)
	r.db.Plant("somebody")
	for _, all := range []bool{false, true} {
		strays, err := r.e.Sweep(t.Context(), acme, "pg", all)
		require.NoError(t, err)
		require.Len(t, strays, 1)
		require.Equal(t, stray, strays[0].Account)
		require.Equal(t, all, strays[0].Ended)
	}
	require.Equal(t, 2, r.are())
	require.True(t, r.db.LogsIn(c.Username, c.Password))
}

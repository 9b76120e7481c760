package control

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/chaos/rig"
)

// serve makes a node's rig with all real points, and a client for it.
func serve(t *testing.T) (*rig.Rig, *Client) {
	var names []string
	for _, p := range chaos.Points() {
		names = append(names, p.Name)
	}
	r := rig.New(names)
	path := filepath.Join(t.TempDir(), "s")
	s, err := rig.Listen(path, r)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	c, err := Dial(path)
	require.NoError(t, err)
	return r, c
}

func TestAClockIsTurnedFromOutside(t *testing.T) {
	r, c := serve(t)
	require.NoError(t, c.Jump(time.Hour))
	require.InDelta(t, time.Hour, r.Now().Round(0).Sub(time.Now().Round(0)), float64(time.Second))
	require.NoError(t, c.Rate(0))
	s, err := c.State()
	require.NoError(t, err)
	require.Zero(t, s.Rate)
	require.InDelta(t, time.Hour, time.Duration(s.Offset), float64(time.Minute))
	require.NoError(t, c.Reset())
	require.InDelta(t, 0, time.Until(r.Now().Round(0)), float64(time.Second))
	require.ErrorContains(t, c.Rate(-1), "a rate is between")
	require.ErrorContains(t, c.Jump(100*365*24*time.Hour), "at most")
}

func TestAPointIsArmedAndLetGoFromOutside(t *testing.T) {
	r, c := serve(t)
	require.NoError(t, c.Arm(chaos.TermOpened, Action{Do: Hang, Hit: 2}))
	r.Pass(chaos.TermOpened)
	passed := make(chan struct{})
	go func() { r.Pass(chaos.TermOpened); close(passed) }()
	require.Eventually(t, func() bool { return at(t, c, chaos.TermOpened).Fired }, 5*time.Second, time.Millisecond)
	require.EqualValues(t, 2, at(t, c, chaos.TermOpened).Hits)
	require.NoError(t, c.Disarm(""))
	<-passed
	require.Nil(t, at(t, c, chaos.TermOpened).Armed)
	require.ErrorContains(t, c.Arm("boot.none", Action{Do: Kill}), "no point")
	require.ErrorContains(t, c.Arm(chaos.TermOpened, Action{Do: Pause}), "a pause")
	require.Error(t, c.Arm(chaos.TermOpened, Action{Do: Kill, Hit: -1}))
}

func at(t *testing.T, c *Client, name string) Point {
	s, err := c.State()
	require.NoError(t, err)
	for _, p := range s.Points {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("there is no point %s", name)
	return Point{}
}

func TestAStateSaysWhatTheProcessUses(t *testing.T) {
	_, c := serve(t)
	s, err := c.Settled()
	require.NoError(t, err)
	require.Positive(t, s.Goroutines)
	require.Positive(t, s.Heap)
	require.WithinDuration(t, time.Now(), s.Now, time.Second)
	require.Len(t, s.Points, len(chaos.Points()))
}

func TestTheEnvironmentSaysTheSame(t *testing.T) {
	r := rig.New([]string{"a"})
	require.NoError(t, r.Begin([]string{Variable("a", Action{Do: Pause, Hit: 3, For: time.Second}), ClockVariable(-time.Hour)}))
	a := r.Do(rig.Request{State: &rig.Asked{}})
	require.Equal(t, rig.Arm{Point: "a", Do: Pause, Hit: 3, For: rig.Duration(time.Second)}, *a.State.Points[0].Armed)
	require.InDelta(t, -time.Hour, time.Duration(a.State.Offset), float64(time.Second))
}

func TestNobodyListens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	_, err := Dial(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	c := &Client{path}
	require.ErrorIs(t, c.Reset(), os.ErrNotExist)
}

func TestAClientIsGoodForTheNextProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s, err := rig.Listen(path, rig.New(nil))
	require.NoError(t, err)
	c, err := Dial(path)
	require.NoError(t, err)
	s.Close()
	require.Error(t, c.Reset())
	left, err := net.Listen("unix", path) // as a killed process leaves it
	require.NoError(t, err)
	left.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, left.Close())
	s, err = rig.Listen(path, rig.New(nil))
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, c.Reset())
}

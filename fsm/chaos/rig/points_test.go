package rig

import (
	"bytes"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func arm(t *testing.T, r *Rig, a Arm) {
	require.NoError(t, r.points.arm(a))
}

func TestAPointGoesOffOnceAtItsHit(t *testing.T) {
	r := New([]string{"a", "b"})
	var kills atomic.Int32
	r.points.kill = func() { kills.Add(1) }
	var out bytes.Buffer
	r.Log(slog.New(slog.NewTextHandler(&out, nil)))
	r.Pass("a")
	arm(t, r, Arm{Point: "a", Do: Kill, Hit: 50})
	var wg sync.WaitGroup
	for range 49 {
		wg.Go(func() { r.Pass("a") })
		wg.Go(func() { r.Pass("b") })
	}
	wg.Wait()
	require.Zero(t, kills.Load())
	for range 100 {
		wg.Go(func() { r.Pass("a") })
	}
	wg.Wait()
	require.EqualValues(t, 1, kills.Load())
	require.Equal(t, 1, bytes.Count(out.Bytes(), []byte("point=a do=kill")))
	s := r.points.state()
	require.EqualValues(t, 150, s[0].Hits)
	require.True(t, s[0].Fired)
	require.EqualValues(t, 49, s[1].Hits)
	require.Nil(t, s[1].Armed)
}

func TestAPauseEndsByItselfOrWhenItIsTakenAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New([]string{"a"})
		took := func(other func()) time.Duration {
			arm(t, r, Arm{Point: "a", Do: Pause, Hit: 1, For: Duration(time.Minute)})
			begin := time.Now()
			go other()
			r.Pass("a")
			synctest.Wait()
			return time.Since(begin)
		}
		require.Equal(t, time.Minute, took(func() { r.Pass("a") }), "whoever comes later does not wait")
		require.Equal(t, time.Second, took(func() { time.Sleep(time.Second); _ = r.points.disarm("a") }))
		require.Equal(t, 2*time.Second, took(func() {
			time.Sleep(2 * time.Second)
			_ = r.points.arm(Arm{Point: "a", Do: Kill, Hit: 9})
		}))
	})
}

func TestAHangEndsWhenItIsTakenAwayOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New([]string{"a", "b"})
		arm(t, r, Arm{Point: "a", Do: Hang, Hit: 1})
		go func() {
			time.Sleep(1000 * time.Hour)
			_ = r.points.disarm("")
		}()
		begin := time.Now()
		r.Pass("a")
		require.Equal(t, 1000*time.Hour, time.Since(begin))
	})
}

func TestWhatMakesNoSenseIsNotArmed(t *testing.T) {
	r := New([]string{"a"})
	for _, bad := range []Arm{{Point: "x", Do: Kill, Hit: 1}, {Point: "a", Do: "explode", Hit: 1}, {Point: "a", Do: Kill}, {Point: "a", Do: Pause, Hit: 1},
		{Point: "a", Do: Pause, Hit: 1, For: -1}, {Point: "a", Do: Kill, Hit: 1, For: 1}} {
		require.Error(t, r.points.arm(bad), bad)
	}
	require.Error(t, r.points.disarm("x"))
	require.Panics(t, func() { r.Pass("x") })
}

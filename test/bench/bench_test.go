package main

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
)

func TestOptions(t *testing.T) {
	o, err := parse([]string{"--quick", "--only", "writes,restart", "-o", "json", "--rounds", "30"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, options{output: "json", only: []string{"writes", "restart"}, quick: true, nodes: 3, rounds: 30, secrets: 10000, objects: 10000, period: time.Second}, o)
	for _, bad := range [][]string{{"--only", "x"}, {"-o", "xml"}, {"--log-store", "pebble"}, {"word"}, {"--rounds", "-1"}, {"--objects", "-1"}, {"--unknown"}} {
		_, err := parse(bad, io.Discard)
		require.Error(t, err, bad)
	}
}

func TestPartsThatWereAskedFor(t *testing.T) {
	names := func(only ...string) (out [][]string) {
		o := options{only: only}
		for _, s := range o.stages() {
			var list []string
			for _, p := range o.chosen(s.parts) {
				list = append(list, p.name)
			}
			out = append(out, list)
		}
		return out
	}
	require.Equal(t, [][]string{{"disk", "writes", "reads", "failover", "transfer", "transit", "certificates", "leases", "unseal"}, {"unseal"}, {"unseal"}, {"disk", "writes"}, {"disk", "kmip"}, {"disk", "memory", "snapshot", "restart", "rotate"}}, names())
	require.Equal(t, [][]string{{"disk", "reads"}, nil, nil, nil, nil, nil}, names("reads"), "no cluster is started for the disk alone")
	require.Equal(t, [][]string{{"disk"}, nil, nil, {"disk"}, {"disk"}, {"disk"}}, names("disk"))
	require.Equal(t, [][]string{{"disk", "unseal"}, {"unseal"}, {"unseal"}, nil, nil, nil}, names("unseal"))
	require.Len(t, (&options{logStore: "wal"}).stages(), 5)
}

func TestValuesBelongToTheirPaths(t *testing.T) {
	var a, b, c [valueSize]byte
	require.Equal(t, valueOf("x/1", &a), valueOf("x/1", &b))
	require.NotEqual(t, a[:], valueOf("x/2", &c))
	require.NotEqual(t, a[:8], a[8:16])
}

func TestStat(t *testing.T) {
	s, err := parseStat("7 (a) b (c)) S 1 7 7 0 -1 4194560 10 0 0 0 150 25 0 0 20 0 9 0 36000 1 2 3")
	require.NoError(t, err)
	require.Equal(t, procStat{cpu: 1750 * time.Millisecond, started: 6 * time.Minute}, s)
	_, err = parseStat("7 (a) S 1")
	require.Error(t, err)

	s, err = readStat(os.Getpid())
	require.NoError(t, err)
	_, up, err := sinceBoot()
	require.NoError(t, err)
	require.Less(t, s.started, up+tick)

	busy, err := parseMachine("cpu  100 20 30 9999 9999 1 2 3 0 0\ncpu0 1 2 3\n")
	require.NoError(t, err)
	require.Equal(t, 1560*time.Millisecond, busy)
	_, err = machineCPU()
	require.NoError(t, err)

	m, err := readMemory(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, m.rss, 1.0)
}

func TestRotated(t *testing.T) {
	list := []string{"a", "b", "c"}
	require.Equal(t, []string{"b", "c", "a"}, rotated(list, 4))
	require.Equal(t, []string{"a", "b", "c"}, list)
}

func TestTheFirstErrorEndsParallelWork(t *testing.T) {
	bad := errors.New("bad")
	calls := 0
	require.ErrorIs(t, parallel(1, 100, func(i int) error { calls++; return bad }), bad)
	require.Equal(t, 1, calls)
	require.NoError(t, parallel(4, 0, func(int) error { return bad }))
}

func TestARotationHasEndedWhenItsOwnKeyHas(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	began := sdk.Rotation{Key: "root", To: 3, BeganAt: at(100)}
	all := []sdk.Rotation{{Key: "root", To: 3, Values: 5, BeganAt: at(100)}, {Key: "tenant/root", Values: 1000, BeganAt: at(101), EndedAt: at(110)}, {Key: "tenant/idle", Values: 7, BeganAt: at(10), EndedAt: at(20)}}
	_, values, done := ended(all, began)
	require.False(t, done)
	require.Equal(t, 1005, values)
	all[0].EndedAt = at(112)
	took, _, done := ended(all, began)
	require.True(t, done)
	require.Equal(t, 12*time.Second, took)
	all[0].To = 2
	_, _, done = ended(all, began)
	require.False(t, done)
}

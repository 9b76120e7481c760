package cluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhoseClockIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		others map[string]time.Duration // from this node's
		wrong  bool
	}{
		"alone":                           {nil, false},
		"one far ahead, the other silent": {map[string]time.Duration{"b": 15 * time.Minute}, false},
		"one far ahead, the other right":  {map[string]time.Duration{"b": 15 * time.Minute, "c": time.Second}, false},
		"both far behind":                 {map[string]time.Duration{"b": -9 * time.Minute, "c": -9 * time.Minute}, true},
		"both far ahead":                  {map[string]time.Duration{"b": time.Hour, "c": 50 * time.Minute}, true},
		"on both sides":                   {map[string]time.Duration{"b": time.Hour, "c": -time.Hour}, false},
		"two of five heard":               {map[string]time.Duration{"b": time.Hour, "c": time.Hour}, true},
		"within the limit":                {map[string]time.Duration{"b": 4 * time.Minute, "c": 4 * time.Minute}, false},
	} {
		var k clockCheck
		var voters []string
		for id, off := range c.others {
			k.saw(id, time.Now().Add(off).UnixNano())
			voters = append(voters, id)
		}
		require.False(t, k.judgedIn(7), name)
		k.judge(7, append(voters, "silent"))
		require.True(t, k.judgedIn(7), name)
		require.False(t, k.judgedIn(8), name)
		require.Equal(t, c.wrong, k.wrong(), name)
	}
}

func TestOnlyAFitClockSucceeds(t *testing.T) {
	var k clockCheck
	k.saw("right", time.Now().Add(-9*time.Minute).UnixNano())
	k.saw("too", time.Now().Add(-9*time.Minute).UnixNano())
	k.saw("ahead", time.Now().UnixNano())
	k.judge(1, []string{"right", "too"})
	require.True(t, k.wrong())
	require.True(t, k.fit("right"))
	require.True(t, k.fit("unheard of"))
	require.False(t, k.fit("ahead"), "as wrong as this node")
}

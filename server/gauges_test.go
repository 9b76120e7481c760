package server

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/cluster"
)

// scrape returns the metrics without labels that a node tells on its own listener.
func scrape(t *testing.T, c Config) map[string]float64 {
	resp, err := http.Get("http://" + c.Metrics.Listen + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	all := map[string]float64{}
	for line := range strings.Lines(string(body)) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), " "); found && !strings.HasPrefix(line, "#") {
			all[name], err = strconv.ParseFloat(value, 64)
			require.NoError(t, err, line)
		}
	}
	return all
}

func TestANodeMeasuresItself(t *testing.T) {
	c := aConfig(t)
	c.Metrics.Listen = freePort(t)
	stop := start(t, c)
	initialise(t, c)
	var m map[string]float64
	require.Eventually(t, func() bool {
		m = scrape(t, c)
		return m["trstctl_ready"] == 1 && m["trstctl_voters"] == 1 && m["trstctl_voters_healthy"] == 1 && m["trstctl_leader"] == 1
	}, 20*time.Second, 50*time.Millisecond, "a node of one that is ready and leads")
	for name, want := range map[string]float64{"sealed": 0, "voter": 1, "leader_known": 1, "leader_contact_seconds": 0, "clock_wrong": 0,
		"disk_reserve_bytes": 0, "voters_reachable": 1, "failure_tolerance": 0,
		"rotation_values_remaining": 0, "rotation_age_seconds": 0, "seal_file_beside_others": 0, "voters_healthy": 1, "quarantined": 0, "watchdog_replications_restarted": 0, "outbox_waiting": 0, "outbox_parked": 0, "outbox_oldest_seconds": 0,
		"leases": 0, "leases_irrevocable": 0, "pki_issuers": 0, "pki_issuers_suspended": 0} {
		got, there := m["trstctl_"+name]
		require.True(t, there, name)
		require.Equal(t, want, got, name)
	}
	require.Positive(t, m["trstctl_disk_free_bytes"])
	require.Positive(t, m["trstctl_log_bytes"])
	require.Positive(t, m["trstctl_applied_index"])
	require.Less(t, m["trstctl_state_age_seconds"], 60.0)
	expires := time.Unix(int64(m["trstctl_certificate_expiry_timestamp_seconds"]), 0)
	require.WithinRange(t, expires, time.Now().Add(48*time.Hour), time.Now().Add(96*time.Hour))
	require.NotContains(t, m, "trstctl_snapshot_timestamp_seconds", "none was taken yet")
	require.Contains(t, m, `trstctl_build_info{version="test"}`)
	require.NoError(t, stop())
}

func TestFailureToleranceCountsVotersThatAnswer(t *testing.T) {
	member := func(voter, answers bool) cluster.Info {
		m := cluster.Info{Voter: voter}
		if answers {
			m.Status = &cluster.Status{}
		}
		return m
	}
	up, down, joining := member(true, true), member(true, false), member(false, true)
	for _, c := range []struct {
		all       []cluster.Info
		tolerance int
	}{
		{[]cluster.Info{up}, 0},
		{[]cluster.Info{up, up, up}, 1},
		{[]cluster.Info{up, up, up, joining}, 1},
		{[]cluster.Info{up, up, down}, 0},
		{[]cluster.Info{up, down, down}, -1},
		{[]cluster.Info{up, up, up, up, up}, 2},
		{[]cluster.Info{up, up}, 0},
	} {
		require.Equal(t, c.tolerance, count(c.all).tolerance, "%v", c.all)
	}
}

package server

import (
	"context"
	"net"
	"time"

	"github.com/armon/go-metrics"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/engines/dynamic/backend/postgresql"
	"github.com/trstctl/trstctl/engines/dynamic/backend/redis"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/server/lending"
)

// backends are the kinds of targets at which accounts are made.
func backends() map[string]backend.Backend {
	return moreBackends(map[string]backend.Backend{"postgresql": postgresql.Backend{}, "redis": redis.Backend{}})
}

// lend binds what is given out for a time to the cluster.
func (m *member) lend(cfg Config, ledger *fsm.Ledger, counters *metrics.Metrics) *lending.Lending {
	return lending.New(lending.Options{Ledger: ledger, Keys: m.keys, Tokens: m.tokens, Backends: backends(), Dial: m.egress.Dialer().DialContext, Resolver: resolver(cfg.PKI.Resolver),
		Confirm: func(ctx context.Context) error { return m.cluster.Await(ctx, cluster.Linearizable, 0, 0) }, Now: func() fsm.Time { return fsm.At(chaos.Now()) }, Log: m.log, Counters: counters})
}

// resolver asks one server, or, for "", those that the machine asks.
func resolver(address string) *net.Resolver {
	if address == "" {
		return net.DefaultResolver
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, address)
	}}
}

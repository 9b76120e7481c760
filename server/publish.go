package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/pki"
)

// present is the state as it is when somebody asks.
type present struct{ m *member }

// Present implements pki.State. A node that is sealed cannot sign, and one whose tables are not the majority's says nothing.
func (p present) Present(ctx context.Context) (*fsm.View, error) {
	if !p.m.keys.Unsealed() {
		return nil, fault.New(fault.Sealed, "the node is sealed: %s", p.m.gate.Reason())
	}
	if err := errors.Join(p.m.cluster.Fit(), p.m.cluster.Await(ctx, cluster.Linearizable, 0, 0)); err != nil {
		return nil, fault.New(fault.NotDone, "the state is not here: %v", err)
	}
	return p.m.cluster.Store().View()
}

// acmeCluster is what ACME's server asks of a node.
type acmeCluster struct {
	present
	adapter
}

// publisher serves CRLs and OCSP answers on a port of its own, in clear: they are signed.
type publisher struct {
	net.Listener
	server http.Server
}

func listenPKI(addr string, doors *doors, h *pki.Publisher, log *slog.Logger) (*publisher, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("open the port for CRLs and OCSP (pki.listen): %w", err)
	}
	return &publisher{doors.guard(l), http.Server{Handler: h.Handler(), ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}}, nil
}

func (s *publisher) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.server.Close() })
	defer stop()
	if err := s.server.Serve(s.Listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve CRLs and OCSP answers: %w", err)
	}
	return nil
}

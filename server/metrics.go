package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/armon/go-metrics"
	metricsprom "github.com/armon/go-metrics/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// meters gather figures: the libraries and the node count with go-metrics, Prometheus reads.
type meters struct {
	metrics  *metrics.Metrics
	handler  http.Handler
	registry *prometheus.Registry
}

// newMeters also makes them the process's own, to which raft and memberlist report.
func newMeters(node string) (*meters, error) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	sink, err := metricsprom.NewPrometheusSinkFrom(metricsprom.PrometheusOpts{Registerer: reg, Expiration: time.Hour})
	if err != nil {
		return nil, fmt.Errorf("make the metrics: %w", err)
	}
	cfg := metrics.DefaultConfig("trstctl")
	cfg.EnableHostname, cfg.EnableRuntimeMetrics, cfg.HostName = false, false, node
	m, err := metrics.NewGlobal(cfg, sink)
	if err != nil {
		return nil, fmt.Errorf("make the metrics: %w", err)
	}
	return &meters{m, promhttp.HandlerFor(reg, promhttp.HandlerOpts{}), reg}, nil
}

// metricsServer serves /metrics, and nothing else, on a port of its own.
type metricsServer struct {
	net.Listener
	server http.Server
}

func listenMetrics(addr string, doors *doors, h http.Handler) (*metricsServer, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("open the metrics port (metrics.listen): %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", h)
	return &metricsServer{doors.guard(l), http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute}}, nil
}

func (s *metricsServer) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.server.Close() })
	defer stop()
	if err := s.server.Serve(s.Listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the metrics: %w", err)
	}
	return nil
}

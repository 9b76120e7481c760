package scenario

import (
	"context"
	"sync"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/jepsen/lab"
)

// seen is what the watcher records of a node, when it has changed.
type seen struct {
	Node   string `json:"node"`
	Up     bool   `json:"up"`
	State  string `json:"state"` // empty: no answer
	Term   uint64 `json:"term"`
	Leader string `json:"leader"`
	Sealed bool   `json:"sealed"`
	Ready  bool   `json:"ready"`
}

// watch records how the nodes see themselves until ctx ends.
func watch(ctx context.Context, l *lab.Lab, h *history.Writer) {
	last := map[string]seen{}
	var mu sync.Mutex // guards last
	for ctx.Err() == nil {
		var all sync.WaitGroup
		for _, n := range l.Nodes() {
			all.Go(func() {
				s := look(ctx, n)
				mu.Lock()
				defer mu.Unlock()
				if last[n.ID] != s && ctx.Err() == nil {
					last[n.ID] = s
					h.Add(history.Watcher, history.Info, "status", n.ID, s, nil)
				}
			})
		}
		all.Wait()
		select {
		case <-time.After(watchEvery):
		case <-ctx.Done():
		}
	}
}

func look(ctx context.Context, n *lab.Node) seen {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s := seen{Node: n.ID, Up: n.Running()}
	if !s.Up {
		return s
	}
	if st, err := n.Status(ctx); err == nil {
		s.State, s.Term, s.Sealed = st.State, st.Term, st.Sealed
		if st.Leader != nil {
			s.Leader = st.Leader.ID
		}
		s.Ready = n.Client().Ready(ctx) == nil
	}
	return s
}

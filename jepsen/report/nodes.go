package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
)

// status is what the watcher saw of a node, when it had changed.
type status struct {
	Node   string `json:"node"`
	Up     *bool  `json:"up"`    // nil: not recorded
	State  string `json:"state"` // leader, follower, ...; empty: no answer
	Term   uint64 `json:"term"`
	Leader string `json:"leader"`
	Sealed bool   `json:"sealed"`
	Ready  bool   `json:"ready"`
}

// stretch is a time in which something stayed as it was.
type stretch struct {
	begin, end   time.Duration
	class, title string
	label        string
}

// seenAt is a status with its time.
type seenAt struct {
	status
	at time.Duration
}

func statuses(h *history.History) (all []seenAt) {
	for _, e := range h.Of(history.Watcher, "status") {
		s := seenAt{at: e.Time}
		if json.Unmarshal(e.Value, &s.status) != nil {
			continue
		}
		s.Node = cmp.Or(s.Node, e.Node)
		all = append(all, s)
	}
	return all
}

// class is that of a node's colour, with its meaning.
func (s status) class() (class, says string) {
	switch {
	case s.Up != nil && !*s.Up:
		return "down", "not running"
	case s.State == "":
		return "silent", "no answer"
	case s.Sealed:
		return "sealed", "sealed"
	case s.State == "leader":
		return "leader", "leads"
	case s.State == "follower" && s.Ready:
		return "follower", "follows"
	}
	return "unready", cmp.Or(s.State, "not ready") + ", not ready"
}

// nodes draws who led, and below that how each node saw itself.
func (c *canvas) nodes(h *history.History) {
	seen := statuses(h)
	if len(seen) == 0 {
		return
	}
	names := nodeNames(seen)
	c.panel("Leader and nodes", key{"leader", "leads"}, key{"follower", "follows"}, key{"unready", "not ready"}, key{"sealed", "sealed"},
		key{"silent", "no answer"}, key{"down", "not running"})
	lanes := [][]stretch{leaders(seen, names, c.axis.to)}
	c.row(13, "leader, term")
	for i, n := range names {
		lanes = append(lanes, states(seen, n, c.axis.to))
		c.row(float64((i+1)*laneHeight)+13, n)
	}
	top := c.y
	c.plot(float64(len(lanes)*laneHeight), func() {
		for i, lane := range lanes {
			c.stretches(lane, i*laneHeight)
		}
	})
	for _, s := range lanes[0] {
		c.fitted(s, top+12.5)
	}
}

func nodeNames(seen []seenAt) []string {
	set := map[string]bool{}
	for _, s := range seen {
		set[s.Node] = true
	}
	names := slices.SortedFunc(maps.Keys(set), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) // n2 before n10
	})
	return names[:min(len(names), 24)]
}

// states of one node.
func states(seen []seenAt, node string, end time.Duration) (all []stretch) {
	for _, s := range seen {
		if s.Node != node {
			continue
		}
		class, says := s.class()
		title := fmt.Sprintf("%s %s, term %d, from %s", node, says, s.Term, moment(s.at))
		all = follow(all, stretch{begin: s.at, end: end, class: class, title: title})
	}
	return all
}

// leaders is who led by its own account, in the highest term of those who said so.
func leaders(seen []seenAt, names []string, end time.Duration) (all []stretch) {
	now := map[string]status{}
	for _, s := range seen {
		now[s.Node] = s.status
		next := stretch{begin: s.at, end: end, title: "no leader seen"}
		if l, found := leading(now); found {
			next.label = fmt.Sprintf("%s · term %d", l.Node, l.Term)
			next.class, next.title = fmt.Sprintf("n%d", slices.Index(names, l.Node)%7), next.label
		}
		if len(all) == 0 || all[len(all)-1].label != next.label {
			all = follow(all, next)
		}
	}
	return all
}

func leading(now map[string]status) (l status, found bool) {
	for _, name := range slices.Sorted(maps.Keys(now)) {
		s := now[name]
		if s.State == "leader" && (!found || s.Term > l.Term) {
			l, found = s, true
		}
	}
	return l, found
}

func follow(all []stretch, next stretch) []stretch {
	if len(all) > 0 {
		all[len(all)-1].end = next.begin
	}
	return append(all, next)
}

const mostStretches = 1500

// stretches leaves those out that are too short to be seen when there are very many.
func (c *canvas) stretches(all []stretch, y int) {
	var shortest time.Duration
	if len(all) > mostStretches {
		shortest = c.axis.pixel()
	}
	for _, s := range all {
		begin, end := c.axis.clamp(s.begin), c.axis.clamp(s.end)
		if s.class == "" || end <= begin || end-begin < shortest {
			continue
		}
		c.printf(`<rect class="%s" x="%d" y="%d" width="%d" height="%d"><title>%s</title></rect>`, s.class, c.axis.ms(begin), y+1,
			max(c.axis.ms(end)-c.axis.ms(begin), 1), laneHeight-2, esc(s.title))
	}
}

// fitted labels a stretch that is wide enough.
func (c *canvas) fitted(s stretch, y float64) {
	begin, end := c.axis.clamp(s.begin), c.axis.clamp(s.end)
	if s.label == "" || end-begin < 3*c.axis.pixel() {
		return
	}
	class := "inside fit"
	if c.axis.px(end)-c.axis.px(begin) < textWidth(s.label)+6 {
		class += " off"
	}
	c.label(class, begin, end, y, s.label)
}

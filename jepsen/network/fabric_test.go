package network

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// wire is a device without a kernel.
type wire struct {
	out  chan []byte // what its host sends
	gone chan struct{}

	mu sync.Mutex // guards in
	in []arrival
}

func newWire() *wire { return &wire{out: make(chan []byte), gone: make(chan struct{})} }

type arrival struct {
	text string
	at   time.Time
}

func (w *wire) Read(b []byte) (int, error) {
	select {
	case p := <-w.out:
		return copy(b, p), nil
	case <-w.gone:
		return 0, io.EOF
	}
}

func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.in = append(w.in, arrival{string(b[sizeIP+sizeUDP:]), time.Now()})
	return len(b), nil
}

func (w *wire) Close() error {
	close(w.gone)
	return nil
}

// cable is a fabric with two devices in a bubble of fake time.
type cable struct {
	*fabric
	t    *testing.T
	a, b *wire
}

func inBubble(t *testing.T, test func(*testing.T, *cable)) {
	synctest.Test(t, func(t *testing.T) {
		c := &cable{newFabric(), t, newWire(), newWire()}
		require.NoError(t, c.attach(newDevice("a", one, c.a, newDice(1, 1))))
		require.NoError(t, c.attach(newDevice("b", two, c.b, newDice(1, 2))))
		defer func() { require.NoError(t, c.close()) }()
		test(t, c)
	})
}

func (c *cable) send(ports uint16, text string) {
	c.a.out <- datagram(one, two, [2]uint16{ports, ports}, text)
	synctest.Wait()
}

// got returns what has come to b, and forgets it.
func (c *cable) got() (all []arrival) {
	synctest.Wait()
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	all, c.b.in = c.b.in, nil
	return all
}

// arrived is got without the times.
func (c *cable) arrived() (texts []string) {
	for _, a := range c.got() {
		texts = append(texts, a.text)
	}
	return texts
}

func TestDelayIsExactAndKeepsOrderWithinAClass(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cable) {
		c.set([]Rule{{Class: Gossip, Delay: 50 * time.Millisecond}, {Class: Gossip, Delay: 10 * time.Millisecond, Jitter: 40 * time.Millisecond}})
		sent := map[string]time.Time{}
		for i := range 100 {
			sent[fmt.Sprint(i)] = time.Now()
			c.send(portGossip, fmt.Sprint(i))
			time.Sleep(time.Millisecond)
		}
		c.send(9, "overtakes")
		early := c.got()
		require.Equal(t, "overtakes", early[len(early)-1].text)
		time.Sleep(time.Second)
		all := append(early[:len(early)-1], c.got()...)
		require.Len(t, all, 100)
		for i, a := range all {
			require.Equal(t, fmt.Sprint(i), a.text)
			took := a.at.Sub(sent[a.text])
			require.GreaterOrEqual(t, took, 60*time.Millisecond)
			require.LessOrEqual(t, took, 100*time.Millisecond)
		}
	})
}

// A change of rules holds for what is under way, and does not begin its way anew.
func TestChangedRulesHoldForWhatIsUnderWay(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cable) {
		slow := Rule{Delay: 100 * time.Millisecond}
		c.set([]Rule{slow})
		c.send(9, "first")
		time.Sleep(60 * time.Millisecond)
		c.set([]Rule{slow, {From: "x", Drop: true}})
		time.Sleep(39 * time.Millisecond)
		require.Empty(t, c.arrived())
		time.Sleep(time.Millisecond)
		require.Equal(t, []string{"first"}, c.arrived())

		c.send(9, "second")
		c.send(9, "third")
		c.set([]Rule{{From: "a", Stall: true}})
		c.send(9, "fourth")
		time.Sleep(time.Hour)
		require.Empty(t, c.arrived())
		c.set(nil)
		c.send(9, "fifth")
		require.Equal(t, []string{"second", "third", "fourth", "fifth"}, c.arrived())

		c.set([]Rule{slow})
		c.send(9, "sixth")
		c.set([]Rule{{To: "b", Drop: true}})
		c.set(nil)
		time.Sleep(time.Second)
		require.Empty(t, c.arrived())
		require.Equal(t, Counts{Passed: 5, Dropped: 1}, c.counts.read())
	})
}

func TestQueuesAreBounded(t *testing.T) {
	for _, r := range []Rule{{Stall: true}, {Delay: time.Minute}} {
		inBubble(t, func(t *testing.T, c *cable) {
			c.set([]Rule{r})
			const size = 64000
			text := string(make([]byte, size))
			room := queueBytes / (size + sizeIP + sizeUDP + parcelBytes)
			for range room + 5 {
				c.send(9, text)
			}
			require.Equal(t, Counts{Overflowed: 5}, c.counts.read())
			c.set(nil)
			require.Len(t, c.arrived(), room)
			c.send(9, "there is room again")
			require.Len(t, c.arrived(), 1)
		})
	}
}

func TestChanceFollowsTheSeed(t *testing.T) {
	draw := func() (got []string) {
		inBubble(t, func(t *testing.T, c *cable) {
			c.set([]Rule{{Loss: 0.3, Duplicate: 0.3}})
			for i := range 200 {
				c.send(9, fmt.Sprint(i))
			}
			got = c.arrived()
			n := c.counts.read()
			require.InDelta(t, 60, n.Lost, 30)
			require.InDelta(t, 42, n.Duplicated, 25)
			require.EqualValues(t, 200, n.Passed+n.Lost-n.Duplicated)
		})
		return got
	}
	require.Equal(t, draw(), draw())
}

func TestStrayPacketsGoNowhere(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cable) {
		for _, p := range [][]byte{
			datagram(one, address{8, 8, 8, 8}, [2]uint16{1, 1}, "abroad"),
			datagram(one, one, [2]uint16{1, 1}, "home"),
			datagram(two, two, [2]uint16{1, 1}, "under a false name"),
			{0x60}, {},
		} {
			c.a.out <- p
		}
		require.Empty(t, c.arrived())
		require.Equal(t, Counts{Stray: 3}, c.counts.read())
	})
}

func TestRulesAddUp(t *testing.T) {
	s := ruleset{
		{From: "a", Delay: 1, Loss: 0.5},
		{To: "b", Delay: 2, Jitter: 3, Loss: 0.5},
		{Class: Raft, Drop: true},
		{From: "b", Reset: true},
	}
	require.Equal(t, effect{delay: 3, jitter: 3, lost: 0.75}, s.effect(path{"a", "b", API}))
	require.Equal(t, effect{drop: true, reset: true}, s.effect(path{"b", "c", Raft}))
	require.Equal(t, effect{}, s.effect(path{"a", "a", Raft}))
	require.Equal(t, effect{}, s.effect(path{"c", "d", ""}))
}

// Package control speaks to the chaos hooks of a node whose binary was built with -tags chaos: it turns its clock, arms its points and asks how it is.
package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/trstctl/trstctl/fsm/chaos/rig"
)

// What a point does when it is hit.
const (
	Kill  = rig.Kill
	Pause = rig.Pause
	Hang  = rig.Hang
)

// State is how a process sees itself, Point how one of its points stands.
type (
	State = rig.State
	Point = rig.Point
)

// Deadline bounds a call. One that fails with it may be carried out still, when a node that was stopped goes on.
const Deadline = 5 * time.Second

// Client speaks to one socket, over a connection for each call: it is good for every process that comes to listen there, may be used by several
// goroutines, and need not be closed.
type Client struct{ path string }

// Dial returns a client for a socket on which somebody listens.
func Dial(path string) (*Client, error) {
	c := &Client{path}
	conn, err := c.connect()
	if err != nil {
		return nil, err
	}
	return c, conn.Close()
}

// Jump sets the node's wall clock forward, or back.
func (c *Client) Jump(by time.Duration) error {
	d := rig.Duration(by)
	return c.tell(rig.Request{Jump: &d})
}

// Rate has the wall clock go so fast from now on: 0 stops it, 1 is right.
func (c *Client) Rate(r float64) error { return c.tell(rig.Request{Rate: &r}) }

// Reset sets the wall clock right.
func (c *Client) Reset() error { return c.tell(rig.Request{Reset: &struct{}{}}) }

// Action is what a point does once.
type Action struct {
	Do  string        // Kill, Pause or Hang
	Hit int           // at which it does, counted from now on; 0: the first
	For time.Duration // of a Pause
}

// Arm has a point, one of chaos.Points, do something instead of what it was to do before.
func (c *Client) Arm(point string, a Action) error {
	if a.Hit < 0 {
		return fmt.Errorf("arm %s: hit %d is none", point, a.Hit)
	}
	return c.tell(rig.Request{Arm: &rig.Arm{Point: point, Do: a.Do, Hit: uint32(max(a.Hit, 1)), For: rig.Duration(a.For)}})
}

// Disarm takes that away, of all points with "", and lets go whoever waits there.
func (c *Client) Disarm(point string) error { return c.tell(rig.Request{Disarm: &point}) }

// State asks how the process is now.
func (c *Client) State() (State, error) { return c.state(rig.Asked{}) }

// Settled is State after a collection of garbage.
func (c *Client) Settled() (State, error) { return c.state(rig.Asked{GC: true}) }

// Variable returns what goes into the environment of a process so that a point is armed from its beginning.
func Variable(point string, a Action) string {
	text := fmt.Sprintf("%s=%s:%s:%d", rig.ArmVariable, point, a.Do, max(a.Hit, 1))
	if a.For > 0 {
		text += ":" + a.For.String()
	}
	return text
}

// ClockVariable does the same for a clock that is wrong from the beginning.
func ClockVariable(by time.Duration) string { return rig.ClockVariable + "=" + by.String() }

func (c *Client) tell(q rig.Request) error {
	_, err := c.ask(q)
	return err
}

func (c *Client) state(q rig.Asked) (State, error) {
	a, err := c.ask(rig.Request{State: &q})
	if err == nil && a.State == nil {
		err = errors.New("the node did not say how it is")
	}
	if err != nil {
		return State{}, err
	}
	return *a.State, nil
}

func (c *Client) ask(q rig.Request) (a rig.Answer, err error) {
	conn, err := c.connect()
	if err != nil {
		return a, err
	}
	defer conn.Close()
	line, err := json.Marshal(q)
	if err == nil {
		_, err = conn.Write(append(line, '\n'))
	}
	if err == nil {
		line, err = bufio.NewReader(conn).ReadBytes('\n')
	}
	if err == nil {
		err = json.Unmarshal(line, &a)
	}
	if err == nil && a.Error != "" {
		err = errors.New(a.Error)
	}
	if err != nil {
		return a, fmt.Errorf("ask the node at %s: %w", c.path, err)
	}
	return a, nil
}

func (c *Client) connect() (net.Conn, error) {
	conn, err := net.DialTimeout("unix", c.path, Deadline)
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(Deadline))
	}
	if err != nil {
		return nil, fmt.Errorf("reach the node's chaos socket: %w", err)
	}
	return conn, nil
}

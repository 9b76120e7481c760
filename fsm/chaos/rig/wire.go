package rig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// A Request is one line of JSON with exactly one field; the line in answer is an Answer.
//
//	{"jump":"-1h30m"}   {"rate":0.5}   {"reset":{}}
//	{"arm":{"point":"snapshot.frame","do":"kill","hit":3}}   {"arm":{"point":"term.opened","do":"pause","hit":1,"for":"2s"}}
//	{"disarm":"snapshot.frame"}   {"disarm":""}
//	{"state":{}}   {"state":{"gc":true}}
type Request struct {
	Jump   *Duration `json:"jump,omitempty"`   // sets the wall clock forward, or back
	Rate   *float64  `json:"rate,omitempty"`   // how fast it goes from now on: 0 stops it, 1 is right
	Reset  *struct{} `json:"reset,omitempty"`  // sets it right
	Arm    *Arm      `json:"arm,omitempty"`    // in the place of what that point was to do before
	Disarm *string   `json:"disarm,omitempty"` // a point, "" for all; who waits there goes on
	State  *Asked    `json:"state,omitempty"`
}

// Arm has a point do something once.
type Arm struct {
	Point string   `json:"point"`
	Do    string   `json:"do"`            // Kill, Pause or Hang
	Hit   uint32   `json:"hit"`           // at which it does, counted from 1 from now on
	For   Duration `json:"for,omitempty"` // of a pause
}

// Asked says how thoroughly a state is looked at.
type Asked struct {
	GC bool `json:"gc,omitempty"` // collect garbage before, and give free memory back to the system
}

// Answer has an Error, or the State if that was asked for, or nothing.
type Answer struct {
	Error string `json:"error,omitempty"`
	State *State `json:"state,omitempty"`
}

// State is a process as it sees itself.
type State struct {
	Now        time.Time `json:"now"`    // by its wall clock
	Offset     Duration  `json:"offset"` // of that from the machine's
	Rate       float64   `json:"rate"`
	Goroutines int       `json:"goroutines"` // two of them are the socket's
	Heap       uint64    `json:"heap"`       // bytes of objects that are in use or not collected yet
	Points     []Point   `json:"points"`
}

// Point is how a point stands.
type Point struct {
	Name  string `json:"name"`
	Hits  uint64 `json:"hits"` // since the process started
	Armed *Arm   `json:"armed,omitempty"`
	Fired bool   `json:"fired,omitempty"` // what it was armed with has gone off
}

// Duration is a time.Duration written like 1h30m.
type Duration time.Duration

// MarshalText writes it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads it.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// one refuses a request for nothing, or for several things.
func (q Request) one() error {
	n := 0
	for _, asked := range []bool{q.Jump != nil, q.Rate != nil, q.Reset != nil, q.Arm != nil, q.Disarm != nil, q.State != nil} {
		if asked {
			n++
		}
	}
	if n != 1 {
		return fmt.Errorf("a request asks for one thing, this one for %d", n)
	}
	return nil
}

// parse reads one line.
func parse(line []byte) (q Request, err error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		return q, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return q, errors.New("something follows the request")
	}
	return q, nil
}

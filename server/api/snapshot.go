package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Snapshots makes backups of a view.
type Snapshots interface {
	// Snapshot reads the whole view once; the result is closed before the view is.
	Snapshot(ctx context.Context, v *fsm.View) (Snapshot, error)
}

// Snapshot is a backup that is about to be written, once.
type Snapshot interface {
	Write(ctx context.Context, to io.Writer) error
	Close()
}

// sendSnapshot streams the state that covers everything acknowledged before the request arrived. When it cannot go on, the connection is
// cut, so that a part is never taken for the whole; the file has an end marker of its own besides.
func sendSnapshot(c *call) (any, error) {
	if c.want.Level != Linearizable {
		return nil, fault.Bad("at", "a snapshot holds everything that was acknowledged before: it is always linearizable")
	}
	place, err := c.api.exports.Enter(c.ctx)
	if err != nil {
		return nil, err
	}
	defer place.Leave()
	ctx := c.r.Context() // it takes as long as there is to send and someone who reads it
	made, err := c.prepareSnapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer made.Close()
	if err := c.record(nil); err != nil { // on record before the first byte leaves
		return nil, err
	}
	h := c.w.Header()
	h["Content-Type"], h[indexHeader] = binaryType, []string{formatIndex(c.epoch, c.index)}
	c.status, c.streams = http.StatusOK, true
	if err := made.Write(ctx, patient{c}); err != nil {
		c.err = err
		panic(http.ErrAbortHandler)
	}
	return nil, nil
}

// prepareSnapshot takes its turn among what walks over everything.
func (c *call) prepareSnapshot(ctx context.Context) (Snapshot, error) {
	if err := c.alone(); err != nil {
		return nil, err
	}
	defer c.api.verifying.Store(false)
	return c.api.opt.Snapshots.Snapshot(ctx, c.view)
}

// patient gives a slow reader 30 seconds for each write.
type patient struct{ *call }

func (p patient) Write(b []byte) (int, error) {
	if err := p.writeDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	n, err := p.w.Write(b)
	p.bytes += n
	return n, err
}

package dev

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/trstctl/trstctl/sdk"
)

// sharesFile is DIR/shares: all shares together, as no real cluster would keep them.
func (o Options) sharesFile() string { return filepath.Join(o.Dir, "shares") }

func (d *cluster) keepShares(all []sdk.Secret) error {
	if len(all) == 0 {
		return nil
	}
	var b []byte
	for _, s := range all {
		b = append(append(b, s...), '\n')
		clear(s)
	}
	defer clear(b)
	return writeFile(d.opt.sharesFile(), b)
}

// open gives a node that has just joined the shares, once it has the state that says what they open.
func (d *cluster) open(ctx context.Context, n Node) error {
	all, err := os.ReadFile(d.opt.sharesFile())
	if err != nil {
		return fmt.Errorf("read the shares: %w", err)
	}
	defer clear(all)
	local, err := sdk.NewLocal(n.socket())
	if err != nil {
		return err
	}
	return d.poll(ctx, n.ID, func(ctx context.Context) error {
		p := sdk.UnsealProgress{Sealed: true}
		for _, share := range bytes.Fields(all)[:threshold] {
			if p, err = local.Unseal(ctx, share, p.Attempt); err != nil {
				return err
			}
		}
		return nil
	})
}

const sealPatience = 10 * time.Second // for seals that answer slowly at a start

// waitsForPeople reports whether nodes of an earlier start stay sealed, and says of each why: a cluster that waits for people goes on waiting.
func (d *cluster) waitsForPeople(ctx context.Context) (sealed bool) {
	for _, n := range d.nodes {
		if !n.joined() {
			return false
		}
	}
	for _, n := range d.nodes {
		s := d.sealedStatus(ctx, n)
		if s.Sealed && s.Reason != "" {
			d.say("%s is sealed: %s", n.ID, s.Reason)
			sealed = true
		}
	}
	if sealed {
		d.say("once its reason is gone a node opens by itself; people open it with shares: . %s && trstctl operator unseal <%s", quoted(EnvFile(d.opt.Dir)), quoted(d.opt.sharesFile()))
	}
	return sealed
}

// sealedStatus waits until the node is open, or has had time to be.
func (d *cluster) sealedStatus(ctx context.Context, n Node) (s sdk.LocalStatus) {
	local, err := sdk.NewLocal(n.socket())
	if err != nil {
		return s
	}
	ctx, cancel := context.WithTimeout(ctx, sealPatience)
	defer cancel()
	for ctx.Err() == nil {
		if now, err := local.Status(ctx); err == nil {
			if s = now; !s.Sealed {
				return s
			}
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
		}
	}
	return s
}

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"github.com/trstctl/trstctl/sdk"
)

const (
	appliances = 16   // connections
	fewKeys    = 1000 // among which things are found beside all of them
)

// keyBench measures what an appliance sees. Its ids are those of the keys that fill has made.
type keyBench struct {
	*bench
	*appliance
	c    *cluster
	ids  []string
	made atomic.Int64   // keys beside those, one by one
	new  atomic.Int64   // gets of keys that nobody had got
	rows map[string]Row // that others stand beside: by what is done and through which nodes
}

// kmip measures keys among a few, then makes many, and measures again.
func kmip(ctx context.Context, b *bench, c *cluster) (err error) {
	ports := portsOfKMIP(c.nodes)
	if ports == nil {
		say("kmip is left out: it is not known where the nodes speak it")
		return nil
	}
	a, err := c.enrol(ctx, ports)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.dismiss(context.WithoutCancel(ctx), a)) }()
	k := &keyBench{bench: b, appliance: a, c: c, rows: map[string]Row{}}
	for _, do := range []func(context.Context) error{k.connections, k.secrets, k.amongFew, k.creations, k.amongMany, k.throughKill} {
		if err := do(ctx); err != nil {
			return err
		}
	}
	return nil
}

// through measures an operation through the leader and through all nodes; compare sets each row beside another.
func (k *keyBench) through(ctx context.Context, what string, op operation, compare func(r Row, where string) Row) error {
	for _, where := range []string{leader, all} {
		row, err := k.measure(ctx, k.c, Row{What: what, Clients: appliances}, where, op)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		k.add(compare(row, where))
		k.rows[what+where] = row
	}
	return nil
}

func alone(r Row, _ string) Row { return r }

// rateOf sets a rate beside that of something else through the same nodes.
func (k *keyBench) rateOf(other string) func(Row, string) Row {
	return func(r Row, where string) Row { return r.beside(r.PerSecond, k.rows[other+where].PerSecond, other) }
}

// What others stand beside.
const (
	standing = "KMIP Discover Versions"
	anew     = "KMIP connection and Discover Versions"
	resumed  = "KMIP connection, resumed, and Discover Versions"
	oneByOne = "KMIP Create"
	aGet     = "KMIP Get"
	aLocate  = "KMIP Locate by name"
	aRead    = "linearizable read of a secret"
	aWrite   = "write of a secret"
)

// connections measures a message that does nothing: over a connection that stands, a new one, and one that goes on with a session.
func (k *keyBench) connections(ctx context.Context) error {
	return errors.Join(
		k.through(ctx, standing, k.by(false, discover), alone),
		k.through(ctx, anew, k.by(false, reconnect), k.rateOf(standing)),
		k.through(ctx, resumed, k.by(true, reconnect), k.rateOf(anew)))
}

// secrets measures what the API does with secrets, by as many clients.
func (k *keyBench) secrets(ctx context.Context) error {
	paths := make([]string, readSet)
	for i := range paths {
		paths[i] = fmt.Sprintf("%s/beside-kmip/%04d", k.c.prefix, i)
	}
	if err := k.c.importAll(ctx, paths); err != nil {
		return err
	}
	return errors.Join(k.through(ctx, aRead, get(sdk.Linearizable, paths), alone), k.through(ctx, aWrite, put, alone))
}

// amongFew finds keys among few.
func (k *keyBench) amongFew(ctx context.Context) error {
	if _, err := k.fill(ctx, min(fewKeys, k.opt.objects)); err != nil {
		return err
	}
	return k.finds(ctx, k.rateOf(aRead), k.rateOf(k.amongst(aGet)))
}

// finds measures both ways to find a key among those that there are.
func (k *keyBench) finds(ctx context.Context, got, located func(Row, string) Row) error {
	if err := k.getOnce(ctx); err != nil {
		return err
	}
	return errors.Join(k.through(ctx, k.amongst(aGet), k.found(k.anyGot), got), k.through(ctx, k.amongst(aLocate), k.found(k.anyNamed), located))
}

// creations makes keys one by one. They have other names than those that are found.
func (k *keyBench) creations(ctx context.Context) error {
	op := func(ctx context.Context, l *line, _ int) error {
		return l.do(ctx, create(fmt.Sprintf("single-%06d", k.made.Add(1))))
	}
	return k.through(ctx, oneByOne, k.by(false, op), k.rateOf(aWrite))
}

// amongMany makes all the keys that are asked for and finds them again.
func (k *keyBench) amongMany(ctx context.Context) error {
	get, locate := k.amongst(aGet), k.amongst(aLocate)
	if len(k.ids) == k.opt.objects {
		return nil
	}
	if err := k.grow(ctx); err != nil {
		return err
	}
	return errors.Join(k.finds(ctx, k.timeOf(get), k.timeOf(locate)), k.firstGets(ctx))
}

func (k *keyBench) amongst(what string) string {
	return fmt.Sprintf("%s among %s keys", what, grouped(float64(len(k.ids))))
}

// timeOf sets the median beside that of the same among few, twice which it may be when there are as many as the target is about.
func (k *keyBench) timeOf(few string) func(Row, string) Row {
	return func(r Row, where string) Row {
		r = r.beside(r.P50, k.rows[few+where].P50, "among "+grouped(float64(min(fewKeys, k.opt.objects)))+" (p50)")
		if len(k.ids) < fullSize {
			return r
		}
		return r.judge(&target{"<= 2x the p50 among few", func(r Row) bool { return r.Ratio <= 2 }})
	}
}

// found asks for keys until it is told of them.
func (k *keyBench) found(next func() request) operation {
	return k.by(false, func(ctx context.Context, l *line, _ int) error { return l.insist(ctx, next()) })
}

func (k *keyBench) anyNamed() request {
	i := rand.IntN(len(k.ids))
	return locate(keyName(i), k.ids[i])
}

// throughKill kills the leader under clients that get keys through all nodes.
func (k *keyBench) throughKill(ctx context.Context) error {
	return k.throughKills(ctx, k.c, "KMIP Get", k.found(k.anyGot))
}

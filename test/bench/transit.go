package main

import (
	"context"
	"fmt"
	"time"

	"github.com/trstctl/trstctl/engines/transit/primitive"
	"github.com/trstctl/trstctl/sdk"
)

const (
	usersOfKeys = 16  // clients
	batchSize   = 100 // items
	peerCPU     = 517 // us of processor for an encryption of a well-known open-source peer on such a machine
	noOp        = "an authenticated no-op"
)

// keyUse is one way of using a key, beside the same without a server.
type keyUse struct {
	name      string
	algorithm primitive.Algorithm
	peer      float64 // a second, of that peer with as many clients
	direct    func(k *primitive.Key) (func() error, error)
	single    func(ctx context.Context, c *sdk.Client, key string, given string) error
	batch     func(ctx context.Context, c *sdk.Client, key string, given string) error
	given     func(ctx context.Context, c *sdk.Client, key string) (string, error) // what each takes, if it is not the message
}

func nothing(context.Context, *sdk.Client, string) (string, error) { return "", nil }

// message is what is encrypted and signed: 1 KiB.
var message = valueOf("transit", new([valueSize]byte))

func same[I any](item I) []I {
	items := make([]I, batchSize)
	for i := range items {
		items[i] = item
	}
	return items
}

func keyUses() []keyUse {
	terms := primitive.Terms{Version: 1, Place: make([]byte, 16)}
	return []keyUse{
		{"encrypt", primitive.AES256GCM, 3400, func(k *primitive.Key) (func() error, error) {
			return func() error { _, err := k.Encrypt(nil, terms, message); return err }, nil
		}, func(ctx context.Context, c *sdk.Client, key, _ string) error {
			_, err := c.Encrypt(ctx, key, sdk.EncryptItem{Plaintext: message})
			return err
		}, func(ctx context.Context, c *sdk.Client, key, _ string) error {
			out, err := c.EncryptBatch(ctx, key, same(sdk.EncryptItem{Plaintext: message}))
			return firstError(err, len(out), func(i int) *sdk.ItemError { return out[i].Err })
		}, nothing},
		{"decrypt", primitive.AES256GCM, 4400, func(k *primitive.Key) (func() error, error) {
			token, err := k.Encrypt(nil, terms, message)
			return func() error {
				parsed, err := primitive.ParseToken(nil, token)
				if err == nil {
					_, err = k.Decrypt(nil, terms, parsed.Payload)
				}
				return err
			}, err
		}, func(ctx context.Context, c *sdk.Client, key, token string) error {
			_, err := c.Decrypt(ctx, key, sdk.DecryptItem{Ciphertext: token})
			return err
		}, func(ctx context.Context, c *sdk.Client, key, token string) error {
			out, err := c.DecryptBatch(ctx, key, same(sdk.DecryptItem{Ciphertext: token}))
			return firstError(err, len(out), func(i int) *sdk.ItemError { return out[i].Err })
		}, encryptOne},
		signing("sign ed25519", primitive.Ed25519, 3900),
		signing("sign p256", primitive.ECDSAP256, 3300),
	}
}

func encryptOne(ctx context.Context, c *sdk.Client, key string) (string, error) {
	out, err := c.Encrypt(ctx, key, sdk.EncryptItem{Plaintext: message})
	return out.Ciphertext, err
}

func signing(name string, a primitive.Algorithm, peer float64) keyUse {
	return keyUse{name, a, peer, func(k *primitive.Key) (func() error, error) {
		return func() error { _, err := k.Sign(nil, primitive.Signing{}, message); return err }, nil
	}, func(ctx context.Context, c *sdk.Client, key, _ string) error {
		_, err := c.Sign(ctx, key, sdk.SignItem{Input: message})
		return err
	}, func(ctx context.Context, c *sdk.Client, key, _ string) error {
		out, err := c.SignBatch(ctx, key, same(sdk.SignItem{Input: message}))
		return firstError(err, len(out), func(i int) *sdk.ItemError { return out[i].Err })
	}, nothing}
}

func firstError(err error, n int, of func(int) *sdk.ItemError) error {
	for i := 0; i < n && err == nil; i++ {
		if bad := of(i); bad != nil {
			err = bad
		}
	}
	return err
}

// transit measures uses of keys beside a direct call of the same primitive and beside a request that does nothing.
func transit(ctx context.Context, b *bench, c *cluster) error {
	idle, err := b.measure(ctx, c, Row{What: noOp, Clients: usersOfKeys}, all, func(ctx context.Context, w *worker, _ int) error {
		_, err := w.client.LookupToken(ctx, sdk.Self)
		return err
	})
	if err != nil {
		return err
	}
	b.add(idle)
	for _, u := range keyUses() {
		if err := b.keyUse(ctx, c, u, idle); err != nil {
			return fmt.Errorf("%s: %w", u.name, err)
		}
	}
	return b.decryptsThroughAKill(ctx, c)
}

func (b *bench) keyUse(ctx context.Context, c *cluster, u keyUse, idle Row) error {
	key := fmt.Sprintf("bench-%d", len(b.rows))
	if _, err := c.admin.CreateTransitKey(ctx, key, sdk.TransitSpec{Algorithm: u.algorithm.String()}); err != nil {
		return err
	}
	given, err := u.given(ctx, c.admin, key)
	if err != nil {
		return err
	}
	direct, err := b.direct(ctx, u)
	if err != nil {
		return err
	}
	b.add(direct)
	single := func(ctx context.Context, w *worker, _ int) error { return u.single(ctx, w.client, key, given) }
	for _, where := range []string{leader, all} {
		row, err := b.measure(ctx, c, Row{What: "transit " + u.name + " of 1 KiB", Clients: usersOfKeys}, where, single)
		if err != nil {
			return err
		}
		t := atLeast(2*u.peer, fmt.Sprintf(">= %s/s", grouped(2*u.peer)))
		if where == all && u.name == "encrypt" {
			t = t.and(&target{"within 15 % of a no-op", func(r Row) bool { return r.Ratio >= 0.85 }})
			b.add(cpuOf(row))
		}
		b.add(row.beside(row.PerSecond, idle.PerSecond, noOp).judge(t))
	}
	many, err := b.measure(ctx, c, Row{What: fmt.Sprintf("transit %s of 1 KiB, batches of %d", u.name, batchSize), Clients: usersOfKeys / 4}, all,
		func(ctx context.Context, w *worker, _ int) error { return u.batch(ctx, w.client, key, given) })
	if err != nil {
		return err
	}
	many.PerSecond, many.NodeCPU, many.BenchCPU = many.PerSecond*batchSize, many.NodeCPU/batchSize, many.BenchCPU/batchSize
	many = many.beside(many.PerSecond, direct.PerSecond, "a direct call in one thread")
	b.add(many.judge(&target{">= 60 % of direct calls", func(r Row) bool { return r.Ratio >= 0.6 }}))
	return nil
}

func cpuOf(row Row) Row {
	used := row.NodeCPU
	return Row{What: "transit encrypt: processor time of the nodes", LogStore: row.LogStore, Clients: row.Clients, Value: &used, Unit: "us"}.
		beside(used, peerCPU, "a peer's").judge(below(peerCPU/2, fmt.Sprintf("< %d us", peerCPU/2)))
}

// direct calls the primitive in one thread of the bench.
func (b *bench) direct(ctx context.Context, u keyUse) (Row, error) {
	row := Row{What: "direct call: " + u.name + " of 1 KiB", Clients: 1}
	k, err := primitive.Generate(u.algorithm)
	if err != nil {
		return row, err
	}
	defer k.Wipe()
	call, err := u.direct(k)
	if err != nil {
		return row, err
	}
	before, began := ownCPU(), time.Now()
	for ; time.Since(began) < b.opt.period/5 && ctx.Err() == nil; row.Count++ {
		if err := call(); err != nil {
			return row, err
		}
	}
	ran := time.Since(began)
	row.PerSecond, row.BenchCPU = perSecond(row.Count, ran), each(ownCPU()-before, row.Count)
	return row, ctx.Err()
}

// decryptsThroughAKill kills the leader under clients that decrypt through all nodes.
func (b *bench) decryptsThroughAKill(ctx context.Context, c *cluster) error {
	const key = "bench-failover"
	if _, err := c.admin.CreateTransitKey(ctx, key, sdk.TransitSpec{}); err != nil {
		return err
	}
	token, err := encryptOne(ctx, c.admin, key)
	if err != nil {
		return err
	}
	decrypt := func(ctx context.Context, w *worker, _ int) error {
		_, err := w.client.Decrypt(ctx, key, sdk.DecryptItem{Ciphertext: token})
		return err
	}
	return b.throughKills(ctx, c, "transit decrypt", decrypt)
}

package main

import (
	"context"
	"math/rand/v2"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// gotKeys of many are got again and again, and the others are not: when a key is given out for the first time, its node has it written that it is fresh no more
// (KMIP 1.4 section 4.11).
const gotKeys = 10000

// apart is how many keys lie from one that is got again and again to the next.
func (k *keyBench) apart() int { return max(2, len(k.ids)/gotKeys) }

func (k *keyBench) anyGot() request {
	return getKey(k.ids[k.apart()*rand.IntN(max(1, len(k.ids)/k.apart()))])
}

// getOnce gets those keys for the first time, many in a message.
func (k *keyBench) getOnce(ctx context.Context) error {
	var items []ttlv.Item
	for i := 0; i < len(k.ids); i += k.apart() {
		items = append(items, getKey(k.ids[i]).item)
	}
	return k.batches(ctx, len(items), func(l *line, first, last int) error {
		m, err := l.ask(ctx, messageOf(items[first:last]...))
		if err != nil {
			return err
		}
		defer m.Wipe()
		_, err = payloads(m, last-first)
		return err
	})
}

// firstGets gets each of the other keys once, as long as there are such.
func (k *keyBench) firstGets(ctx context.Context) error {
	op := k.by(false, func(ctx context.Context, l *line, _ int) error { return l.do(ctx, getKey(k.ids[k.another()])) })
	return k.through(ctx, aGet+", the first of a key", op, func(r Row, where string) Row {
		if int(k.new.Load()) > k.others() {
			r.Note = "there were not enough keys: some were got before"
		}
		return k.rateOf(aWrite)(r, where)
	})
}

// others is how many keys are not got again and again.
func (k *keyBench) others() int { return len(k.ids) / k.apart() * (k.apart() - 1) }

// another is the next of those, the first again behind the last.
func (k *keyBench) another() int {
	n := (int(k.new.Add(1)) - 1) % k.others()
	return n + n/(k.apart()-1) + 1
}

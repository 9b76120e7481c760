package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/sdk"
)

// transit makes keys, encrypts through one node and decrypts through another, rotates, trims and deletes. HMACs of one message show whether every node has the same
// material for a version.
type transit struct{}

// turned is what is done with a key. Its ciphertexts are in the history, its plaintexts by name.
type turned struct {
	Key     string `json:"key"`
	Message string `json:"message,omitempty"` // of an encryption, or what a decryption should give
	Token   string `json:"token,omitempty"`   // of a decryption
	Version int    `json:"version,omitempty"` // of a decryption or an HMAC; of a trim: the first that stays
}

func (transit) Name() string                      { return "transit" }
func (transit) Processes() int                    { return 3 }
func (transit) Setup(context.Context, *Env) error { return nil }

func (transit) Run(ctx context.Context, e *Env, process int, r *rand.Rand) {
	for n := 0; ctx.Err() == nil; n++ {
		t := &turner{e: e, process: process, r: r, key: fmt.Sprintf("transit-%d-%d", process, n)}
		t.life(ctx, []string{"aes256-gcm", "xchacha20-poly1305"}[n%2])
	}
}

// turner is one client with one key.
type turner struct {
	e       *Env
	process int
	r       *rand.Rand
	key     string
	made    []turned // tokens, as decryptions ask for them
	latest  int      // version that this client knows of
}

const turns = 25 // of a key's life

func (t *turner) life(ctx context.Context, algorithm string) {
	yes := true
	if !t.change("create", turned{Key: t.key}, func(ctx context.Context, c *sdk.Client) (sdk.TransitVersion, error) {
		return c.CreateTransitKey(ctx, t.key, sdk.TransitSpec{Algorithm: algorithm, TransitSettings: sdk.TransitSettings{Deletable: &yes}})
	}) {
		pause(ctx, 100*time.Millisecond)
		return
	}
	for i := 0; i < turns && ctx.Err() == nil; i++ {
		t.turn(i)
		pause(ctx, time.Duration(t.r.IntN(20))*time.Millisecond)
	}
	if end := t.r.IntN(3); end == 0 {
		t.trim()
	} else if end == 1 {
		t.change("delete", turned{Key: t.key}, func(ctx context.Context, c *sdk.Client) (sdk.TransitVersion, error) {
			return c.DeleteTransitKey(ctx, t.key)
		})
	}
	for i := 0; i < turns/5 && ctx.Err() == nil; i++ {
		t.turn(i)
	}
}

func (t *turner) turn(i int) {
	switch n := t.r.IntN(10); {
	case n < 4 || i == 0:
		t.encrypt(fmt.Sprintf("%s-%d", t.key, len(t.made)))
	case n < 8 && len(t.made) > 0:
		t.decrypt(t.made[t.r.IntN(len(t.made))])
	case n == 8:
		t.mac(1 + t.r.IntN(t.latest))
	default:
		t.change("rotate", turned{Key: t.key}, func(ctx context.Context, c *sdk.Client) (sdk.TransitVersion, error) {
			return c.RotateTransitKey(ctx, t.key)
		})
	}
}

// change has a mutation carried out; it reports whether it was.
func (t *turner) change(f string, in turned, call func(context.Context, *sdk.Client) (sdk.TransitVersion, error)) bool {
	node := t.e.Node(t.r)
	out, err := do(t.e, operation{t.process, "transit." + f, node, in, false}, func(ctx context.Context) (told, error) {
		v, err := call(ctx, t.e.Client(node))
		return told{Version: int(v.Version)}, err
	})
	if err == nil {
		t.latest = max(t.latest, out.Version)
	}
	return err == nil
}

// trim gives up all versions but the latest.
func (t *turner) trim() {
	below := uint64(t.latest)
	in := turned{Key: t.key, Version: t.latest}
	if t.change("retire", in, func(ctx context.Context, c *sdk.Client) (sdk.TransitVersion, error) {
		return c.ConfigureTransitKey(ctx, t.key, sdk.TransitChange{MinDecrypt: &below})
	}) && below > 1 {
		t.change("trim", in, func(ctx context.Context, c *sdk.Client) (sdk.TransitVersion, error) {
			return c.TrimTransitKey(ctx, t.key, below)
		})
	}
}

func (t *turner) encrypt(message string) {
	node := t.e.Node(t.r)
	out, err := do(t.e, operation{t.process, "transit.encrypt", node, turned{Key: t.key, Message: message}, true}, func(ctx context.Context) (told, error) {
		c, err := t.e.Client(node).Encrypt(ctx, t.key, sdk.EncryptItem{Plaintext: t.e.value(message)})
		return told{Version: int(c.Version), Value: c.Ciphertext}, err
	})
	if err == nil && out.Value != "" {
		t.made = append(t.made, turned{Key: t.key, Message: message, Token: out.Value, Version: out.Version})
	}
}

func (t *turner) decrypt(in turned) {
	node := t.e.Node(t.r)
	_, _ = do(t.e, operation{t.process, "transit.decrypt", node, in, true}, func(ctx context.Context) (told, error) { // it is recorded
		p, err := t.e.Client(node).Decrypt(ctx, t.key, sdk.DecryptItem{Ciphertext: in.Token})
		if sdk.Is(err, sdk.Invalid) { // so a node says that it cannot be decrypted
			return told{Refused: sdk.Invalid}, nil
		}
		return told{Value: nameOf(p.Plaintext)}, err
	})
}

func (t *turner) mac(version int) {
	node := t.e.Node(t.r)
	_, _ = do(t.e, operation{t.process, "transit.mac", node, turned{Key: t.key, Version: version}, true}, func(ctx context.Context) (told, error) { // it is recorded
		m, err := t.e.Client(node).HMAC(ctx, t.key, sdk.HMACItem{Input: []byte("always the same"), Version: uint64(version)})
		if sdk.Is(err, sdk.Invalid) {
			return told{Refused: sdk.Invalid}, nil
		}
		return told{Version: int(m.Version), Value: m.HMAC}, err
	})
}

// Settle decrypts everything.
func (transit) Settle(ctx context.Context, e *Env) error {
	h, err := e.History.SoFar()
	if err != nil {
		return err
	}
	made := map[string][]version{} // by key; Value is the token
	var keys []string
	for _, o := range h.Ops("transit.encrypt") {
		if out := decode[told](o.Out); o.Type == history.OK && out.Value != "" {
			key := decode[turned](o.In).Key
			if made[key] == nil {
				keys = append(keys, key)
			}
			made[key] = append(made[key], version{key, out.Version, out.Value})
		}
	}
	for _, key := range keys {
		if err := openAll(ctx, e, key, made[key]); err != nil {
			return err
		}
	}
	return nil
}

// openAll records what the tokens of a key give, nothing where one is refused or the key is gone.
func openAll(ctx context.Context, e *Env, key string, tokens []version) error {
	batch := make([]sdk.DecryptItem, len(tokens))
	for i, v := range tokens {
		batch[i].Ciphertext = v.Value
	}
	var out []sdk.Decrypted
	err := again(ctx, func(ctx context.Context) (err error) {
		out, err = e.Any.DecryptBatch(ctx, key, batch)
		return err
	})
	if err != nil && !sdk.Is(err, sdk.NotFound) {
		return fmt.Errorf("decrypt what %s encrypted: %w", key, err)
	}
	for i, v := range tokens {
		found := version{key, v.Version, ""}
		if err == nil && out[i].Err == nil {
			found.Value = nameOf(out[i].Plaintext)
		}
		e.History.Add(history.Settler, history.OK, "transit.found", "", struct {
			version
			Token string `json:"token"`
		}{found, v.Value}, nil)
	}
	return nil
}

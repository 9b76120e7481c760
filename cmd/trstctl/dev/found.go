package dev

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/trstctl/trstctl/sdk"
)

const rootTTL = 87600 * time.Hour

// A cluster with shares has five, of which three open it.
const (
	shares    = 5
	threshold = 3
)

// founded is DIR/init.json: the answer of init, kept until DIR/env holds its token.
type founded struct {
	RootToken     sdk.Text `json:"root_token"`
	CACertificate string   `json:"ca_certificate"`
}

func (o Options) initFile() string { return filepath.Join(o.Dir, "init.json") }
func (o Options) caFile() string   { return filepath.Join(o.Dir, "ca.pem") }

// found makes the first node a cluster, if it is none yet, and returns the credentials for it.
func (d *cluster) found(ctx context.Context) (Env, error) {
	first := d.nodes[0]
	fresh := !first.joined()
	if fresh {
		for _, n := range d.nodes[1:] {
			if n.joined() {
				return Env{}, fmt.Errorf("%s has lost its data and %s has not: remove %s and start again, or bring the data back", first.ID, n.ID, d.opt.Dir)
			}
		}
	}
	if fresh {
		if err := d.initialise(ctx, first); err != nil {
			return Env{}, err
		}
	}
	return d.credentials()
}

func (d *cluster) initialise(ctx context.Context, n Node) error {
	if err := ignoreGone(os.Remove(EnvFile(d.opt.Dir))); err != nil { // of a cluster that is gone
		return err
	}
	local, err := sdk.NewLocal(n.socket())
	if err != nil {
		return err
	}
	d.say("initialising %s", n.ID)
	options := sdk.InitOptions{RootTTL: rootTTL}
	if d.opt.Seal == "pkcs11" || d.opt.Seal == "shamir" {
		options.Shares, options.Threshold = shares, threshold
	}
	answer, err := local.Init(ctx, options)
	if err != nil {
		return fmt.Errorf("initialise %s: %w", n.ID, err)
	}
	if err := d.keepShares(answer.Shares); err != nil {
		return err
	}
	b, err := json.Marshal(founded{sdk.Text(answer.RootToken), answer.CACertificate})
	if err != nil {
		return fmt.Errorf("encode the answer of init: %w", err)
	}
	return writeFile(d.opt.initFile(), b)
}

// credentials come from DIR/env, or from DIR/init.json when an earlier run ended before it wrote that.
func (d *cluster) credentials() (Env, error) {
	e := Env{CACert: d.opt.caFile()}
	for _, n := range d.nodes {
		e.Addresses = append(e.Addresses, n.API)
	}
	b, err := os.ReadFile(d.opt.initFile())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		old, err := ReadEnv(EnvFile(d.opt.Dir))
		if errors.Is(err, fs.ErrNotExist) {
			return e, fmt.Errorf("the cluster in %s exists, but its root token is neither in env nor in init.json there: put it into env as TRSTCTL_TOKEN, with TRSTCTL_ADDRS, or remove the directory and start again", d.opt.Dir)
		}
		e.Token = old.Token
		return e, err
	case err != nil:
		return e, fmt.Errorf("read the answer of init: %w", err)
	}
	var f founded
	if err := json.Unmarshal(b, &f); err != nil {
		return e, fmt.Errorf("%s is damaged: %w", d.opt.initFile(), err)
	}
	e.Token = sdk.Secret(f.RootToken)
	return e, writeFile(d.opt.caFile(), []byte(f.CACertificate))
}

// publish writes DIR/env, after which the answer of init is no longer needed.
func (d *cluster) publish(e Env) error {
	if err := writeFile(EnvFile(d.opt.Dir), e.encode(d.opt.searchPath())); err != nil {
		return err
	}
	return ignoreGone(os.Remove(d.opt.initFile()))
}

func (e Env) client() (*sdk.Client, error) {
	ca, err := os.ReadFile(e.CACert)
	if err != nil {
		return nil, fmt.Errorf("read the CA certificate: %w", err)
	}
	return sdk.New(sdk.Options{Addresses: e.Addresses, CACert: ca, Token: e.Token, Timeout: patience})
}

// join starts a node with a join token, which a file hands over: arguments and environment are for everyone to see.
func (d *cluster) join(ctx context.Context, c *sdk.Client, n Node) (err error) {
	d.say("joining %s", n.ID)
	token, err := c.CreateJoinToken(ctx, n.ID)
	if err != nil {
		return fmt.Errorf("make a join token for %s: %w", n.ID, err)
	}
	defer clear(token.Secret)
	file := n.Dir + ".join-token"
	if err := writeFile(file, token.Secret); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ignoreGone(os.Remove(file))) }()
	if err := d.start(n.ID, file); err != nil {
		return err
	}
	if err := d.await(ctx, n.ID, func(s sdk.LocalStatus) bool { return s.Initialised }); err != nil || d.opt.Seal != "shamir" {
		return err
	}
	return d.open(ctx, n)
}

// awaitVoters waits until every node votes and may receive traffic.
func (d *cluster) awaitVoters(ctx context.Context, c *sdk.Client) error {
	d.say("waiting until all nodes vote and are ready")
	return d.poll(ctx, "", func(ctx context.Context) error {
		members, err := c.Members(ctx)
		if err != nil {
			return err
		}
		var missing []string
		for _, n := range d.nodes {
			if !votes(members, n.ID) {
				missing = append(missing, n.ID+" does not vote yet")
			} else if err := ready(ctx, c, n); err != nil {
				missing = append(missing, n.ID+" is not ready yet: "+err.Error())
			}
		}
		if len(missing) > 0 {
			return errors.New(strings.Join(missing, "; "))
		}
		return nil
	})
}

func votes(members []sdk.Member, id string) bool {
	for _, m := range members {
		if m.ID == id {
			return m.Voter
		}
	}
	return false
}

func ready(ctx context.Context, c *sdk.Client, n Node) error {
	one, err := c.Node(n.API)
	if err != nil {
		return err
	}
	return one.Ready(ctx)
}

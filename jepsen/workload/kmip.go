package workload

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/trstctl/trstctl/sdk"
)

// kmip makes keys over KMIP through one node and finds, gets and uses them through others, replaces, revokes and destroys them. Now and then all clients want the same name.
//
// In the history material is its HMAC, and a plaintext its name.
type kmip struct {
	config   *tls.Config // of the clients, from Setup on
	printing []byte
}

func newKMIP() *kmip {
	k := &kmip{printing: make([]byte, 32)}
	_, _ = rand.Read(k.printing) // never fails: the process ends instead
	return k
}

const kmipName = "jepsen" // of the client, and of its role

func (*kmip) Name() string   { return "kmip" }
func (*kmip) Processes() int { return 4 }

// Setup enrols the client and waits until every node answers it.
func (k *kmip) Setup(ctx context.Context, e *Env) (err error) {
	k.config = &tls.Config{RootCAs: x509.NewCertPool()}
	if err := again(ctx, func(ctx context.Context) error {
		all, err := e.Any.KMIPRoots(ctx)
		if sdk.Is(err, sdk.NotFound) || err == nil && !k.config.RootCAs.AppendCertsFromPEM([]byte(all)) {
			err = errors.New("there is no CA of KMIP's servers yet")
		}
		return err
	}); err != nil {
		return err
	}
	if k.config.Certificates, err = enrol(ctx, e.Any); err != nil {
		return err
	}
	return k.known(ctx, e)
}

// enrol makes a client that may do everything with its own objects.
func enrol(ctx context.Context, admin *sdk.Client) ([]tls.Certificate, error) {
	if _, err := admin.InitKMIPCA(ctx, "ec-p256"); err != nil {
		return nil, err
	}
	if _, err := admin.SetKMIPRole(ctx, kmipName, sdk.KMIPRole{All: true}); err != nil {
		return nil, err
	}
	made, err := admin.EnrolKMIPClient(ctx, kmipName, sdk.KMIPEnrolment{Role: kmipName, By: sdk.KMIPMadeKey("ec-p256", 0)})
	if err != nil {
		return nil, err
	}
	own, err := tls.X509KeyPair([]byte(made.Certificate), made.PrivateKey)
	return []tls.Certificate{own}, err
}

// known waits until every node answers.
func (k *kmip) known(ctx context.Context, e *Env) error {
	c := newKMIPClient(k.config, e.KMIP)
	defer c.close()
	for _, node := range e.Nodes() {
		if _, err := k.look(ctx, c, node, k.locate("nothing")); err != nil {
			return fmt.Errorf("ask %s over KMIP: %w", node, err)
		}
	}
	return nil
}

func (k *kmip) Run(ctx context.Context, e *Env, process int, r *mathrand.Rand) {
	c := newKMIPClient(k.config, e.KMIP)
	defer c.close()
	for n := 0; ctx.Err() == nil; n++ {
		w := &keeper{kmip: k, e: e, c: c, process: process, r: r, alias: fmt.Sprintf("%d.%d", process, n)}
		w.name, w.shared = "kmip-"+w.alias, n%3 == 2
		if w.shared {
			w.name = fmt.Sprintf("kmip-shared-%d", e.History.Now()/nameTime)
		}
		w.life(ctx)
		pause(ctx, time.Duration(r.IntN(40))*time.Millisecond)
	}
}

// nameTime is how long the clients want one name.
const nameTime = 3 * time.Second

package server

import (
	"context"
	"log/slog"
	"os"
	"slices"

	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Openers are what opens a backup, or the state of a node that does not run: the seals of a configuration, and shares.
type Openers struct {
	Config Config
	Shares [][]byte // as many as open the cluster, as text; none: the configuration's seals have to do
}

// seals opens those of the configuration; what is wrong with one of several is said on standard error.
func (o Openers) seals() ([]seal.Seal, error) {
	return openSeals(o.Config, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
}

func closeSeals(seals []seal.Seal) {
	for _, s := range seals {
		s.Close()
	}
}

// openHeld puts the seal that people hold together.
func openHeld(held func() (*seal.Shamir, error), texts [][]byte) (seal.Seal, error) {
	public, err := held()
	if err != nil {
		return nil, err
	}
	shares := make([]seal.Share, len(texts))
	for i, t := range texts {
		if shares[i], err = seal.ParseShare(t); err != nil {
			return nil, err
		}
		defer shares[i].Zero()
	}
	opened, err := public.WithShares(shares)
	if err != nil {
		return nil, fault.New(fault.Denied, "these %d shares do not open the cluster: give exactly as many as it takes, of the present set", len(texts))
	}
	return opened, nil
}

// open unseals a keyring from a state.
func (o Openers) open(ctx context.Context, v *fsm.View, id fsm.UID, seals []seal.Seal) (*keyring.Keyring, error) {
	if len(o.Shares) > 0 {
		held, err := openHeld(func() (*seal.Shamir, error) { return keyring.HeldSeal(v) }, o.Shares)
		if err != nil {
			return nil, err
		}
		defer held.Close()
		seals = append(slices.Clone(seals), held)
	}
	keys := keyring.New(id, seals...)
	if err := keys.Unseal(ctx, v); err != nil {
		keys.Close()
		return nil, err
	}
	return keys, nil
}

// agreed passes when as many shares were given as open the cluster, or when it has none: the people who hold them must agree to a history being
// given up, whoever else could open it.
func (o Openers) agreed(v *fsm.View) error {
	held := func() (*seal.Shamir, error) { return keyring.HeldSeal(v) }
	_, err := held()
	switch {
	case fault.Is(err, fault.NotFound) && len(o.Shares) == 0:
		return nil
	case err != nil:
		return err
	case len(o.Shares) == 0:
		return fault.New(fault.Denied, "people hold shares of this cluster, and must agree: give as many as open it with --shares-from FILE, or - for stdin, one a line")
	}
	opened, err := openHeld(held, o.Shares)
	if err != nil {
		return err
	}
	opened.Close()
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) operatorRotate() *cobra.Command {
	return group("rotate", "Rotate keys while the cluster serves", a.rotateRoot(), a.rotateTenant(), a.rotateGossip(), a.rotateStatus())
}

func (a *app) rotateRoot() *cobra.Command {
	var tenants, wait bool
	c := &cobra.Command{Use: "root", Short: "Make a new root key and wrap everything anew that the old one wraps", Args: cobra.NoArgs}
	c.Flags().BoolVar(&tenants, "tenants", false, "make every tenant's key anew too: after a leaked KEK file or share")
	c.Flags().BoolVar(&wait, "wait", false, "wait until nothing is left under the old key, with progress on stderr")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return a.rotate(c.Context(), wait, func(ctx context.Context, client *sdk.Client) (sdk.Rotation, error) {
			return client.RotateRoot(ctx, tenants)
		})
	}
	return c
}

func (a *app) rotateTenant() *cobra.Command {
	var wait bool
	c := &cobra.Command{Use: "tenant NAME", Short: "Make a new key for a tenant and wrap its values anew", Args: cobra.ExactArgs(1)}
	c.Flags().BoolVar(&wait, "wait", false, "wait until nothing is left under the old key, with progress on stderr")
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.rotate(c.Context(), wait, func(ctx context.Context, client *sdk.Client) (sdk.Rotation, error) {
			return client.RotateTenant(ctx, args[0])
		})
	}
	return c
}

func (a *app) rotate(ctx context.Context, wait bool, begin func(context.Context, *sdk.Client) (sdk.Rotation, error)) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	call, cancel := a.call(ctx)
	r, err := begin(call, client)
	cancel()
	if err == nil && wait {
		r, err = a.awaitRotation(ctx, client, r)
	}
	if err != nil {
		return err
	}
	return a.showRotations([]sdk.Rotation{r})
}

// awaitRotation asks every second until it has ended; a rotation goes on also when nobody waits for it.
func (a *app) awaitRotation(ctx context.Context, client *sdk.Client, r sdk.Rotation) (sdk.Rotation, error) {
	for r.EndedAt.Unix() <= 0 { // none; an older server sends 1970
		fmt.Fprintf(a.err, "%s: %d values left%s\n", r.Key, r.Remaining, because(r.WaitsFor))
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return r, errors.New("no longer waiting; the rotation goes on: see `trstctl operator rotate status`")
		}
		call, cancel := a.call(ctx)
		all, err := client.Rotations(call)
		cancel()
		if err != nil {
			return r, err
		}
		for _, one := range all {
			if one.Key == r.Key && one.To >= r.To {
				r = one
			}
		}
	}
	return r, nil
}

func because(waits string) string {
	if waits == "" {
		return ""
	}
	return "; " + waits
}

func (a *app) rotateStatus() *cobra.Command {
	return &cobra.Command{Use: "status", Short: "Show the last rotation of each key", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		all, err := client.Rotations(ctx)
		if err != nil {
			return err
		}
		return a.showRotations(all)
	}}
}

func (a *app) showRotations(all []sdk.Rotation) error {
	return a.show(view{json: sdk.Page[sdk.Rotation]{Items: all}, head: []string{"KEY", "FROM", "TO", "VALUES", "REMAINING", "BEGAN", "ENDED", "WAITS FOR"},
		rows: rowsOf(all, func(r sdk.Rotation) []string {
			return []string{r.Key, number(uint64(r.From)), number(uint64(r.To)), number(r.Values), number(r.Remaining), stamp(r.BeganAt), stamp(r.EndedAt), r.WaitsFor}
		})})
}

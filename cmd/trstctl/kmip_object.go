package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) kmipObject() *cobra.Command {
	return group("object", "See what clients keep here, never its material", a.kmipObjectList(), a.kmipObjectRead())
}

func (a *app) kmipObjectList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the objects, the newest first and the destroyed after the others", Args: cobra.NoArgs}
	s := sliceFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		page, err := gather(a, c, s, func(s sdk.Slice) (sdk.Page[sdk.KMIPObject], error) {
			ctx, cancel := a.call(c.Context())
			defer cancel()
			return client.KMIPObjects(ctx, s)
		})
		if err != nil {
			return err
		}
		return a.show(view{json: page, head: []string{"UID", "TYPE", "KEY", "STATE", "NAMES", "GROUPS", "OWNER", "CREATED"}, rows: rowsOf(page.Items, func(o sdk.KMIPObject) []string {
			return []string{o.ID, o.Type, keyText(o), o.State, dash(strings.Join(o.Names, ",")), dash(strings.Join(o.Groups, ",")), dash(o.Owner), stamp(o.CreatedAt)}
		})})
	}
	return c
}

// keyText is an object's algorithm and length, such as AES-256.
func keyText(o sdk.KMIPObject) string {
	switch {
	case o.Length == 0:
		return dash(o.Algorithm)
	case o.Algorithm == "":
		return number(o.Length) + " bits"
	}
	return fmt.Sprintf("%s-%d", o.Algorithm, o.Length)
}

func (a *app) kmipObjectRead() *cobra.Command {
	return &cobra.Command{Use: "read UID", Short: "Describe an object, without its material", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			o, err := client.KMIPObject(ctx, args[0])
			if err != nil {
				return err
			}
			return a.show(view{json: o, rows: objectRows(o)})
		})
	}}
}

// objectRows leaves out the dates that an object does not have.
func objectRows(o sdk.KMIPObject) [][]string {
	rows := fields("uid", o.ID, "type", o.Type, "key", keyText(o), "state", o.State, "names", dash(strings.Join(o.Names, ", ")), "groups", dash(strings.Join(o.Groups, ", ")),
		"owner", dash(o.Owner), "usage", dash(strings.Join(o.Usage, ", ")), "sensitive", yes(o.Sensitive), "extractable", yes(o.Extractable), "archived", yes(o.Archived),
		"created", stamp(o.CreatedAt))
	for _, row := range fields("activation", stamp(o.ActivationDate), "process start", stamp(o.ProcessStartDate), "protect stop", stamp(o.ProtectStopDate),
		"deactivation", stamp(o.DeactivationDate), "compromise", stamp(o.CompromiseDate), "destroyed", stamp(o.DestroyDate), "last change", stamp(o.LastChangeDate),
		"revocation reason", dash(o.RevocationReason)) {
		if row[1] != "-" {
			rows = append(rows, row)
		}
	}
	return rows
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) secretGet() *cobra.Command {
	var o sdk.GetOptions
	c := &cobra.Command{Use: "get PATH", Short: "Read a secret", Args: cobra.ExactArgs(1),
		Long: "Read a secret. With -o raw, or when stdout is not a terminal, exactly the bytes of the value are printed and nothing else."}
	c.Flags().Uint64Var(&o.Version, "version", 0, "the version to read; the latest unless given")
	c.Flags().BoolVar(&o.Expand, "expand", false, "replace ${secret:path} by the values referred to")
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		v, err := client.Get(ctx, args[0], o)
		if err != nil {
			return err
		}
		defer clear(v.Value)
		return a.showValue(v)
	}
	return c
}

func (a *app) showValue(v sdk.Value) error {
	if a.output == "" && !terminal(a.out) {
		a.output = "raw"
	}
	raw := v.Value
	if raw == nil {
		raw = []byte{}
	}
	rows := fields("path", v.Path, "version", number(v.Version), "created", stamp(v.CreatedAt), "by", v.CreatedBy, "expires", stamp(v.ExpiresAt),
		"content type", v.ContentType, "labels", join(v.Labels))
	return a.show(view{json: v, raw: raw, rows: append(rows, []string{"value", legible(v.Value)})})
}

// legible is a value for people: what a terminal would not show is named instead.
func legible(b []byte) string {
	if !utf8.Valid(b) {
		return fmt.Sprintf("(%d bytes that are not text: use -o raw)", len(b))
	}
	return string(b)
}

func join(labels map[string]string) string {
	var out []string
	for k, v := range labels {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

func (a *app) secretList() *cobra.Command {
	var o sdk.ListOptions
	c := &cobra.Command{Use: "list [PREFIX]", Short: "List secrets; never their values", Args: cobra.MaximumNArgs(1)}
	c.Flags().BoolVar(&o.Folders, "folders", false, "one level beneath PREFIX only")
	s := sliceFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		o.Prefix = strings.Join(args, "")
		page, err := gather(a, c, s, func(s sdk.Slice) (sdk.Page[sdk.Entry], error) {
			ctx, cancel := a.call(c.Context())
			defer cancel()
			o.Slice = s
			return client.List(ctx, o)
		})
		if err != nil {
			return err
		}
		return a.show(view{json: page, head: []string{"PATH", "VERSION", "UPDATED", "EXPIRES", "LABELS"}, rows: rowsOf(page.Items, entryRow)})
	}
	return c
}

func entryRow(e sdk.Entry) []string {
	if e.Folder != "" {
		return []string{e.Folder}
	}
	return []string{e.Path, number(e.Version), stamp(e.UpdatedAt), stamp(e.ExpiresAt), join(e.Labels)}
}

func (a *app) secretVersions() *cobra.Command {
	c := &cobra.Command{Use: "versions PATH", Short: "Show a secret's history", Args: cobra.ExactArgs(1)}
	s := sliceFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		var h sdk.History
		h.Page, err = gather(a, c, s, func(s sdk.Slice) (sdk.Page[sdk.Version], error) {
			ctx, cancel := a.call(c.Context())
			defer cancel()
			var err error
			h, err = client.Versions(ctx, args[0], s)
			return h.Page, err
		})
		if err != nil {
			return err
		}
		if h.Deleted {
			fmt.Fprintln(a.err, "the secret is deleted: trstctl secret undelete brings it back")
		}
		return a.show(view{json: h, head: []string{"VERSION", "STATE", "SIZE", "CREATED", "BY", "LABELS"}, rows: rowsOf(h.Items, versionRow)})
	}
	return c
}

func versionRow(v sdk.Version) []string {
	return []string{number(v.Version), v.State, number(v.Size), stamp(v.CreatedAt), v.CreatedBy, join(v.Labels)}
}

func (a *app) secretImport() *cobra.Command {
	return &cobra.Command{Use: "import FILE|-", Short: "Write many secrets, all or none", Args: cobra.ExactArgs(1),
		Long: `Write up to 1,000 secrets, all or none. FILE is JSON:
  {"secrets": [{"path": "db/user", "value": "app"}, {"path": "db/key", "value_base64": "3q2+7w==", "cas": 0, "labels": {"team": "a"}}]}`,
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			items, err := a.importItems(args[0])
			if err != nil {
				return err
			}
			ctx, cancel := a.call(c.Context())
			defer cancel()
			written, err := client.Import(ctx, items)
			if err != nil {
				return err
			}
			return a.show(view{json: sdk.Page[sdk.Written]{Items: written}, head: []string{"PATH", "VERSION"}, rows: rowsOf(written, func(w sdk.Written) []string {
				return []string{w.Path, number(w.Version)}
			})})
		}}
}

func (a *app) importItems(name string) ([]sdk.Item, error) {
	b, err := a.document(name, maxDocument, "the import")
	if err != nil {
		return nil, err
	}
	defer clear(b)
	var doc struct {
		Secrets []sdk.Item `json:"secrets"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		return nil, usagef("the import is not as --help shows: %v", err)
	}
	if d.More() {
		return nil, usagef("the import holds more than one document")
	}
	return doc.Secrets, nil
}

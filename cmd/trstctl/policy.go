package main

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) policyCommand() *cobra.Command {
	return group("policy", "Say who may do what", a.policyWrite(), a.policyRead(), a.policyList(), a.policyDelete(), a.policyTest())
}

// parsePolicy reads one YAML (or JSON) document and refuses keys that it does not know: a misspelt "deny" must not be lost.
func parsePolicy(b []byte) ([]sdk.Rule, error) {
	var doc struct {
		Rules []sdk.Rule `yaml:"rules"`
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&doc); err != nil {
		return nil, usagef("the policy is not YAML of the form rules: [{path: \"secrets/team-a/*\", capabilities: [read, list]}]: %v", err)
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, usagef("the policy holds more than one YAML document")
	}
	if len(doc.Rules) == 0 {
		return nil, usagef("the policy has no rules")
	}
	return doc.Rules, nil
}

func (a *app) policyWrite() *cobra.Command {
	return &cobra.Command{Use: "write NAME FILE|-", Short: "Create or replace a policy from YAML", Args: cobra.ExactArgs(2),
		Long: "Create or replace a policy. FILE is YAML:\n  rules:\n    - path: \"secrets/team-a/*\"\n      capabilities: [read, list]",
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			b, err := a.document(args[1], maxPolicy, "the policy")
			if err != nil {
				return err
			}
			rules, err := parsePolicy(b)
			if err != nil {
				return err
			}
			ctx, cancel := a.call(c.Context())
			defer cancel()
			return a.showPolicy(client.WritePolicy(ctx, args[0], rules))
		}}
}

func (a *app) showPolicy(p sdk.Policy, err error) error {
	if err != nil {
		return err
	}
	return a.show(view{json: p, head: []string{"PATH", "CAPABILITIES"}, rows: rowsOf(p.Rules, func(r sdk.Rule) []string {
		return []string{r.Path, strings.Join(r.Capabilities, ",")}
	})})
}

func (a *app) policyRead() *cobra.Command {
	return &cobra.Command{Use: "read NAME", Short: "Show a policy", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		return a.showPolicy(client.Policy(ctx, args[0]))
	}}
}

func (a *app) policyList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List policies", Args: cobra.NoArgs}
	s := sliceFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		page, err := gather(a, c, s, func(s sdk.Slice) (sdk.Page[sdk.Policy], error) {
			ctx, cancel := a.call(c.Context())
			defer cancel()
			return client.Policies(ctx, s)
		})
		if err != nil {
			return err
		}
		return a.show(view{json: page, head: []string{"NAME", "RULES", "VERSION", "UPDATED", "BY"}, rows: rowsOf(page.Items, func(p sdk.Policy) []string {
			if p.Version == 0 {
				return []string{p.Name, "-", "-", "-", "-"}
			}
			return []string{p.Name, number(uint64(len(p.Rules))), number(p.Version), stamp(p.UpdatedAt), p.UpdatedBy}
		})})
	}
	return c
}

func (a *app) policyDelete() *cobra.Command {
	return &cobra.Command{Use: "delete NAME", Short: "Delete a policy; tokens lose what it granted", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		if err := client.DeletePolicy(ctx, args[0]); err != nil {
			return err
		}
		return a.done("deleted", args[0])
	}}
}

func (a *app) policyTest() *cobra.Command {
	var policies []string
	c := &cobra.Command{Use: "test PATH CAPABILITY", Short: "Explain whether something is allowed", Args: cobra.ExactArgs(2),
		Long: "Explain whether your token, or the given policies, allow CAPABILITY (read, write, delete, list, sudo) on PATH, such as\nsecrets/db/password, and which rule decides. The exit code is 0 either way: the question was answered."}
	c.Flags().StringSliceVar(&policies, "policy", nil, "test these policies instead of your token's")
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		d, err := client.TestPolicy(ctx, args[0], args[1], policies)
		if err != nil {
			return err
		}
		rows := fields("allowed", yes(d.Allowed), "reason", d.Reason, "policy", d.Policy)
		if d.Rule != nil {
			rows = append(rows, fields("rule", d.Rule.Path+" "+strings.Join(d.Rule.Capabilities, ","))...)
		}
		return a.show(view{json: d, rows: rows})
	}
	return c
}

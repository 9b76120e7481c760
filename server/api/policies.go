package api

import (
	"fmt"

	"github.com/trstctl/trstctl/engines/rbac"
	"github.com/trstctl/trstctl/engines/tenant"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

const wantCapability = "a capability is read, write, delete, list, sudo or deny"

// rule is a policy rule as it travels.
type rule struct {
	Path         string   `json:"path" strict:"required"`
	Capabilities []string `json:"capabilities" strict:"required" doc:"read, write, delete, list, sudo, deny"`
}

func (r rule) engine() (rbac.Rule, error) {
	out := rbac.Rule{Path: r.Path}
	for _, name := range r.Capabilities {
		one, err := rbac.ParseCapability(name)
		if err != nil {
			return out, err
		}
		out.Capabilities |= one
	}
	return out, nil
}

func ruleOf(r rbac.Rule) rule {
	out := rule{Path: r.Path, Capabilities: []string{}}
	for _, one := range append(eachCapability, rbac.Deny) {
		if r.Capabilities&one != 0 {
			out.Capabilities = append(out.Capabilities, one.String())
		}
	}
	return out
}

type policyBody struct {
	Rules []rule `json:"rules" strict:"required"`
}

type policyAnswer struct {
	Name string `json:"name"`
	policyDetail
}

type policyDetail struct {
	Rules   []rule   `json:"rules"`
	Version uint64   `json:"version"`
	At      fsm.Time `json:"updated_at"`
	By      string   `json:"updated_by"`
}

func policyOf(p rbac.Policy) policyAnswer {
	out := policyAnswer{p.Name, policyDetail{Rules: make([]rule, 0, len(p.Rules)), Version: p.Version, At: p.At, By: p.By}}
	for _, r := range p.Rules {
		out.Rules = append(out.Rules, ruleOf(r))
	}
	return out
}

func writePolicy(c *call) (any, error) {
	var rules []rbac.Rule
	for i, r := range c.body.(*policyBody).Rules {
		one, err := r.engine()
		if err != nil {
			return nil, fault.Bad(fmt.Sprintf("rules[%d].capabilities", i), "%s", wantCapability).Because(err)
		}
		rules = append(rules, one)
	}
	t := c.session.Token
	writer := rbac.Bound{Tenant: t.Tenant, Policies: t.Policies}
	p, err := c.api.opt.Rules.Write(c.ctx, c.req, c.path, rules, writer)
	return policyOf(p), err
}

func readPolicy(c *call) (any, error) {
	p, found, err := c.api.opt.Rules.Get(c.view, c.tenant, c.path)
	if err == nil && !found {
		err = fault.New(fault.NotFound, "there is no policy %q", clean(c.path, 64))
	}
	return policyOf(p), err
}

type named struct {
	Name string `json:"name"`
}

func deletePolicy(c *call) (any, error) {
	t := c.session.Token
	return named{c.path}, c.api.opt.Rules.Delete(c.ctx, c.req, c.path, rbac.Bound{Tenant: t.Tenant, Policies: t.Policies})
}

// policyItem is a policy in a list: with the rest for whoever may read it.
type policyItem struct {
	Name string `json:"name"`
	*policyDetail
}

type policiesAnswer struct {
	Items []policyItem `json:"items" doc:"with name alone where the caller may not read the policy"`
	Next  string       `json:"next_cursor"`
}

func listPolicies(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	page := func(after string, limit int) ([]rbac.Policy, string, error) {
		return c.api.opt.Rules.List(c.view, c.tenant, after, limit)
	}
	policies, next, err := shown(c.params["cursor"], limit, page, func(p rbac.Policy) string { return p.Name },
		func(name string) bool { return c.session.Forbids("policies/" + name) })
	out := policiesAnswer{Items: make([]policyItem, len(policies)), Next: next}
	for i, p := range policies {
		out.Items[i].Name = p.Name
		if c.session.Allows("policies/"+p.Name, rbac.Read) {
			full := policyOf(p)
			out.Items[i].policyDetail = &full.policyDetail
		}
	}
	return out, err
}

type testBody struct {
	Path       string   `json:"path" strict:"required" doc:"a resource, such as secrets/db/password"`
	Capability string   `json:"capability" strict:"required"`
	Policies   []string `json:"policies" doc:"names to test instead of the caller's own, at most 64; needs read on each"`
}

// names makes read on each policy a need: a test says which rule decided.
func (b *testBody) names(string) []string { return b.Policies }

const maxTested = 64

func (b *testBody) check() error {
	if len(b.Policies) > maxTested {
		return fault.Bad("policies", "are %d, at most %d are tested together", len(b.Policies), maxTested)
	}
	return nil
}

type testAnswer struct {
	Allowed bool   `json:"allowed"`
	Policy  string `json:"policy,omitempty" doc:"the policy that decided"`
	Rule    *rule  `json:"rule,omitempty" doc:"the rule that decided"`
	Reason  string `json:"reason"`
}

func testPolicy(c *call) (any, error) {
	b := c.body.(*testBody)
	wanted, err := rbac.ParseCapability(b.Capability)
	if err != nil || wanted == rbac.Deny {
		return nil, fault.Bad("capability", "must be read, write, delete, list or sudo").Because(err)
	}
	var d rbac.Decision
	if b.Policies == nil {
		d = c.session.Explain(b.Path, wanted)
	} else {
		set, err := c.api.opt.Rules.Load(c.view, c.tenant, b.Policies)
		if err != nil {
			return nil, err
		}
		d = set.Explain(b.Path, wanted)
	}
	out := testAnswer{Allowed: d.Allowed, Policy: d.Policy, Reason: d.Reason}
	if d.Found {
		r := ruleOf(d.Rule)
		out.Rule = &r
	}
	return out, nil
}

type tenantBody struct {
	Name string `json:"name" strict:"required"`
}

func (b *tenantBody) names(string) []string { return []string{b.Name} }

type tenantAnswer struct {
	Name    string   `json:"name"`
	UID     fsm.UID  `json:"uid"`
	Created fsm.Time `json:"created_at"`
}

func tenantOf(t tenant.Tenant) tenantAnswer { return tenantAnswer{t.Name, t.UID, t.Created} }

func createTenant(c *call) (any, error) {
	t, err := c.api.opt.Tenants.Create(c.ctx, c.req, c.body.(*tenantBody).Name)
	return tenantOf(t), err
}

func readTenant(c *call) (any, error) {
	t, found, err := c.api.opt.Tenants.ByName(c.view, c.path)
	if err == nil && !found {
		err = fault.New(fault.NotFound, "there is no tenant %q", clean(c.path, 64))
	}
	return tenantOf(t), err
}

func deleteTenant(c *call) (any, error) {
	return named{c.path}, c.api.opt.Tenants.Delete(c.ctx, c.req, c.path)
}

type tenantsAnswer struct {
	Items []tenantAnswer `json:"items"`
	Next  string         `json:"next_cursor"`
}

func listTenants(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	page := func(after string, limit int) ([]tenant.Tenant, string, error) {
		return c.api.opt.Tenants.List(c.view, after, limit)
	}
	tenants, next, err := shown(c.params["cursor"], limit, page, func(t tenant.Tenant) string { return t.Name },
		func(name string) bool { return c.session.Forbids("tenants/" + name) })
	out := tenantsAnswer{Items: make([]tenantAnswer, len(tenants)), Next: next}
	for i, t := range tenants {
		out.Items[i] = tenantOf(t)
	}
	return out, err
}

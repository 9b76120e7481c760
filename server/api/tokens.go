package api

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/trstctl/trstctl/engines/auth"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

// accessor is the form of what names a token without being one.
var accessor = regexp.MustCompile(`^acc_[A-Za-z0-9_-]{22}$`)

// accessorOf returns what stands for sent from here on: what is not an accessor may be a token or a part of one, which is neither logged
// nor quoted. Nothing has the name that stands for it.
func accessorOf(sent string) (string, error) {
	switch {
	case accessor.MatchString(sent):
		return sent, nil
	case strings.HasPrefix(sent, "trs."):
		return "", fault.Bad("accessor", "that is a token: its accessor, which begins with acc_, stands here")
	}
	return "malformed", nil
}

// moment is an RFC 3339 time that fits into fsm.Time.
type moment fsm.Time

// UnmarshalText reads RFC 3339, of the years 1970 to 2261.
func (m *moment) UnmarshalText(b []byte) error {
	t, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return err
	}
	if y := t.UTC().Year(); y < 1970 || y > 2261 {
		return fault.New(fault.Invalid, "the year is out of range")
	}
	*m = moment(fsm.At(t))
	return nil
}

// Describe names what is wanted.
func (moment) Describe() string { return "an RFC 3339 time of the years 1970 to 2261" }

// span is a duration as Go writes it.
type span time.Duration

// UnmarshalText reads "5m" or "1h30m"; nothing negative.
func (s *span) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err == nil && d <= 0 {
		err = fault.New(fault.Invalid, "a duration must be above zero")
	}
	*s = span(d)
	return err
}

// Describe names what is wanted.
func (span) Describe() string { return `a duration such as "5m" or "36h"` }

type tokenBody struct {
	Policies  []string `json:"policies" strict:"required"`
	TTL       span     `json:"ttl" doc:"default 1h, at most 768h, never beyond the caller's own"`
	MaxTTL    span     `json:"max_ttl" doc:"how far renewals may go"`
	Name      string   `json:"name" doc:"the identity that the audit shows"`
	Renewable *bool    `json:"renewable"`
	Orphan    bool     `json:"orphan" doc:"may outlive the caller's token; needs sudo"`
}

// names makes sudo on tokens a need of an orphan only.
func (b *tokenBody) names(string) []string {
	if b.Orphan {
		return []string{""}
	}
	return nil
}

// tokenAnswer describes a token by its accessor; it never holds the token.
type tokenAnswer struct {
	Accessor   string   `json:"accessor"`
	Name       string   `json:"name,omitempty"`
	Identity   string   `json:"identity"`
	Tenant     string   `json:"tenant"`
	Policies   []string `json:"policies"`
	Parent     string   `json:"parent,omitempty" doc:"accessor of the token that made this one"`
	Created    fsm.Time `json:"created_at"`
	Expires    fsm.Time `json:"expires_at"`
	MaxExpires fsm.Time `json:"max_expires_at"`
	Renewable  bool     `json:"renewable"`
	Revoked    bool     `json:"revoked" doc:"it or an ancestor was revoked: it is refused everywhere"`
}

// newToken is the one answer that holds a token.
type newToken struct {
	tokenAnswer
	Token strictjson.Text `json:"token" doc:"the token itself: it is shown this once"`
}

func (n *newToken) wipe() { clear(n.Token) }

// appendJSON writes the description with the token in front, so that the token passes through no string.
func (n *newToken) appendJSON(b []byte) []byte {
	b = strictjson.AppendString(append(b, `{"token":`...), n.Token)
	b = appendField(append(b, ','), "accessor", n.Accessor)
	if n.Name != "" {
		b = appendField(append(b, ','), "name", n.Name)
	}
	b = appendField(append(b, ','), "identity", n.Identity)
	b = appendField(append(b, ','), "tenant", n.Tenant)
	b = append(b, `,"policies":[`...)
	for i, p := range n.Policies {
		if i > 0 {
			b = append(b, ',')
		}
		b = strictjson.AppendString(b, p)
	}
	b = append(b, ']')
	if n.Parent != "" {
		b = appendField(append(b, ','), "parent", n.Parent)
	}
	b = appendTime(append(b, `,"created_at":`...), n.Created)
	b = appendTime(append(b, `,"expires_at":`...), n.Expires)
	b = appendTime(append(b, `,"max_expires_at":`...), n.MaxExpires)
	b = strconv.AppendBool(append(b, `,"renewable":`...), n.Renewable)
	return append(strconv.AppendBool(append(b, `,"revoked":`...), n.Revoked), '}')
}

// describe fills in the tenant's name.
func (c *call) describe(v *fsm.View, t auth.Token) (tokenAnswer, error) {
	a := tokenAnswer{Accessor: t.Accessor, Name: t.Name, Identity: t.Identity, Policies: t.Policies, Created: t.Created, Expires: t.Expires,
		MaxExpires: t.MaxExpires, Renewable: t.Renewable, Revoked: t.Revoked}
	if a.Policies == nil {
		a.Policies = []string{}
	}
	if t.Parent != nil {
		a.Parent = t.Parent.Accessor
	}
	owner, _, err := c.api.opt.Tenants.Get(v, t.Tenant)
	a.Tenant = owner.Name
	return a, err
}

func createToken(c *call) (any, error) {
	b := c.body.(*tokenBody)
	g := auth.Grant{Name: b.Name, Policies: b.Policies, TTL: time.Duration(b.TTL), MaxTTL: time.Duration(b.MaxTTL), Renewable: b.Renewable, Orphan: b.Orphan}
	made, _, err := c.api.opt.Tokens.Create(c.ctx, c.req, c.creator(), g, c.key, c.tenant)
	if err != nil {
		return nil, err
	}
	out := &newToken{Token: strictjson.Text(made.Secret)}
	return out, c.inView(func(v *fsm.View) (err error) {
		out.tokenAnswer, err = c.describe(v, made.Token)
		return err
	})
}

type tokensAnswer struct {
	Items []tokenAnswer `json:"items"`
	Next  string        `json:"next_cursor"`
}

func listTokens(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	page := func(after string, limit int) ([]auth.Token, string, error) {
		return c.api.opt.Tokens.List(c.view, c.tenant, after, limit)
	}
	tokens, next, err := shown(c.params["cursor"], limit, page, func(t auth.Token) string { return t.Accessor },
		func(accessor string) bool { return c.session.Forbids("tokens/" + accessor) })
	out := tokensAnswer{Items: make([]tokenAnswer, len(tokens)), Next: next}
	for i := 0; i < len(tokens) && err == nil; i++ {
		out.Items[i], err = c.describe(c.view, tokens[i])
	}
	return out, err
}

func lookupSelf(c *call) (any, error) { return c.describe(c.view, c.session.Token) }

func lookupToken(c *call) (any, error) {
	t, found, err := c.api.opt.Tokens.Lookup(c.view, c.tenant, c.path)
	if err == nil && !found {
		err = fault.New(fault.NotFound, "there is no token with this accessor")
	}
	if err != nil {
		return nil, err
	}
	return c.describe(c.view, t)
}

type renewBody struct {
	TTL span `json:"ttl" doc:"from now; default 1h, never beyond max_expires_at"`
}

func renewSelf(c *call) (any, error) { return c.renew(c.session.Token.Accessor) }

func renewToken(c *call) (any, error) { return c.renew(c.path) }

func (c *call) renew(accessor string) (any, error) {
	ttl := time.Duration(c.body.(*renewBody).TTL)
	t, err := c.api.opt.Tokens.Renew(c.ctx, c.req, auth.Ref{Tenant: c.tenant, Accessor: accessor}, ttl)
	if err != nil {
		return nil, err
	}
	var out tokenAnswer
	return &out, c.inView(func(v *fsm.View) (err error) {
		out, err = c.describe(v, t)
		return err
	})
}

type revokeAnswer struct {
	Accessor string `json:"accessor"`
}

func revokeSelf(c *call) (any, error) { return c.revoke(c.session.Token.Accessor) }

func revokeToken(c *call) (any, error) { return c.revoke(c.path) }

func (c *call) revoke(accessor string) (any, error) {
	err := c.api.opt.Tokens.Revoke(c.ctx, c.req, auth.Ref{Tenant: c.tenant, Accessor: accessor})
	return revokeAnswer{accessor}, err
}

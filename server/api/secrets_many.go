package api

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/trstctl/trstctl/engines/rbac"
	"github.com/trstctl/trstctl/engines/secret"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

type importItem struct {
	Path string `json:"path" strict:"required"`
	valueBody
}

// importBody is up to 1,000 secrets that are written all or not at all.
type importBody struct {
	Secrets []importItem `json:"secrets" strict:"required"`
}

func (b *importBody) names(string) []string {
	paths := make([]string, len(b.Secrets))
	for i, s := range b.Secrets {
		paths[i] = s.Path
	}
	return paths
}

func (b *importBody) wipe() {
	for i := range b.Secrets {
		b.Secrets[i].wipe()
	}
}

type importAnswer struct {
	Items []pathVersion `json:"items"`
}

func importSecrets(c *call) (any, error) {
	b := c.body.(*importBody)
	items := make([]secret.Item, len(b.Secrets))
	for i := range b.Secrets {
		var err error
		if items[i], err = b.Secrets[i].item(b.Secrets[i].Path); err != nil {
			return nil, inItem(i, err)
		}
	}
	done, _, err := c.api.opt.Secrets.Import(c.ctx, c.req, items)
	out := importAnswer{Items: make([]pathVersion, len(done))}
	for i, w := range done {
		out.Items[i] = pathVersion{w.Path, w.Version}
	}
	return out, ofCas(err)
}

// ofCas names the field that a conflict is about: the one condition that these requests can state.
func ofCas(err error) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Kind != fault.Conflict || strings.HasSuffix(e.Field, "cas") {
		return err
	}
	out := *e
	out.Field = strings.TrimPrefix(e.Field+".cas", ".")
	return &out
}

// inItem says which item of an import err is about.
func inItem(i int, err error) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	out := *e
	out.Field = fmt.Sprintf("secrets[%d].%s", i, e.Field)
	return &out
}

// listItem is a secret, or a folder when Folder is set.
type listItem struct {
	Path    string            `json:"path,omitempty"`
	Folder  string            `json:"folder,omitempty" doc:"instead of path: a folder one level beneath the prefix, with its slash"`
	Version uint64            `json:"version,omitempty"`
	At      fsm.Time          `json:"updated_at,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
	Expires fsm.Time          `json:"expires_at,omitempty"`
}

type listAnswer struct {
	Items []listItem `json:"items"`
	Next  string     `json:"next_cursor" doc:"for the next call; empty at the end. A page may be short or empty and still have one."`
}

func listSecrets(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	folders, err := c.flag("folders")
	if err != nil {
		return nil, err
	}
	page, err := c.api.opt.Secrets.List(c.view, c.tenant, secret.Query{Prefix: c.params["prefix"], After: c.params["cursor"], Limit: limit,
		Folders: folders, Now: c.now, Allowed: c.mayList})
	if err != nil {
		return nil, err
	}
	out := listAnswer{Items: make([]listItem, 0, len(page.Items)), Next: page.Next}
	for _, it := range page.Items {
		if it.Folder != "" {
			out.Items = append(out.Items, listItem{Folder: it.Folder})
			continue
		}
		out.Items = append(out.Items, listItem{Path: it.Path, Version: it.Version, At: it.At, Labels: it.Labels, Expires: it.Expires})
	}
	return out, nil
}

// mayList decides whether a path, or a folder that ends in a slash, may be shown.
func (c *call) mayList(path string) bool {
	if strings.HasSuffix(path, "/") {
		return c.session.Overlaps("secrets/"+path, rbac.List)
	}
	return c.session.Allows("secrets/"+path, rbac.List)
}

type versionItem struct {
	Version     uint64            `json:"version"`
	At          fsm.Time          `json:"created_at"`
	By          string            `json:"created_by"`
	Size        uint64            `json:"size" doc:"bytes of the value"`
	State       string            `json:"state" doc:"live, expired, deleted or purged"`
	ContentType string            `json:"content_type,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Expires     fsm.Time          `json:"expires_at,omitempty"`
}

type versionsAnswer struct {
	Path    string        `json:"path"`
	Latest  uint64        `json:"latest_version"`
	Deleted bool          `json:"deleted"`
	Items   []versionItem `json:"items"`
	Next    string        `json:"next_cursor"`
}

func listVersions(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	before, err := c.number("cursor", 0)
	if err != nil {
		return nil, err
	}
	h, next, err := c.api.opt.Secrets.Versions(c.view, c.tenant, c.path, before, limit)
	if err != nil {
		return nil, err
	}
	out := versionsAnswer{Path: h.Path, Latest: h.Latest, Deleted: h.Deleted, Items: make([]versionItem, 0, len(h.Items))}
	for _, i := range h.Items {
		out.Items = append(out.Items, versionItem{Version: i.Version, At: i.At, By: i.By, Size: uint64(i.Size), State: i.State,
			ContentType: i.ContentType, Labels: i.Labels, Expires: i.Expires})
	}
	if next > 0 {
		out.Next = strconv.FormatUint(next, 10)
	}
	return out, nil
}

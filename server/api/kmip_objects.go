package api

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// kmipObject describes a managed object; it never holds material, nor what clients put into attributes of their own.
type kmipObject struct {
	ID          string   `json:"id"`
	Type        string   `json:"type" doc:"as KMIP names it without spaces, such as SymmetricKey"`
	State       string   `json:"state" doc:"PreActive, Active, Deactivated, Compromised, Destroyed or DestroyedCompromised, by now"`
	Owner       string   `json:"owner,omitempty" doc:"UID of the client that made it"`
	Names       []string `json:"names"`
	Groups      []string `json:"groups" doc:"object groups"`
	Algorithm   string   `json:"algorithm,omitempty"`
	Length      uint64   `json:"length,omitempty" doc:"in bits"`
	Usage       []string `json:"usage" doc:"of its cryptographic usage mask"`
	Sensitive   bool     `json:"sensitive"`
	Extractable bool     `json:"extractable"`
	Archived    bool     `json:"archived"`
	Revocation  string   `json:"revocation_reason,omitempty"`
	Created     fsm.Time `json:"created_at"`
	Activates   fsm.Time `json:"activation_date,omitempty"`
	Starts      fsm.Time `json:"process_start_date,omitempty"`
	Stops       fsm.Time `json:"protect_stop_date,omitempty"`
	Deactivates fsm.Time `json:"deactivation_date,omitempty"`
	Compromised fsm.Time `json:"compromise_date,omitempty"`
	Destroyed   fsm.Time `json:"destroy_date,omitempty"`
	Changed     fsm.Time `json:"last_change_date,omitempty"`
}

func kmipObjectOf(o *managedkey.Object, now fsm.Time) kmipObject {
	d, a := o.Dates, o.Attributes
	out := kmipObject{ID: o.ID, Type: enumName(ttlv.TagObjectType, uint32(o.Type)), State: enumName(ttlv.TagState, uint32(o.StateAt(now))), Owner: o.Owner,
		Names: make([]string, 0, len(a.Names)), Groups: a.Groups.Values(), Algorithm: enumName(ttlv.TagCryptographicAlgorithm, uint32(o.Key.Algorithm)),
		Length: uint64(o.Key.Length), Usage: usageOf(a.Usage), Sensitive: a.Sensitive, Extractable: a.Extractable, Archived: o.Archived(), Created: d.Initial,
		Activates: d.Activation, Starts: d.ProcessStart, Stops: d.ProtectStop, Deactivates: d.Deactivation, Compromised: d.Compromise, Destroyed: d.Destroy, Changed: d.LastChange}
	for _, n := range a.Names {
		out.Names = append(out.Names, n.Value.Value)
	}
	if a.Revocation != nil {
		out.Revocation = enumName(ttlv.TagRevocationReasonCode, uint32(a.Revocation.Code))
	}
	return out
}

// enumName is KMIP's name of a value, its number if it has none, and nothing of 0.
func enumName(tag ttlv.Tag, value uint32) string {
	name, known := ttlv.EnumName(tag, value)
	switch {
	case known:
		return name
	case value == 0:
		return ""
	}
	return fmt.Sprintf("0x%08x", value)
}

func usageOf(mask managedkey.UsageMask) []string {
	names, _ := ttlv.MaskNames(ttlv.TagCryptographicUsageMask, int32(mask), " ")
	return append([]string{}, strings.Fields(names)...)
}

type kmipObjectsAnswer struct {
	Items []kmipObject `json:"items" doc:"newest first, and the destroyed after the others"`
	Next  string       `json:"next_cursor"`
}

func listKMIPObjects(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	from, err := parseObjectCursor(c.params["cursor"])
	if err != nil {
		return nil, err
	}
	found, next, err := managedkey.List(c.ctx, c.view, c.tenant, from, limit, func(o *managedkey.Object) bool { return !c.session.Forbids("kmip/objects/" + o.ID) })
	out := kmipObjectsAnswer{Items: make([]kmipObject, len(found)), Next: objectCursor(next)}
	for i := range found {
		out.Items[i] = kmipObjectOf(&found[i], c.now)
	}
	return out, err
}

// destroyedMark begins a cursor that is among the destroyed objects.
const destroyedMark = "d"

func objectCursor(at managedkey.Cursor) string {
	text := strconv.FormatUint(at.Number, 10)
	switch {
	case at == managedkey.Cursor{}:
		return ""
	case at.Dead:
		return destroyedMark + text
	}
	return text
}

func parseObjectCursor(s string) (at managedkey.Cursor, err error) {
	if s == "" {
		return at, nil
	}
	text, dead := strings.CutPrefix(s, destroyedMark)
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return at, fault.Bad("cursor", "is the next_cursor of the page before")
	}
	return managedkey.Cursor{Dead: dead, Number: n}, nil
}

func readKMIPObject(c *call) (any, error) {
	o, err := c.api.opt.Objects.View(c.view, c.tenant).Object(c.path)
	if fault.Is(err, fault.NotFound) {
		err = fault.New(fault.NotFound, "there is no managed object %q: trstctl kmip object list shows those that there are", clean(c.path, 64))
	}
	if err != nil {
		return nil, err
	}
	return kmipObjectOf(&o, c.now), nil
}

package secret

import (
	"bytes"
	"slices"
	"strings"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Limits of references.
const (
	maxDepth      = 8
	maxReferences = 100
)

var (
	refStart = []byte("${") // with a $ before it, it is an escape
	refOpen  = []byte("${secret:")
)

// Expand replaces each ${secret:path} in value by the latest value of that path, and so on inside it; $${ stands for ${. allow
// is asked for each path before it is read. Cycles, more than 8 levels, 100 references or a result above 1 MiB are refused. The
// caller zeroes the result; value stays as it is.
func (e *Engine) Expand(v *fsm.View, tenant fsm.UID, path string, value []byte, now fsm.Time, allow func(path string) error) ([]byte, error) {
	x := expander{Engine: e, v: v, tenant: tenant, now: now, allow: allow, trail: []string{path}}
	out, err := x.expand(nil, value)
	if err != nil {
		clear(out)
		return nil, err
	}
	return out, nil
}

type expander struct {
	*Engine
	v      *fsm.View
	tenant fsm.UID
	now    fsm.Time
	allow  func(string) error
	trail  []string // from the outermost path to the one that is expanded
	used   int
}

func (x *expander) expand(out, value []byte) ([]byte, error) {
	for len(value) > 0 {
		plain, ref, rest, err := nextReference(value)
		if err != nil {
			return out, err
		}
		if out, err = grow(out, plain); err == nil && ref != "" {
			out, err = x.resolve(out, ref)
		}
		if err != nil {
			return out, err
		}
		value = rest
	}
	return out, nil
}

// grow appends within the limit; an outgrown buffer is zeroed.
func grow(out, more []byte) ([]byte, error) {
	if len(out)+len(more) > MaxValue {
		return out, fault.New(fault.TooLarge, "with its references the value has more than %d bytes", MaxValue)
	}
	if len(out)+len(more) <= cap(out) {
		return append(out, more...), nil
	}
	next := append(make([]byte, 0, 2*(len(out)+len(more))), out...)
	clear(out)
	return append(next, more...), nil
}

func (x *expander) resolve(out []byte, path string) ([]byte, error) {
	if slices.Contains(x.trail, path) {
		cycle := append(slices.Clone(x.trail[slices.Index(x.trail, path):]), path)
		return out, fault.New(fault.Conflict, "the references form a cycle: %s", strings.Join(cycle, " -> "))
	}
	if x.used++; x.used > maxReferences || len(x.trail) > maxDepth {
		return out, fault.New(fault.Limit, "a value may have %d references, %d deep", maxReferences, maxDepth)
	}
	if err := x.allow(path); err != nil {
		return out, err
	}
	found, err := x.Get(x.v, x.tenant, path, 0, x.now)
	if err != nil {
		return out, err
	}
	defer clear(found.Value)
	x.trail = append(x.trail, path)
	defer func() { x.trail = x.trail[:len(x.trail)-1] }()
	return x.expand(out, found.Value)
}

// nextReference takes what stands before the first reference off value, and the reference's path. At an escape it gives the text
// before it and "${", and nothing of that is looked at again. It looks no further than it takes.
func nextReference(value []byte) (plain []byte, path string, rest []byte, err error) {
	ref := 0
	for {
		i := bytes.Index(value[ref:], refStart)
		if i < 0 {
			return value, "", nil, nil
		}
		ref += i
		switch {
		case ref == 1 && value[0] == '$':
			return value[1:3], "", value[3:], nil
		case ref > 1 && value[ref-1] == '$':
			return value[:ref-1], "", value[ref-1:], nil
		}
		if bytes.HasPrefix(value[ref:], refOpen) {
			break
		}
		ref += len(refStart)
	}
	body := value[ref+len(refOpen):]
	end := bytes.IndexByte(body, '}')
	if end < 0 || end > MaxPath {
		return nil, "", nil, fault.Bad("value", "a reference ${secret:… is not closed; write $${ for a literal ${")
	}
	path = string(body[:end])
	if err := ValidPath(path); err != nil {
		return nil, "", nil, fault.Bad("value", "a reference has no valid path: %s", err.Error())
	}
	return value[:ref], path, body[end+1:], nil
}

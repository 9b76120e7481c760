package api

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

// object is a JSON object of the document; encoding/json writes its names in order.
type object = map[string]any

// document describes the routes as OpenAPI 3.1, from the table and the Go types alone.
func document(routes []*route) ([]byte, error) {
	d := describer{schemas: object{}}
	paths := object{}
	for _, r := range routes {
		at, found := paths[base+r.pattern].(object)
		if !found {
			at = object{}
			paths[base+r.pattern] = at
		}
		at[strings.ToLower(r.method)] = d.operation(r)
	}
	d.schema(of[problem]())
	b, err := json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info":    object{"title": "trstctl", "version": "1", "license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"}},
		"paths":   paths,
		"components": object{"schemas": d.schemas, "securitySchemes": object{
			"token": object{"type": "http", "scheme": "bearer", "description": "A token that begins with trs."}}},
	}, "", " ")
	return append(b, '\n'), err
}

// describer gathers the schemas that operations refer to.
type describer struct {
	schemas object
	asking  bool // what is described is sent by callers
}

func (d *describer) request(t reflect.Type) object {
	d.asking = true
	defer func() { d.asking = false }()
	return d.schema(t)
}

func (d *describer) operation(r *route) object {
	op := object{"operationId": r.name, "summary": r.summary, "parameters": d.parameters(r), "responses": d.responses(r)}
	if r.kind != open {
		op["security"] = []object{{"token": []string{}}}
	}
	if len(r.needs) > 0 {
		op["x-trstctl-needs"] = needsText(r)
	}
	if r.request != nil {
		op["requestBody"] = object{"required": len(requiredOf(r.request, true)) > 0, "content": object{"application/json": object{"schema": d.request(r.request)}}}
	}
	return op
}

// needsText writes each need as "<capabilities> on <resource>".
func needsText(r *route) []string {
	var out []string
	for _, n := range r.needs {
		var caps []string
		for _, one := range eachCapability {
			if n.caps&one != 0 {
				caps = append(caps, one.String())
			}
		}
		text := strings.Join(caps, " or ") + " on " + n.resource
		if n.beneath {
			text += " or beneath"
		}
		if n.when != "" {
			text += " if " + n.when + " is sent"
		}
		out = append(out, text)
	}
	return out
}

func (d *describer) parameters(r *route) []object {
	out := []object{}
	add := func(in, name, schema, doc string, required bool) {
		out = append(out, object{"in": in, "name": name, "required": required, "description": doc, "schema": object{"type": schema}})
	}
	if r.variable != "" {
		add("path", r.variable, "string", "percent-encoded, its slashes as they are", true)
	}
	for _, q := range r.query {
		add("query", q.name, q.schema, q.doc, false)
	}
	switch {
	case r.kind == read && !r.present:
		add("query", "at", "string", "linearizable, which is the default, session or stale", false)
		add("query", "max_stale", "string", "with at=stale: a duration of at most 2s", false)
		add("header", indexHeader, "string", "with at=session: the index that the caller has seen", false)
	case r.kind == write || r.kind == act:
		add("header", idempotencyKey, "string", "new for each request, the same for its repetition; 1 to 128 printable ASCII characters", true)
	}
	if r.kind != open {
		add("header", tenantHeader, "string", "for operators: the tenant to act in", false)
	}
	return out
}

func (d *describer) responses(r *route) object {
	ok := object{"description": "Done."}
	switch {
	case r.response != nil:
		ok["content"] = object{"application/json": object{"schema": d.schema(r.response)}}
	case r.name == "sys.snapshot":
		ok["content"] = object{"application/octet-stream": object{"schema": object{"type": "string", "format": "binary"}}}
	case r.name == "audit.export":
		ok["content"] = object{"application/x-ndjson": object{"schema": d.schema(of[exportLine]())}}
	default:
		ok["content"] = object{"application/json": object{"schema": object{"type": "object"}}}
	}
	return object{"200": ok, "default": object{"description": "Refused.", "content": object{
		"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/problem"}}}}}
}

// schema describes a type; structs become components.
func (d *describer) schema(t reflect.Type) object {
	switch t {
	case of[fsm.Time](), of[moment]():
		return object{"type": "string", "format": "date-time"}
	case of[fsm.UID]():
		return object{"type": "string", "pattern": "^[0-9a-f]{32}$"}
	case of[span](), of[period]():
		return object{"type": "string", "examples": []string{"5m", "36h"}}
	case of[strictjson.Text]():
		return object{"type": "string"}
	case of[strictjson.Base64](), of[[]byte](), of[encoded]():
		return object{"type": "string", "contentEncoding": "base64"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.schema(t.Elem())
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Uint64, reflect.Int64, reflect.Int:
		return object{"type": "integer"}
	case reflect.Slice:
		return object{"type": "array", "items": d.schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": d.schema(t.Elem())}
	case reflect.Interface:
		return object{}
	case reflect.Struct:
		return d.component(t)
	}
	return object{"type": "string"}
}

func (d *describer) component(t reflect.Type) object {
	name := strings.ToLower(t.Name()[:1]) + t.Name()[1:]
	if _, done := d.schemas[name]; !done {
		s := object{"type": "object", "additionalProperties": false}
		d.schemas[name] = s // before its fields, which may refer to it
		properties := object{}
		for _, f := range fieldsOf(t) {
			properties[f.name] = d.property(f)
		}
		s["properties"] = properties
		if required := requiredOf(t, d.asking); len(required) > 0 {
			s["required"] = required
		}
	}
	return object{"$ref": "#/components/schemas/" + name}
}

func (d *describer) property(f jsonField) object {
	s := d.schema(f.Type)
	if f.Type == of[*LeaderInfo]() {
		s = object{"oneOf": []object{s, {"type": "null"}}}
	}
	if f.doc == "" {
		return s
	}
	s = maps.Clone(s)
	s["description"] = f.doc
	return s
}

// jsonField is a field as it travels.
type jsonField struct {
	reflect.StructField
	name, doc string
	optional  bool
}

// fieldsOf returns the fields of a struct; those of an embedded one are its own, and optional behind a pointer.
func fieldsOf(t reflect.Type) []jsonField {
	var out []jsonField
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			for _, g := range fieldsOf(inner) {
				g.optional = g.optional || f.Type.Kind() == reflect.Pointer
				out = append(out, g)
			}
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			out = append(out, jsonField{f, name, f.Tag.Get("doc"), strings.Contains(options, "omitempty")})
		}
	}
	return out
}

// requiredOf returns what is always there: in a request what it says is required, in an answer what is not left out.
func requiredOf(t reflect.Type, request bool) []string {
	var out []string
	for _, f := range fieldsOf(t) {
		if request && f.Tag.Get("strict") == "required" || !request && !f.optional {
			out = append(out, f.name)
		}
	}
	slices.Sort(out)
	return out
}

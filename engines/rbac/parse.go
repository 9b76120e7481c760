package rbac

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/trstctl/trstctl/fsm/fault"
)

// document is a policy as people write it; JSON is YAML too.
type document struct {
	Rules []struct {
		Path         string   `yaml:"path"`
		Capabilities []string `yaml:"capabilities"`
	} `yaml:"rules"`
}

// ParseYAML reads one document of at most 64 KiB, in YAML or JSON:
//
//	rules:
//	  - path: "secrets/team-a/*"
//	    capabilities: [read, list]
//
// It refuses, as fault.Invalid or TooLarge, keys it does not know, since a misspelt "deny" must not be lost, aliases, a second
// document, no rules, and rules that Write would refuse.
func ParseYAML(b []byte) ([]Rule, error) {
	if len(b) > maxBytes {
		return nil, fault.New(fault.TooLarge, "a policy has at most %d bytes, not %d", maxBytes, len(b))
	}
	doc, err := decodeYAML(b)
	if err != nil {
		return nil, fault.Bad("rules", `a policy is one document of the form rules: [{path: "secrets/team-a/*", capabilities: [read, list]}]`).Because(err)
	}
	if len(doc.Rules) == 0 {
		return nil, fault.Bad("rules", "the policy has no rules")
	}
	return doc.rules()
}

func decodeYAML(b []byte) (document, error) {
	var root yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&root); err != nil {
		return document{}, err
	}
	if aliased(&root) {
		return document{}, errors.New("it uses aliases")
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return document{}, errors.New("it goes on after its first document")
	}
	var doc document
	strict := yaml.NewDecoder(bytes.NewReader(b)) // a Node cannot be decoded strictly
	strict.KnownFields(true)
	err := strict.Decode(&doc)
	return doc, err
}

// aliased reports whether some part stands for another: a small text would grow without bound.
func aliased(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		return true
	}
	for _, c := range n.Content {
		if aliased(c) {
			return true
		}
	}
	return false
}

func (d document) rules() ([]Rule, error) {
	out := make([]Rule, len(d.Rules))
	for i, r := range d.Rules {
		c, err := parseCapabilities(r.Capabilities)
		if err != nil {
			return nil, err
		}
		out[i] = Rule{r.Path, c}
	}
	return out, checkRules(out)
}

func parseCapabilities(names []string) (c Capability, err error) {
	for _, name := range names {
		one, err := ParseCapability(name)
		if err != nil {
			return 0, err
		}
		c |= one
	}
	return c, nil
}

// MarshalJSON writes the names as a list, [] for none.
func (c Capability) MarshalJSON() ([]byte, error) {
	return json.Marshal(append([]string{}, c.Names()...))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Capability) UnmarshalJSON(b []byte) error {
	var names []string
	if err := json.Unmarshal(b, &names); err != nil {
		return fault.Bad("capabilities", "capabilities are a list of names").Because(err)
	}
	v, err := parseCapabilities(names)
	if err == nil {
		*c = v
	}
	return err
}

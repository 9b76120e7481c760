package replay

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// Survey is what a server needs to know and to do for a set of cases: how many cases use a thing, by kind and name.
type Survey map[string]map[string]int

// surveyed are the values that a survey counts, beside operations and attributes.
var surveyed = []ttlv.Tag{
	ttlv.TagObjectType, ttlv.TagKeyFormatType, ttlv.TagCryptographicAlgorithm, ttlv.TagBlockCipherMode, ttlv.TagPaddingMethod,
	ttlv.TagHashingAlgorithm, ttlv.TagRecommendedCurve, ttlv.TagWrappingMethod, ttlv.TagEncodingOption, ttlv.TagQueryFunction,
	ttlv.TagCredentialType, ttlv.TagResultReason, ttlv.TagBatchErrorContinuationOption, ttlv.TagDerivationMethod,
	ttlv.TagSplitKeyMethod, ttlv.TagRevocationReasonCode, ttlv.TagLinkType,
}

// NewSurvey counts what the cases of groups use.
func NewSurvey(groups []Group) Survey {
	s := Survey{}
	for _, g := range groups {
		for _, c := range g.Cases {
			for kind, names := range c.uses() {
				for name := range names {
					s.add(kind, name)
				}
			}
			s.add("Cases", c.Version.String())
		}
	}
	return s
}

func (s Survey) add(kind, name string) {
	if s[kind] == nil {
		s[kind] = map[string]int{}
	}
	s[kind][name]++
}

// uses returns what one case uses. What a server lists about itself in an answer to Query counts as used by nobody.
func (c Case) uses() Survey {
	s := Survey{}
	for _, step := range c.Steps {
		step.Request.walk(func(n *Node) bool { s.see(n); return true })
		for _, item := range batch(&step.Response) {
			if item.text(ttlv.TagOperation) != "Query" {
				item.walk(func(n *Node) bool { s.see(n); return true })
			}
		}
		if step.Client != "" {
			s.add("Clients", step.Client)
		}
	}
	for _, credential := range c.Credentials() {
		s.add("Credentials", credential)
	}
	return s
}

// see counts one item.
func (s Survey) see(n *Node) {
	switch {
	case n.placeholder():
		s.add("Placeholders", digits.ReplaceAllString(n.Text, "n"))
	case n.Tag == ttlv.TagAttributeName:
		s.add("Attributes", n.Text)
	case n.Tag == ttlv.TagOperation:
		s.add("Operations", n.Text)
	case n.names == ttlv.TagObjectType:
		s.add(ttlv.TagObjectType.Title(), n.Text)
	case slices.Contains(surveyed, n.names) && n.Type == ttlv.TypeEnumeration:
		s.add(n.names.Title(), n.Text)
	}
}

// String returns a line for every kind, with the names in order and the number of cases behind each.
func (s Survey) String() string {
	var lines []string
	for _, kind := range slices.Sorted(maps.Keys(s)) {
		var names []string
		for _, name := range slices.Sorted(maps.Keys(s[kind])) {
			names = append(names, fmt.Sprintf("%s %d", name, s[kind][name]))
		}
		lines = append(lines, fmt.Sprintf("%s (%d): %s", kind, len(names), strings.Join(names, ", ")))
	}
	return strings.Join(lines, "\n")
}

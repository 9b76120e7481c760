package replay

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// Load reads every .xml file in dir and its folders. The groups stand in the order of their names, the numbers in them counted
// as numbers. A file that is no test case, or two of one name, is an error that names the file.
func Load(dir string) ([]Group, error) {
	var cases []Case
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".xml") {
			return err
		}
		c, err := loadFile(path)
		cases = append(cases, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("there is no test case in %s", dir)
	}
	slices.SortStableFunc(cases, func(a, b Case) int { return strings.Compare(sortable(a.Name), sortable(b.Name)) })
	return group(cases)
}

// loadFile reads one case.
func loadFile(path string) (Case, error) {
	folder := filepath.Base(filepath.Dir(path))
	c := Case{Name: folder + "/" + strings.TrimSuffix(filepath.Base(path), ".xml"), File: path}
	text, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	if err := c.parse(text); err != nil {
		return c, fmt.Errorf("test case %s: %w", path, err)
	}
	return c, nil
}

// parse fills the steps of c.
func (c *Case) parse(text []byte) error {
	messages, err := parseMessages(text)
	if err != nil {
		return err
	}
	marks, err := readMarks(text)
	if err != nil {
		return err
	}
	if len(messages) == 0 || len(messages) != 2*len(marks) {
		return fmt.Errorf("there are %d messages and %d requests among them", len(messages), len(marks))
	}
	for i, m := range marks {
		s := Step{Client: m.client, Repeat: m.repeat, Request: messages[2*i], Response: messages[2*i+1]}
		if s.Request.Tag != ttlv.TagRequestMessage || s.Response.Tag != ttlv.TagResponseMessage {
			return fmt.Errorf("step %d is not a request and a response", i+1)
		}
		s.ToClient = m.toClient || sentByServer(&s.Request)
		c.Steps = append(c.Steps, s)
	}
	c.Version, err = versionOf(&c.Steps[0].Request)
	return errors.Join(err, c.correct())
}

// parseMessages returns the messages of a file.
func parseMessages(text []byte) ([]Node, error) {
	var texts []string
	items, err := ttlv.ParseXMLDocument(text, ttlv.Options{Value: func(_ ttlv.Tag, typ ttlv.Type, raw string) (string, error) {
		texts = append(texts, raw)
		return standIn(typ, raw), nil
	}})
	if err != nil {
		return nil, err
	}
	next := func() string {
		first := texts[0]
		texts = texts[1:]
		return first
	}
	var nodes []Node
	for i := range items {
		nodes = append(nodes, newNode(&items[i], next))
	}
	return nodes, nil
}

// standIn returns a text that can be decoded where raw is a placeholder.
func standIn(typ ttlv.Type, raw string) string {
	switch {
	case strings.HasPrefix(raw, "$") && typ == ttlv.TypeByteString:
		return "00"
	case strings.HasPrefix(raw, "$") && typ == ttlv.TypeDateTime:
		return "1970-01-01T00:00:00+00:00"
	}
	return raw
}

// versionOf returns the version of the protocol that the header of a request names.
func versionOf(request *Node) (ttlv.Version, error) {
	n := request.find(ttlv.TagRequestHeader).find(ttlv.TagProtocolVersion)
	if n == nil || len(n.Nodes) != 2 {
		return 0, errors.New("the first request names no version of the protocol")
	}
	major, _ := n.Nodes[0].value.Integer()
	minor, _ := n.Nodes[1].value.Integer()
	v, ok := ttlv.VersionOf(major, minor)
	if !ok {
		return 0, fmt.Errorf("the version %d.%d of the protocol is not known", major, minor)
	}
	return v, nil
}

var shared = regexp.MustCompile(`/(SASED|TL)-M-(\d+)-(\d+)$`) // these share objects across files, in the order of the first number

// group puts cases that share objects together and finds out which values the server draws.
func group(cases []Case) ([]Group, error) {
	var groups []Group
	seen := map[string]string{}
	for _, c := range cases {
		if other, twice := seen[c.Name]; twice {
			return nil, fmt.Errorf("test case %s has the name of %s", c.File, other)
		}
		seen[c.Name] = c.File
		name := shared.ReplaceAllString(c.Name, "/$1-M-$3")
		if last := len(groups) - 1; last >= 0 && groups[last].Name == name {
			groups[last].Cases = append(groups[last].Cases, c)
			continue
		}
		groups = append(groups, Group{name, []Case{c}})
	}
	for _, g := range groups {
		markOrigins(g)
	}
	return groups, nil
}

var digits = regexp.MustCompile(`\d+`)

// sortable returns name with its numbers padded, so that CS-BC-M-2 comes before CS-BC-M-10.
func sortable(name string) string {
	return digits.ReplaceAllStringFunc(name, func(n string) string { return fmt.Sprintf("%09s", n) })
}

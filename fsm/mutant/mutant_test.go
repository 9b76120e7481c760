package mutant

import (
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// declared returns what a file gives its exported names, in their order; kind is const or var.
func declared(t *testing.T, file string, kind token.Token) (names []string, values map[string]string) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, nil, 0)
	require.NoError(t, err)
	values = map[string]string{}
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok == token.IMPORT {
			continue
		}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			require.Equal(t, kind, g.Tok, "%s in %s", v.Names[0].Name, file)
			require.Len(t, v.Names, 1)
			var text strings.Builder
			require.NoError(t, printer.Fprint(&text, set, v.Values[0]))
			if name := v.Names[0].Name; name != "Chosen" {
				names, values[name] = append(names, name), text.String()
			}
		}
	}
	return names, values
}

var capital = regexp.MustCompile(`\B[A-Z]`)

func nameOf(identifier string) string {
	return strings.ToLower(capital.ReplaceAllString(identifier, "-$0"))
}

func TestTheListTheConstantsAndTheVariablesAreTheSame(t *testing.T) {
	var listed []string
	for _, m := range All {
		listed = append(listed, m.Name)
		require.NotEmpty(t, m.Breaks, m.Name)
		require.NotEmpty(t, m.Rule, m.Name)
		require.NotEmpty(t, m.Exposed, m.Name)
	}
	off, values := declared(t, "off.go", token.CONST)
	for i, id := range off {
		require.Equal(t, "false", values[id], id)
		require.Equal(t, listed[i], nameOf(id))
	}
	on, values := declared(t, "on.go", token.VAR)
	require.Equal(t, off, on)
	for _, id := range on {
		require.Equal(t, `chosen("`+nameOf(id)+`")`, values[id])
	}
	require.Len(t, listed, len(on))
}

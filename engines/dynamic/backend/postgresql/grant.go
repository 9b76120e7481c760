package postgresql

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm/fault"
)

const limitOption = "connection_limit"

// CheckRole implements backend.Backend. A grant is what stands between GRANT and TO, such as
//
//	reader                                               membership of a role
//	SELECT ON ALL TABLES IN SCHEMA public                privileges; names without a schema are those of public
//	DEFAULT IN SCHEMA public SELECT ON TABLES            default privileges of what the administering account makes
//	DEFAULT FOR ROLE owner IN SCHEMA public USAGE ON SEQUENCES
func (Backend) CheckRole(r *backend.Role) error {
	if len(r.Grants) == 0 {
		return fault.Bad("grants", "are missing: say what an account may do, such as SELECT ON ALL TABLES IN SCHEMA public")
	}
	for i, text := range r.Grants {
		if _, err := parseGrant(text); err != nil {
			return fault.Bad("grants", "number %d %v", i+1, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Options)) {
		if name != limitOption {
			return fault.Bad("options", "%q is not one of a postgresql role: there is %s", name, limitOption)
		}
	}
	return checkLimit(r.Options)
}

func checkLimit(options map[string]string) error {
	text, given := options[limitOption]
	if n, err := strconv.ParseInt(text, 10, 32); given && (err != nil || n < 1 || text != strconv.FormatInt(n, 10)) {
		return fault.Bad("options", "%s is 1 to %d", limitOption, math.MaxInt32)
	}
	return nil
}

// grant is one that was taken apart.
type grant struct {
	scope  string // of default privileges, such as IN SCHEMA s
	what   string
	usual  bool // default privileges
	member bool // of a role: no object's access list changes
}

const (
	identifier  = `(?:"(?:[^"]|"")+"|[A-Za-z_\x{80}-\x{10ffff}][A-Za-z0-9_$\x{80}-\x{10ffff}]*)`
	identifiers = identifier + `(?:\s*,\s*` + identifier + `)*`
)

var (
	defaults  = regexp.MustCompile(`(?is)^DEFAULT\s+((?:FOR\s+(?:ROLE|USER)\s+` + identifiers + `\s+)?(?:IN\s+SCHEMA\s+` + identifiers + `\s+)?)(\S.*)$`)
	misplaced = regexp.MustCompile(`(?i)^(FOR|IN|ON)\b`) // a scope that is none, or no privileges
	quoted    = regexp.MustCompile(`"(?:[^"]|"")*"`)
	word      = regexp.MustCompile(`[A-Za-z0-9_$\x{80}-\x{10ffff}]+`)
)

// parseGrant takes a grant apart. Its errors go behind the number of the grant.
func parseGrant(text string) (grant, error) {
	text = strings.TrimSpace(text)
	bare, err := unquote(text)
	if err != nil {
		return grant{}, err
	}
	words := word.FindAllString(strings.ToUpper(bare), -1)
	switch {
	case text == "" || len(words) == 0 && !strings.Contains(text, `"`):
		return grant{}, refusal("is empty")
	case len(words) > 0 && (words[0] == "GRANT" || words[0] == "ALTER"):
		return grant{}, refusal("begins with " + words[0] + ": leave that out, it is put in front")
	case slices.Contains(words, "TO"):
		return grant{}, refusal("has a TO: leave that and what follows out, the account's name is put there")
	case len(words) == 0 || words[0] != "DEFAULT":
		return grant{what: text, member: !slices.Contains(words, "ON")}, nil
	}
	m := defaults.FindStringSubmatch(text)
	if m == nil || !slices.Contains(words, "ON") || misplaced.MatchString(m[2]) {
		return grant{}, refusal("is not DEFAULT [FOR ROLE role] [IN SCHEMA schema] privileges ON objects")
	}
	return grant{scope: m[1], what: m[2], usual: true}, nil
}

// refusal says what is wrong with a grant.
type refusal string

func (r refusal) Error() string { return string(r) }

// unquote returns text without its quoted names, and refuses what no grant has: it would end the statement, or hide what comes behind it. The server has the last word, since it takes one
// statement at a time.
func unquote(text string) (string, error) {
	bare := quoted.ReplaceAllString(text, " ")
	for _, bad := range []string{";", "--", "/*", "'", `"`, "$$", "\x00"} {
		if strings.Contains(bare, bad) {
			return "", refusal("has " + strconv.Quote(bad) + " outside of a quoted name")
		}
	}
	return bare, nil
}

// statement gives it to an account.
func (g grant) statement(account string) string {
	if g.usual {
		return "ALTER DEFAULT PRIVILEGES " + g.scope + "GRANT " + g.what + " TO " + quote(account)
	}
	return "GRANT " + g.what + " TO " + quote(account)
}

// statements gives all of a role to an account; alone says that nobody else may change access lists meanwhile.
func statements(r backend.Role, account string) (all []string, alone bool, err error) {
	for i, text := range r.Grants {
		g, err := parseGrant(text)
		if err != nil {
			return nil, false, fault.Bad("grants", "number %d %v", i+1, err)
		}
		all, alone = append(all, g.statement(account)), alone || !g.member
	}
	return all, alone, nil
}

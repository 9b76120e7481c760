package postgresql

import (
	"maps"
	"strings"
	"unicode"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm/fault"
)

const (
	defaultPort     = 5432
	defaultDatabase = "postgres"
	heirOption      = "heir"
	defaultHeir     = "trstctl_heir"
)

// CheckConfig implements backend.Backend.
func (Backend) CheckConfig(c *backend.Config) error {
	fill(c)
	if !validName(c.Database) {
		return fault.Bad("database", "is 1 to %d bytes without control characters", nameLimit)
	}
	if err := c.Check(defaultPort); err != nil {
		return err
	}
	return checkOptions(c.Options)
}

// fill fills in what was left out.
func fill(c *backend.Config) {
	if c.Database == "" {
		c.Database = defaultDatabase
	}
	if c.Options[heirOption] == "" {
		c.Options = maps.Clone(c.Options)
		if c.Options == nil {
			c.Options = map[string]string{}
		}
		c.Options[heirOption] = defaultHeir
	}
}

func validName(name string) bool {
	return name != "" && len(name) <= nameLimit && !strings.ContainsFunc(name, unicode.IsControl)
}

func checkOptions(options map[string]string) error {
	if err := backend.CheckOptions(options, "a postgresql connection", heirOption); err != nil {
		return err
	}
	heir := options[heirOption]
	if !validName(heir) || strings.HasPrefix(heir, "pg_") {
		return fault.Bad("options", "heir is the name of a role, of 1 to %d bytes, not beginning with pg_", nameLimit)
	}
	return nil
}

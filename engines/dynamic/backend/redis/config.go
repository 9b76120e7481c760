package redis

import (
	"net"
	"strconv"
	"strings"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm/fault"
)

const (
	defaultPort = 6379
	maxNodes    = 64

	optionCluster = "cluster"
	optionNodes   = "nodes"
	optionPersist = "persist"
)

// How a server keeps its users.
const (
	keepFile   = "aclfile"
	keepConfig = "config"
	keepNot    = "none"
)

// CheckConfig implements backend.Backend.
func (Backend) CheckConfig(c *backend.Config) error {
	if err := c.Check(defaultPort); err != nil {
		return err
	}
	if c.Database != "" {
		return fault.Bad("database", "is not for redis: its users have none")
	}
	if err := backend.CheckOptions(c.Options, "a redis connection", optionCluster, optionNodes, optionPersist); err != nil {
		return err
	}
	switch v := c.Options[optionCluster]; v {
	case "", "true", "false":
	default:
		return fault.Bad("options", "cluster is true or false")
	}
	switch c.Options[optionPersist] {
	case "", keepFile, keepConfig, keepNot:
	default:
		return fault.Bad("options", "persist is %s, %s or %s", keepFile, keepConfig, keepNot)
	}
	_, err := furtherNodes(c.Options[optionNodes])
	return err
}

// furtherNodes reads a list of host:port.
func furtherNodes(list string) (all []node, err error) {
	if list == "" {
		return nil, nil
	}
	for _, part := range strings.Split(list, ",") {
		host, port, err := net.SplitHostPort(strings.TrimSpace(part))
		n, bad := strconv.ParseUint(port, 10, 16)
		check := backend.Config{Host: host, Port: uint16(n), TLS: backend.Disable}
		if err != nil || bad != nil || n == 0 || check.Check(defaultPort) != nil || len(all) == maxNodes {
			return nil, fault.Bad("options", "nodes is a list of at most %d host:port, separated by commas", maxNodes)
		}
		all = append(all, node{host, port})
	}
	return all, nil
}

// CheckRole implements backend.Backend. What is refused would let an account do more than a rule can bound: change users or the server, or read what others are sent.
func (Backend) CheckRole(r *backend.Role) error {
	if err := backend.CheckOptions(r.Options, "a redis role", "(there is none)"); err != nil {
		return err
	}
	all, commands := rules(*r), 0
	for i, rule := range all {
		if err := checkRule(rule); err != nil {
			return fault.Bad("grants", "rule %d: %v", i+1, err)
		}
		if rule[0] == '+' {
			commands++
		}
	}
	if commands == 0 {
		return fault.Bad("grants", "allow no command: give some, such as +@read or +get")
	}
	return nil
}

func rules(r backend.Role) (all []string) {
	for _, g := range r.Grants {
		all = append(all, strings.Fields(g)...)
	}
	return all
}

// unbounded are commands and categories that no role has: with them an account could make others, or the server its own.
var unbounded = []string{"@all", "@admin", "@dangerous", "acl", "config", "cluster", "module", "debug", "shutdown", "replicaof", "slaveof", "migrate", "client", "monitor", "sync", "psync", "failover", "restore-asking",
	"replconf", "bgsave", "bgrewriteaof", "save", "latency", "slowlog"}

// harmless are the subcommands of those that say something about the caller alone.
var harmless = []string{"acl|whoami", "client|getname", "client|setname", "client|id", "client|info", "client|reply", "client|setinfo", "client|tracking", "client|trackinginfo", "client|caching",
	"client|getredir", "client|no-evict", "client|no-touch", "cluster|slots", "cluster|shards", "cluster|nodes", "cluster|keyslot", "cluster|info", "cluster|myid", "cluster|countkeysinslot"}

func checkRule(rule string) error {
	switch {
	case strings.ContainsAny(rule, "\r\n\x00\"'\\()"):
		return fault.Bad("grants", "has a character that no rule has")
	case rule == "allkeys" || rule == "allchannels":
		return nil
	case rule[0] == '~' || rule[0] == '&':
		return longer(rule, 1)
	case strings.HasPrefix(rule, "%R~"), strings.HasPrefix(rule, "%W~"):
		return longer(rule, 3)
	case strings.HasPrefix(rule, "%RW~"):
		return longer(rule, 4)
	case rule[0] == '-':
		return checkCommand(rule[1:])
	case rule[0] == '+':
		if err := checkCommand(rule[1:]); err != nil {
			return err
		}
		return bounded(strings.ToLower(rule[1:]))
	}
	return fault.Bad("grants", "begins with none of + - ~ %%R~ %%W~ %%RW~ &: passwords and states of accounts are not a role's to set")
}

func longer(rule string, n int) error {
	if len(rule) <= n {
		return fault.Bad("grants", "has no pattern")
	}
	return nil
}

func checkCommand(name string) error {
	if name == "" || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789@|._-") != "" {
		return fault.Bad("grants", "names no command or category")
	}
	return nil
}

func bounded(name string) error {
	for _, h := range harmless {
		if name == h {
			return nil
		}
	}
	for _, u := range unbounded {
		if first, _, _ := strings.Cut(name, "|"); first == u {
			return fault.Bad("grants", "%s would let an account change users or the server itself: name the commands that it needs", name)
		}
	}
	return nil
}

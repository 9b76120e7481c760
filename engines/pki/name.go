package pki

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/trstctl/trstctl/fsm/fault"
)

// names are what a certificate is for.
type names struct {
	common string // "": none
	dns    []string
	ips    []netip.Addr
	uris   []string
	emails []string
}

func (n names) count() int { return len(n.dns) + len(n.ips) + len(n.uris) + len(n.emails) }

// all lists the names as people know them.
func (n names) all() []string {
	out := slices.Clone(n.dns)
	for _, a := range n.ips {
		out = append(out, a.String())
	}
	return append(append(out, n.uris...), n.emails...)
}

// printable checks a part of a subject: text without control characters, of at most that many characters.
func printable(field, s string, most int) error {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > most || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.TrimSpace(s) != s {
		return fault.Bad(field, "is at most %d printable characters, without space around them", most)
	}
	return nil
}

// dnsName checks a host's name (RFC 1123, section 2.1; RFC 5280, section 4.2.1.6) and returns it in small letters. Names in other scripts come in their ASCII form (xn--).
func dnsName(field, s string) (string, error) {
	s = strings.ToLower(s)
	labels := strings.Split(s, ".")
	for _, l := range labels {
		if len(l) == 0 || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.ContainsFunc(l, notLDH) {
			return "", fault.Bad(field, "%q is not a host name: letters, digits and dashes between dots, 63 characters each at most", cut(s))
		}
	}
	if last := labels[len(labels)-1]; len(s) > 253 || !strings.ContainsFunc(last, func(r rune) bool { return r < '0' || r > '9' }) {
		return "", fault.Bad(field, "%q is not a host name", cut(s))
	}
	return s, nil
}

func notLDH(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }

// hostName is dnsName, or one whose first label is "*".
func hostName(field, s string) (name string, wild bool, err error) {
	rest, wild := strings.CutPrefix(s, "*.")
	name, err = dnsName(field, rest)
	if err == nil && wild {
		if !strings.Contains(name, ".") {
			return "", true, fault.Bad(field, "%q is a wildcard over a whole top-level domain", cut(s))
		}
		name = "*." + name
	}
	return name, wild, err
}

func cut(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}

// emailName checks an address as it stands in certificates (RFC 5280, section 4.2.1.6: ASCII alone), and returns it with its domain in small letters.
func emailName(field, s string) (string, error) {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(local) > 64 || strings.ContainsFunc(local, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~.", r)
	}) {
		return "", fault.Bad(field, "%q is not an e-mail address", cut(s))
	}
	domain, err := dnsName(field, domain)
	return local + "@" + domain, err
}

// uriName checks an absolute URI with a host, without credentials in it, and returns it unchanged.
func uriName(field, s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil || len(s) > 512 || u.String() != s {
		return "", fault.Bad(field, "%q is not an absolute URI with a host, such as spiffe://example.org/web", cut(s))
	}
	for _, part := range strings.Split(u.EscapedPath(), "/") {
		if part == "." || part == ".." {
			return "", fault.Bad(field, "%q has a path with dots for a segment", cut(s))
		}
	}
	return s, nil
}

// identityMark stands in a role's patterns for the identity of the caller, which is then taken as it is: a star in it is a star.
const identityMark = "${identity}"

// pattern matches text: "*" any characters but those of stop, "**" any at all, and the identity's mark the identity.
func matches(pattern, text, identity, stop string) bool {
	for pattern != "" {
		switch {
		case strings.HasPrefix(pattern, identityMark):
			rest, ok := strings.CutPrefix(text, identity)
			if !ok || identity == "" {
				return false
			}
			pattern, text = pattern[len(identityMark):], rest
		case pattern[0] == '*':
			rest := strings.TrimLeft(pattern, "*")
			return matchesStar(rest, text, identity, stop, len(pattern)-len(rest) > 1)
		case text == "" || pattern[0] != text[0]:
			return false
		default:
			pattern, text = pattern[1:], text[1:]
		}
	}
	return text == ""
}

func matchesStar(pattern, text, identity, stop string, all bool) bool {
	for i := 1; i <= len(text); i++ { // a star stands for something
		if !all && strings.ContainsRune(stop, rune(text[i-1])) {
			return false
		}
		if matches(pattern, text[i:], identity, stop) {
			return true
		}
	}
	return false
}

// maxStars bounds the stars of a pattern: each may be tried at every place of a name.
const maxStars = 3

// checkPatterns checks patterns of a role.
func checkPatterns(field string, all []string) error {
	if len(all) > maxNames {
		return fault.Bad(field, "are %d at most", maxNames)
	}
	for _, p := range all {
		stars := strings.Count(strings.ReplaceAll(p, "**", "*"), "*")
		if err := printable(field, p, 256); err != nil || p == "" || stars > maxStars || strings.Contains(strings.ReplaceAll(p, identityMark, ""), "${") {
			return fault.Bad(field, "a pattern has 1 to 256 printable characters, %d stars at most, and no template but %s", maxStars, identityMark)
		}
	}
	return nil
}

// fits reports whether one of the patterns matches.
func fits(patterns []string, text, identity, stop string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, text, identity, stop) })
}

package sdk

import (
	"net/url"
	"strconv"
	"strings"
)

// join appends path to a route, segment by segment escaped. A path that a router would rewrite is refused here, where the message
// can name it.
func join(route, field, path string) (string, error) {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		switch s {
		case "":
			return "", invalid(field, "%q has an empty segment: neither a leading, a trailing nor a double slash is allowed", path)
		case ".", "..":
			return "", invalid(field, "%q has a segment %q", path, s)
		}
		segments[i] = url.PathEscape(s)
	}
	return route + "/" + strings.Join(segments, "/"), nil
}

// joinName appends a name, which is one segment, to a route.
func joinName(route, field, name string) (string, error) {
	if strings.Contains(name, "/") {
		return "", invalid(field, "%q holds a slash", name)
	}
	return join(route, field, name)
}

// params builds a query. Empty strings, zero numbers and false are left out.
type params url.Values

func (p params) text(key, v string) params {
	if v != "" {
		url.Values(p).Set(key, v)
	}
	return p
}

func (p params) number(key string, v uint64) params {
	if v != 0 {
		url.Values(p).Set(key, strconv.FormatUint(v, 10))
	}
	return p
}

func (p params) flag(key string, v bool) params {
	if v {
		url.Values(p).Set(key, "true")
	}
	return p
}

// cas is sent whenever it is given: 0 means "must not exist".
func (p params) cas(v *uint64) params {
	if v != nil {
		url.Values(p).Set("cas", strconv.FormatUint(*v, 10))
	}
	return p
}

package api

// lookThrough is how many of an engine's pages a list looks through for one of its own.
const lookThrough = 10

// pager reads an engine's page of what comes after after, and returns where to go on, "" at the end.
type pager[T any] func(after string, limit int) (items []T, next string, err error)

// shown gathers up to limit items that are not hidden. The cursor is the name of one that is shown, so that it tells nothing of the others;
// only where thousands in a row are hidden is it the last one that was looked at, for the next call has to get on.
func shown[T any](after string, limit int, page pager[T], name func(T) string, hidden func(string) bool) (out []T, next string, err error) {
	size := min(limit+1, maxLimit) // one more shows whether there is more
	for range lookThrough {
		items, more, err := page(after, size)
		if err != nil {
			return nil, "", err
		}
		for _, it := range items {
			switch {
			case hidden(name(it)):
			case len(out) == limit:
				return out, name(out[limit-1]), nil
			default:
				out = append(out, it)
			}
		}
		if more == "" {
			return out, "", nil
		}
		after, size = more, maxLimit
	}
	if n := len(out); n > 0 {
		after = name(out[n-1])
	}
	return out, after, nil
}

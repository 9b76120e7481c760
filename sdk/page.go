package sdk

import (
	"iter"
)

// Page is one answer of a list. An empty NextCursor says that it is the last; a page may be empty and not the last.
type Page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor"`
}

// Slice selects a page: at most Limit items (0 leaves it to the node) after Cursor ("" is the start).
type Slice struct {
	Cursor string
	Limit  int
}

func (s Slice) params() params {
	return params{}.text("cursor", s.Cursor).number("limit", uint64(max(s.Limit, 0)))
}

// All walks the pages that fetch returns, from the start to the end. It stops after the first error.
func All[T any](fetch func(cursor string) (Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for cursor := ""; ; {
			page, err := fetch(cursor)
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			if cursor = page.NextCursor; cursor == "" {
				return
			}
		}
	}
}

package main

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

// sliceFlags adds --limit and --cursor to a list.
func sliceFlags(c *cobra.Command) *sdk.Slice {
	s := &sdk.Slice{}
	c.Flags().IntVar(&s.Limit, "limit", 0, "show one page of at most this many; without it everything is shown")
	c.Flags().StringVar(&s.Cursor, "cursor", "", "start where an earlier page ended: the next_cursor of -o json")
	return s
}

// gather fetches one page if --limit asks for one, all of them otherwise.
func gather[T any](a *app, c *cobra.Command, s *sdk.Slice, fetch func(sdk.Slice) (sdk.Page[T], error)) (sdk.Page[T], error) {
	all := sdk.Page[T]{Items: []T{}}
	if s.Limit < 0 {
		return all, usagef("--limit is negative")
	}
	next := *s
	for {
		page, err := fetch(next)
		if err != nil {
			return all, err
		}
		all.Items = append(all.Items, page.Items...)
		if next.Cursor = page.NextCursor; next.Cursor == "" {
			return all, nil
		}
		if s.Limit > 0 {
			all.NextCursor = next.Cursor
			fmt.Fprintf(a.err, "there is more: repeat the command with --cursor %s\n", shellWord(next.Cursor))
			return all, nil
		}
	}
}

// shellWord quotes s for a POSIX shell where it needs that.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_./@", r)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return "'" + strings.ReplaceAll(clean(s), "'", `'\''`) + "'"
	}
	return s
}

func rowsOf[T any](items []T, row func(T) []string) [][]string {
	rows := make([][]string, 0, len(items))
	for _, i := range items {
		rows = append(rows, row(i))
	}
	return rows
}

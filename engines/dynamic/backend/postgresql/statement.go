package postgresql

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// quote makes an identifier.
func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// literal makes a string, for standard_conforming_strings.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func moment(t time.Time) string {
	return literal(t.UTC().Format("2006-01-02 15:04:05.000000") + "+00")
}

// run sends statements in one go, by the extended protocol: each is one statement, whatever is in it. (pgx sends those without arguments by the simple protocol, which takes many.)
// After an error, nothing of a transaction that was open is left.
func run(ctx context.Context, c *pgx.Conn, statements ...string) error {
	batch := &pgconn.Batch{}
	for _, s := range statements {
		batch.ExecParams(s, nil, nil, nil, nil)
	}
	err := c.PgConn().ExecBatch(ctx, batch).Close()
	if err != nil && !c.IsClosed() && c.PgConn().TxStatus() != 'I' {
		err = errors.Join(err, c.PgConn().Exec(ctx, "ROLLBACK").Close())
	}
	return err
}

// texts asks for rows of one column.
func texts(ctx context.Context, c *pgx.Conn, query string, arguments ...any) ([]string, error) {
	rows, err := c.Query(ctx, query, arguments...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// lockName waits for whoever else holds the lock of a name, and holds it until the transaction ends. Names are drawn: nobody who could hold it knows one before there is such a role.
func lockName(name string) string {
	return "SELECT pg_advisory_xact_lock(hashtextextended(" + literal(lockText(name)) + ", 0))"
}

func lockText(name string) string { return "trstctl account " + name }

const tries = 12

// again calls f, in turn if it changes access lists, and some more times while others get in its way.
func (s *session) again(ctx context.Context, inTurn bool, f func() error) (err error) {
	if inTurn {
		select {
		case s.turn <- struct{}{}:
			defer func() { <-s.turn }()
		case <-ctx.Done():
			return s.explain("wait for other changes of grants", ctx.Err())
		}
	}
	for range tries {
		if err = f(); !inTheWay(err) {
			return err
		}
		if pause(ctx, rand.N(50*time.Millisecond)) != nil {
			return err
		}
	}
	return err
}

// inTheWay reports whether a transaction failed because of another one.
func inTheWay(err error) bool {
	var r *refused
	if !errors.As(err, &r) {
		return false
	}
	switch r.code {
	case "40001", "40P01": // serialization, deadlock
		return true
	case "XX000": // two changed the same access list
		return strings.Contains(r.message, "concurrently")
	}
	return false
}

// pause returns ctx's error if it ends before.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

package kmip

import (
	"context"
	"errors"
	"time"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// Stage carries out the items of one batch, on a view of its own: what one has done the next one sees, and nobody else.
type Stage interface {
	// Do carries out an operation and returns its response payload, nil for an empty one. A *Refusal or a fault is the operation's; it has changed nothing then.
	Do(ctx context.Context, version ttlv.Version, operation uint32, payload *ttlv.Item) (*ttlv.Item, error)
}

// Runner has do carry out a request on a stage, and makes what was done there so, as one entry, unless do fails: then nothing was done. It may call do again with another
// stage, when the state moved on; the last call counts. When the runner fails, nothing was done, or nobody knows.
type Runner func(ctx context.Context, r *Request, do func(Stage) error) error

// errUndone is do's when a batch is to leave nothing.
var errUndone = errors.New("the batch is undone")

// carryOut carries out a batch, one item after the other. With Stop nothing comes behind an item that has failed; what came before it holds. With Continue the
// rest is carried out too. With Undo nothing holds unless all of it has succeeded.
func carryOut(ctx context.Context, s Stage, r *Request) (results []Result, err error) {
	failed := false
	for i := range r.Items {
		res := one(ctx, s, r, &r.Items[i])
		results = append(results, res)
		if failed = failed || res.Refused != nil; failed && r.Continuation != ttlv.BatchErrorContinuationOptionContinue {
			break
		}
	}
	if failed && r.Continuation == ttlv.BatchErrorContinuationOptionUndo {
		return undone(results), errUndone
	}
	return results, nil
}

func one(ctx context.Context, s Stage, r *Request, it *Item) Result {
	if it.refused != nil {
		return Result{Refused: it.refused}
	}
	span, known := ttlv.EnumSpan(ttlv.TagOperation, it.Operation)
	if !known || !span.Has(r.Version) {
		return Result{Refused: refuse(ttlv.ResultReasonOperationNotSupported, "version %s knows no such operation", r.Version)}
	}
	if r.Asynchronous {
		return Result{Refused: refuse(ttlv.ResultReasonFeatureNotSupported, "every operation is answered at once: none is carried out behind the answer")}
	}
	payload, err := s.Do(ctx, r.Version, it.Operation, it.Payload)
	if err != nil {
		return Result{Refused: refusalOf(err)}
	}
	return Result{Payload: payload}
}

func undone(results []Result) []Result {
	for i := range results {
		if results[i].Refused == nil {
			results[i].Payload.Wipe()
			results[i] = Result{Undone: true}
		}
	}
	return results
}

// lost has nothing succeeded: what was read in a batch that was not committed may rest on what was not.
func lost(results []Result, why *Refusal) []Result {
	for i := range results {
		if results[i].Refused == nil {
			results[i].Payload.Wipe()
			results[i] = Result{Refused: why}
		}
	}
	return results
}

// Handle answers a message. The error is about the answer, which could not be written; whoever has it ends the connection.
func Handle(ctx context.Context, m *ttlv.Item, run Runner, now time.Time) ([]byte, error) {
	r, bad := parse(m)
	if bad != nil {
		out := refusal(r, bad, now)
		return ttlv.Marshal(&out, ttlv.Limits{})
	}
	var results []Result
	err := run(ctx, r, func(s Stage) (err error) {
		wipe(results)
		results, err = carryOut(ctx, s, r)
		return err
	})
	switch {
	case err != nil && !errors.Is(err, errUndone) && results == nil:
		out := refusal(r, refusalOf(err), now)
		return ttlv.Marshal(&out, ttlv.Limits{})
	case err != nil && !errors.Is(err, errUndone):
		results = lost(results, refusalOf(err))
	}
	return write(r, results, now)
}

func wipe(results []Result) {
	for i := range results {
		results[i].Payload.Wipe()
	}
}

// write writes an answer that is no longer than the client takes. What was done holds all the same: the client asks again with a larger bound, or for less.
func write(r *Request, results []Result, now time.Time) ([]byte, error) {
	out := answer(r, results, now)
	defer out.Wipe()
	b, err := ttlv.Marshal(&out, ttlv.Limits{Size: min(r.MaxResponse, ttlv.DefaultSize)})
	var e *ttlv.Error
	if !errors.As(err, &e) || e.Kind != ttlv.TooLarge {
		return b, err
	}
	short := answer(r, []Result{{Refused: refuse(ttlv.ResultReasonResponseTooLarge, "the response is longer than the maximum response size")}}, now)
	return ttlv.Marshal(&short, ttlv.Limits{})
}

// unreadable answers what could not be read as a message at all.
func unreadable(e *ttlv.Error, now time.Time) ([]byte, error) {
	out := refusal(&Request{Version: versions[1]}, refuse(ttlv.ResultReasonInvalidMessage, "%v", e), now)
	return ttlv.Marshal(&out, ttlv.Limits{})
}

package kmip

import (
	"context"
	"errors"
	"time"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// Stage carries out the items of one batch, on a view of its own: what one has done the next one sees, and nobody else before Commit.
type Stage interface {
	// Do carries out an operation and returns its response payload, nil for an empty one. A *Refusal or a fault is the operation's; it has changed nothing then.
	Do(ctx context.Context, version ttlv.Version, operation uint32, payload *ttlv.Item) (*ttlv.Item, error)
	// Commit makes what was done so, as one entry of the log. When it fails, nothing was done, or nobody knows.
	Commit(ctx context.Context) error
}

// carryOut carries out a batch, one item after the other. With Stop nothing comes behind an item that has failed; what came before it holds. With Continue the
// rest is carried out too. With Undo nothing holds unless all of it has succeeded.
func carryOut(ctx context.Context, s Stage, r *Request) []Result {
	results := make([]Result, 0, len(r.Items))
	failed := false
	for i := range r.Items {
		res := one(ctx, s, r, &r.Items[i])
		results = append(results, res)
		if failed = failed || res.Refused != nil; failed && r.Continuation != ttlv.BatchErrorContinuationOptionContinue {
			break
		}
	}
	if failed && r.Continuation == ttlv.BatchErrorContinuationOptionUndo {
		return undone(results)
	}
	if err := s.Commit(ctx); err != nil {
		return lost(results, refusalOf(err))
	}
	return results
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
func Handle(ctx context.Context, m *ttlv.Item, begin func(context.Context, *Request) (Stage, error), now time.Time) ([]byte, error) {
	r, bad := parse(m)
	if bad == nil {
		stage, err := begin(ctx, r)
		if err == nil {
			return write(r, carryOut(ctx, stage, r), now)
		}
		bad = refusalOf(err)
	}
	out := refusal(r, bad, now)
	return ttlv.Marshal(&out, ttlv.Limits{})
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
	short := refusal(r, refuse(ttlv.ResultReasonResponseTooLarge, "the response is longer than the maximum response size"), now)
	return ttlv.Marshal(&short, ttlv.Limits{})
}

// unreadable answers what could not be read as a message at all.
func unreadable(e *ttlv.Error, now time.Time) ([]byte, error) {
	out := refusal(&Request{Version: versions[1]}, refuse(ttlv.ResultReasonInvalidMessage, "%v", e), now)
	return ttlv.Marshal(&out, ttlv.Limits{})
}

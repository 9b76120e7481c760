package sdk

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// body keeps what a fake was sent, and answers with v.
func body(into *string, v any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		*into = string(b)
		_ = json.NewEncoder(w).Encode(v)
	}
}

// TestAUseIsRepeatedOnAnotherNode: freely, without a key, and at no level, since it takes none.
func TestAUseIsRepeatedOnAnotherNode(t *testing.T) {
	for name, broken := range map[string]http.HandlerFunc{"sealed": refuse(503, Sealed), "unknown": refuse(504, OutcomeUnknown), "cut": hangUp} {
		first, second := newFake(t, broken), newFake(t, answer(Encrypted{Ciphertext: "trv:1:AAAA", Version: 1}))
		c := client(t, first, second).Reading(Read{At: Stale, MaxStale: time.Second})
		c.session.saw("1.7")
		out, err := c.Encrypt(t.Context(), "k", EncryptItem{Plaintext: []byte("x")})
		require.NoError(t, err, name)
		require.Equal(t, Encrypted{Ciphertext: "trv:1:AAAA", Version: 1}, out)
		asked := second.requests()[0]
		require.Equal(t, "/api/v1/transit/encrypt/k", asked.target)
		require.Empty(t, asked.key+asked.index)
	}
	_, err := client(t, newFake(t, hangUp)).Decrypt(atOnce(t), "k", DecryptItem{Ciphertext: "trv:1:AAAA"})
	require.Equal(t, NotDone, KindOf(err), "nothing about a use is in doubt")
}

func atOnce(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func TestABatchAnswersEachItemInItsPlace(t *testing.T) {
	var sent string
	f := newFake(t, body(&sent, map[string]any{"items": []any{
		map[string]any{"plaintext": ""}, map[string]any{"error": map[string]any{"kind": "invalid", "detail": "is missing", "field": "ciphertext"}}, map[string]any{"plaintext": "/wA="}}}))
	out, err := client(t, f).DecryptBatch(t.Context(), "k", []DecryptItem{{Ciphertext: "a", Bound: Bound{Context: []byte("c")}}, {}, {Ciphertext: "b", Bits: 128}})
	require.NoError(t, err)
	require.JSONEq(t, `{"items":[{"ciphertext":"a","context":"Yw=="},{"ciphertext":""},{"ciphertext":"b","bits":128}]}`, sent)
	require.Len(t, out, 3)
	require.Nil(t, out[0].Err)
	require.Empty(t, out[0].Plaintext)
	require.EqualError(t, out[1].Err, "ciphertext: is missing")
	require.Equal(t, Invalid, KindOf(out[1].Err))
	require.Equal(t, []byte{0xff, 0}, out[2].Plaintext)

	_, err = client(t, f).DecryptBatch(t.Context(), "k", make([]DecryptItem, 2))
	require.ErrorContains(t, err, "answered 3 items of 2")
	for _, n := range []int{0, MaxBatch + 1} {
		_, err = client(t, f).DecryptBatch(t.Context(), "k", make([]DecryptItem, n))
		require.Equal(t, Invalid, KindOf(err))
	}
	_, err = client(t, f).SignBatch(t.Context(), "a/b", make([]SignItem, 1))
	require.Equal(t, Invalid, KindOf(err))
}

// TestBatches asks every kind of batch, of one item.
func TestBatches(t *testing.T) {
	ctx := t.Context()
	for op, call := range map[string]func(*Client) (int, error){
		"encrypt":           func(c *Client) (int, error) { return count(c.EncryptBatch(ctx, "k", make([]EncryptItem, 1))) },
		"rewrap":            func(c *Client) (int, error) { return count(c.RewrapBatch(ctx, "k", make([]RewrapItem, 1))) },
		"datakey":           func(c *Client) (int, error) { return count(c.DataKeyBatch(ctx, "k", make([]DataKeyItem, 1), false)) },
		"datakey-plaintext": func(c *Client) (int, error) { return count(c.DataKeyBatch(ctx, "k", make([]DataKeyItem, 1), true)) },
		"sign":              func(c *Client) (int, error) { return count(c.SignBatch(ctx, "k", make([]SignItem, 1))) },
		"verify":            func(c *Client) (int, error) { return count(c.VerifyBatch(ctx, "k", make([]VerifyItem, 1))) },
		"hmac":              func(c *Client) (int, error) { return count(c.HMACBatch(ctx, "k", make([]HMACItem, 1))) },
	} {
		var sent string
		f := newFake(t, body(&sent, map[string]any{"items": []any{map[string]any{}}}))
		n, err := call(client(t, f))
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, "/api/v1/transit/"+op+"/k", f.requests()[0].target)
		require.NotContains(t, sent, "null", op)
	}
}

func count[T any](all []T, err error) (int, error) { return len(all), err }

func TestWhatKeysAreAskedToBecome(t *testing.T) {
	yes, day, two := true, 24*time.Hour, uint64(2)
	for want, call := range map[string]func(context.Context, *Client) error{
		`{}`: func(ctx context.Context, c *Client) error {
			_, err := c.CreateTransitKey(ctx, "k", TransitSpec{})
			return err
		},
		`{"algorithm":"ed25519","derived":true,"convergent_encryption":true,"exportable":true,"auto_rotate_period":"24h0m0s"}`: func(ctx context.Context, c *Client) error {
			_, err := c.CreateTransitKey(ctx, "k", TransitSpec{"ed25519", true, true, TransitSettings{Exportable: &yes, RotateEvery: &day}})
			return err
		},
		`{"min_decryption_version":2,"deletion_allowed":true}`: func(ctx context.Context, c *Client) error {
			_, err := c.ConfigureTransitKey(ctx, "k", TransitChange{MinDecrypt: &two, TransitSettings: TransitSettings{Deletable: &yes}})
			return err
		},
		`{"min_available_version":2}`: func(ctx context.Context, c *Client) error {
			_, err := c.TrimTransitKey(ctx, "k", 2)
			return err
		},
		`{"algorithm":"hmac-sha256","wrapped_key":"AA==","hash":"sha1","next_version":true}`: func(ctx context.Context, c *Client) error {
			_, err := c.ImportTransitKey(ctx, "k", TransitImport{TransitSpec: TransitSpec{Algorithm: "hmac-sha256"}, Wrapped: []byte{0}, Hash: "sha1", Next: true})
			return err
		},
		`{"plaintext":""}`: func(ctx context.Context, c *Client) error {
			_, err := c.Encrypt(ctx, "k", EncryptItem{})
			return err
		},
		`{"input":"aGk=","hash":"sha2-512","prehashed":true,"encoding":"jws"}`: func(ctx context.Context, c *Client) error {
			_, err := c.Sign(ctx, "k", SignItem{Input: []byte("hi"), Signing: Signing{Hash: "sha2-512", Prehashed: true, Encoding: "jws"}})
			return err
		},
		`{"backup":"AQ=="}`: func(ctx context.Context, c *Client) error {
			_, err := c.RestoreTransitKey(ctx, "k", []byte{1})
			return err
		},
	} {
		var sent string
		require.NoError(t, call(t.Context(), client(t, newFake(t, body(&sent, TransitVersion{"k", 1})))))
		require.JSONEq(t, want, sent)
	}
}

func TestRandomIsSomething(t *testing.T) {
	_, err := client(t, newFake(t, hangUp)).Random(t.Context(), 0)
	require.Equal(t, Invalid, KindOf(err), "0 would be the node's default")
}

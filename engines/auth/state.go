package auth

import (
	"fmt"
	"time"

	"github.com/trstctl/trstctl/fsm"
)

// Ref names a token without authenticating.
type Ref struct {
	Tenant   fsm.UID `cbor:"1,keyasint"`
	Accessor string  `cbor:"2,keyasint"`
}

// Token is what is known about a token beside its secret.
type Token struct {
	Accessor   string   `cbor:"1,keyasint"`
	Tenant     fsm.UID  `cbor:"2,keyasint"`
	Name       string   `cbor:"3,keyasint,omitempty"`
	Identity   string   `cbor:"4,keyasint"`           // Name, or "token:" and the accessor
	Policies   []string `cbor:"5,keyasint,omitempty"` // of Tenant
	Parent     *Ref     `cbor:"6,keyasint,omitempty"` // nil for an orphan
	Created    fsm.Time `cbor:"7,keyasint"`
	Expires    fsm.Time `cbor:"8,keyasint"` // dead from this moment on
	MaxExpires fsm.Time `cbor:"9,keyasint"` // no renewal goes beyond it
	Renewable  bool     `cbor:"10,keyasint,omitempty"`
	Revoked    bool     `cbor:"11,keyasint,omitempty"` // it or an ancestor was revoked
}

// Ref returns the token's name.
func (t Token) Ref() Ref { return Ref{t.Tenant, t.Accessor} }

// row is a token as it is stored. Its Token.Revoked speaks of the token itself only.
type row struct {
	Token  Token         `cbor:"1,keyasint"`
	Hash   [32]byte      `cbor:"2,keyasint"`
	Life   time.Duration `cbor:"3,keyasint"`
	Dies   fsm.Time      `cbor:"4,keyasint"` // when it expires, or was revoked
	Answer fsm.Sealed    `cbor:"5,keyasint"`
	Epoch  uint32        `cbor:"6,keyasint,omitempty"` // of the history that it was issued in; 0 stands for the first
}

var (
	tokens   = fsm.NewTable[row]("auth.token")    // key: tenant, accessor
	hashes   = fsm.NewTable[Ref]("auth.hash")     // key: SHA-256 of the secret form
	expiries = fsm.NewTable[Ref]("auth.expiry")   // key: Dies, tenant, accessor
	tallies  = fsm.NewTable[uint64]("auth.tally") // key: tenant, hour of expiry -> tokens that were not revoked
)

// Register makes the events of this feature known.
func Register(r *fsm.Registry) {
	fsm.On(r, applyIssued)
	fsm.On(r, applyRenewed)
	fsm.On(r, applyRevoked)
	fsm.On(r, applyForgotten)
	fsm.On(r, applyEnded)
}

func (e Issued) token(tenant fsm.UID) Token {
	return Token{Accessor: e.Accessor, Tenant: tenant, Name: e.Name, Identity: e.Identity, Policies: e.Policies, Parent: e.Parent,
		Created: e.Created, Expires: e.Expires, MaxExpires: e.MaxExpires, Renewable: e.Renewable}
}

func applyIssued(tx *fsm.Tx, m fsm.Meta, e Issued) error {
	next := row{Token: e.token(m.Tenant), Hash: e.Hash, Life: e.Life, Dies: e.Expires, Answer: e.Answer}
	if now := fsm.Epoch(tx); now > fsm.FirstEpoch {
		next.Epoch = now
	}
	if err := hashes.Put(tx, fsm.K(e.Hash[:]), next.Token.Ref()); err != nil {
		return err
	}
	return put(tx, next)
}

func applyRenewed(tx *fsm.Tx, m fsm.Meta, e Renewed) error {
	at, err := take(tx, Ref{m.Tenant, e.Accessor})
	if err != nil {
		return err
	}
	at.Token.Expires, at.Dies = e.Expires, e.Expires
	return put(tx, at)
}

// applyRevoked also makes the stored answer to the creator unreadable: a repeated request must not hand out a dead secret.
func applyRevoked(tx *fsm.Tx, m fsm.Meta, e Revoked) error {
	at, err := take(tx, Ref{m.Tenant, e.Accessor})
	if err != nil {
		return err
	}
	if err := tx.Destroy(at.Answer); err != nil {
		return err
	}
	at.Token.Revoked, at.Dies = true, min(m.At, at.Dies)
	return put(tx, at)
}

func applyForgotten(tx *fsm.Tx, m fsm.Meta, e Forgotten) error {
	at, err := take(tx, Ref{m.Tenant, e.Accessor})
	if err != nil {
		return err
	}
	if err := tx.Destroy(at.Answer); err != nil {
		return err
	}
	return hashes.Delete(tx, fsm.K(at.Hash[:]))
}

// put writes a row with its place in the indexes.
func put(tx *fsm.Tx, next row) error {
	ref := next.Token.Ref()
	if err := tokens.Put(tx, ref.key(), next); err != nil {
		return err
	}
	if err := expiries.Put(tx, next.expiryKey(), ref); err != nil {
		return err
	}
	return tally(tx, next, 1)
}

// take removes a row and its place in the indexes, all but the hash. Every entry that brings such an event guards the
// token's stream, so a missing row is a defect.
func take(tx *fsm.Tx, ref Ref) (row, error) {
	at, found, err := tokens.Get(tx, ref.key())
	if err == nil && !found {
		err = fmt.Errorf("token %s does not exist", ref.Accessor)
	}
	if err != nil {
		return row{}, err
	}
	if err := tokens.Delete(tx, ref.key()); err != nil {
		return row{}, err
	}
	if err := expiries.Delete(tx, at.expiryKey()); err != nil {
		return row{}, err
	}
	return at, tally(tx, at, -1)
}

// applyEnded forgets the tallies of the tokens that a restore has ended. Their rows stay until they expire: an epoch ends them, not a walk.
func applyEnded(tx *fsm.Tx, _ fsm.Meta, _ Ended) error {
	var all []fsm.Key
	err := tallies.Scan(tx, fsm.Span{}, func(k fsm.Key, _ uint64) (bool, error) {
		all = append(all, append(fsm.Key(nil), k...))
		return true, nil
	})
	for i := 0; i < len(all) && err == nil; i++ {
		err = tallies.Delete(tx, all[i])
	}
	return err
}

// epoch is the history that the token was issued in.
func (r row) epoch() uint32 { return max(r.Epoch, fsm.FirstEpoch) }

// seen is the token as others may see it: one of an earlier epoch is as dead as a revoked one.
func (r row) seen(in fsm.Reader) Token {
	t := r.Token
	t.Revoked = t.Revoked || r.epoch() != fsm.Epoch(in)
	return t
}

func (r Ref) key() fsm.Key { return fsm.K(r.Tenant, r.Accessor) }

func (r row) expiryKey() fsm.Key { return fsm.K(r.Dies, r.Token.Tenant, r.Token.Accessor) }

// hour is the tally that a token which expires at t counts in.
func hour(t fsm.Time) uint64 { return uint64(t) / uint64(time.Hour) }

// tally counts a token in (n = 1) or out (n = -1), unless it was revoked or an epoch has ended it.
func tally(tx *fsm.Tx, at row, n int) error {
	t := at.seen(tx)
	if t.Revoked {
		return nil
	}
	k := fsm.K(t.Tenant, hour(t.Expires))
	held, _, err := tallies.Get(tx, k)
	if err != nil {
		return err
	}
	if held += uint64(n); held == 0 {
		return tallies.Delete(tx, k)
	}
	return tallies.Put(tx, k, held)
}

// living returns how many tokens of tenant were neither revoked nor have expired before the hour of now began. It reads
// one row for each hour in which any of them expires, 769 at most.
func living(r fsm.Reader, tenant fsm.UID, now fsm.Time) (n uint64, err error) {
	span := fsm.Span{Prefix: fsm.K(tenant)}
	if h := hour(now); h > 0 {
		span.After = fsm.K(tenant, h-1)
	}
	err = tallies.Scan(r, span, func(_ fsm.Key, held uint64) (bool, error) {
		n += held
		return true, nil
	})
	return n, err
}

package pki

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// edition is a CRL: of an issuer, in a slot of time, after so many revocations. Two nodes with the same state have the same editions, whose content is the same.
type edition struct {
	issuer fsm.UID
	cert   string // a certificate that has been renewed signs anew
	epoch  uint32
	slot   int64 // when it began, in seconds
	count  uint64
	delta  bool
}

// number grows with the epoch, the slot and the count, in that order (RFC 5280, section 5.2.3: 20 bytes at most).
func number(epoch uint32, slot int64, count uint64) *big.Int {
	n := new(big.Int).SetUint64(uint64(epoch))
	n.Lsh(n, 48).Or(n, big.NewInt(slot))
	return n.Lsh(n, 48).Or(n, new(big.Int).SetUint64(count))
}

// crlsKept is how many CRLs a node keeps ready.
const crlsKept = 32

// crls keeps CRLs that were asked for. What is kept is asked for by what it says, so it is never old.
type crls struct {
	mu   sync.Mutex // guards kept
	kept map[edition]func() ([]byte, error)
}

// get returns a CRL, which build makes if it is not there: once, whoever waits.
func (c *crls) get(at edition, build func() ([]byte, error)) ([]byte, error) {
	c.mu.Lock()
	f := c.kept[at]
	if f == nil {
		if c.kept == nil || len(c.kept) >= crlsKept {
			c.kept = map[edition]func() ([]byte, error){}
		}
		f = sync.OnceValues(build)
		c.kept[at] = f
	}
	c.mu.Unlock()
	der, err := f()
	if err != nil {
		c.mu.Lock()
		delete(c.kept, at)
		c.mu.Unlock()
	}
	return der, err
}

// maxRevoked bounds a CRL: beyond that no client would fetch it.
const maxRevoked = 1_000_000

// CRL returns the CRL of an issuer of any tenant, in DER, and until when it is good. A delta has what was revoked since its slot began (RFC 5280, section 5.2.4).
// fault.NotFound when there is no such issuer, or it has expired.
func (e *Engine) CRL(v *fsm.View, uid fsm.UID, delta bool) (der []byte, next time.Time, err error) {
	p, err := publisher(v, uid)
	if err != nil {
		return nil, next, err
	}
	now := e.time(v).Std()
	if now.After(p.cert.NotAfter) {
		return nil, next, fault.New(fault.NotFound, "the issuer has expired")
	}
	slot := now.Truncate(p.row.Settings.crlSlot())
	next = slot.Add(p.row.Settings.CRLValidity)
	at := edition{uid, string(p.row.Chain[0]), fsm.Epoch(v), slot.Unix(), p.row.Revocations, delta}
	der, err = e.crls.get(at, func() ([]byte, error) {
		t, err := p.list(v, at, slot)
		if err != nil {
			return nil, err
		}
		t.ThisUpdate, t.NextUpdate = later(slot, p.row.Revoked.Std()).Truncate(time.Second), next
		key, err := e.signer(v, p.tenant, p.row)
		if err != nil {
			return nil, err
		}
		return p.sign(t, key)
	})
	return der, next, err
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

var (
	oidDelta    = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidFreshest = asn1.ObjectIdentifier{2, 5, 29, 46}
)

// list is what an edition says. Certificates stay in it for a slot beyond their end (RFC 5280, section 3.3).
func (p published) list(v *fsm.View, at edition, slot time.Time) (*x509.RevocationList, error) {
	t := &x509.RevocationList{Number: number(at.epoch, at.slot, at.count)}
	from := fsm.At(slot.Add(-p.row.Settings.crlSlot()))
	since := uint64(0) // the slot began
	err := revoked.Scan(v, fsm.Span{Prefix: fsm.K(p.row.UID)}, func(k fsm.Key, row revokedRow) (bool, error) {
		fresh := row.At > fsm.At(slot)
		if fresh {
			since++
		}
		if row.NotAfter <= from || at.delta && !fresh {
			return true, nil
		}
		serial, err := textAt(k, tenantSize)
		if err != nil {
			return false, err
		}
		n, ok := new(big.Int).SetString(serial, 16)
		if !ok {
			return false, fault.New(fault.Corrupt, "a serial number of the PKI's tables cannot be read")
		}
		t.RevokedCertificateEntries = append(t.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: n, RevocationTime: row.At.Std().Truncate(time.Second), ReasonCode: row.Reason})
		return len(t.RevokedCertificateEntries) < maxRevoked, nil
	})
	if err != nil {
		return nil, err
	}
	t.ExtraExtensions, err = p.extensions(at, since)
	slices.SortFunc(t.RevokedCertificateEntries, func(a, b x509.RevocationListEntry) int {
		return bytes.Compare(a.SerialNumber.Bytes(), b.SerialNumber.Bytes())
	})
	return t, err
}

// extensions say of a delta on what it rests, the edition with which its slot began, and of a full one where the delta is.
func (p published) extensions(at edition, since uint64) ([]pkix.Extension, error) {
	if at.delta {
		base, err := asn1.Marshal(number(at.epoch, at.slot, at.count-since))
		return []pkix.Extension{{Id: oidDelta, Critical: true, Value: base}}, err
	}
	if p.row.Settings.URL == "" {
		return nil, nil
	}
	points, err := asn1.Marshal([]distributionPoint{{distributionName{[]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(p.row.place("crl/delta"))}}}}})
	return []pkix.Extension{{Id: oidFreshest, Value: points}}, err
}

// distributionPoint is that of RFC 5280, section 4.2.1.13, as far as it is needed.
type distributionPoint struct {
	Name distributionName `asn1:"tag:0"`
}

type distributionName struct {
	Full []asn1.RawValue `asn1:"tag:0"`
}

package suite

import (
	"bytes"
	"encoding/asn1"
	"math/big"

	"github.com/trstctl/trstctl/fsm/fault"
)

// sec1 is ECPrivateKey (RFC 5915, section 3).
type sec1 struct {
	Version    int
	PrivateKey []byte
	Curve      asn1.RawValue  `asn1:"optional,explicit,tag:0"`
	Public     asn1.BitString `asn1:"optional,explicit,tag:1"`
}

func (k *Key) readSEC1() error { return k.takeSEC1(k.source.Material, nil) }

// takeSEC1 takes the curve from outside, inside, or both if they agree. A public key that comes along must be the private key's.
func (k *Key) takeSEC1(der, parameters []byte) error {
	var s sec1
	if err := unmarshal(der, &s); err != nil {
		return err
	}
	defer clear(s.PrivateKey)
	inside := s.Curve.Bytes // of the explicit tag: the whole identifier
	if len(s.Curve.FullBytes) > 0 && parameters != nil && !bytes.Equal(inside, parameters) || s.Version != 1 {
		return badMaterial()
	}
	if parameters == nil {
		parameters = inside
	}
	c, err := curveOf(parameters)
	if err != nil {
		return err
	}
	p, ok := newPoint(c, s.PrivateKey)
	if !ok || s.Public.BitLength != 0 && (s.Public.BitLength%8 != 0 || !p.same(s.Public.Bytes)) {
		return badMaterial()
	}
	k.ec = p
	return k.settle(EC, c.bits)
}

func (k *Key) takePoint(c *curve, public []byte) error {
	if len(public) != 1+2*c.width() || public[0] != 4 || !c.on.valid(public) {
		return badMaterial()
	}
	k.ec = &point{curve: c, public: bytes.Clone(public)}
	return k.settle(EC, c.bits)
}

// sec1 is written with the public key, and with the curve where nothing around it says that.
func (p *point) sec1(named bool) ([]byte, error) {
	s := sec1{Version: 1, PrivateKey: p.scalar, Public: asn1.BitString{Bytes: p.public, BitLength: 8 * len(p.public)}}
	if named {
		s.Curve = asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: p.curve.parameters().FullBytes}
	}
	return marshal(s)
}

func (k *Key) writeSEC1(b *Block) (err error) {
	b.Material, err = k.ec.sec1(true)
	return err
}

// readTransparentEC is KMIP 1.4, section 2.1.7.16, and the names before 1.3, sections 2.1.7.10 and 2.1.7.12.
func (k *Key) readTransparentEC() error {
	f := &k.source.Fields
	c, err := f.Curve.find()
	if err != nil {
		return err
	}
	d, good := positive(f.D, c.bits)
	if !good {
		return badMaterial()
	}
	defer wipeInts(d)
	scalar := d.FillBytes(make([]byte, c.width()))
	defer clear(scalar)
	p, ok := newPoint(c, scalar)
	if !ok {
		return badMaterial()
	}
	k.ec = p
	return k.settleNamed(c)
}

func (k *Key) readTransparentECPublic() error {
	c, err := k.source.Fields.Curve.find()
	if err != nil {
		return err
	}
	if err := k.takePoint(c, k.source.Fields.QString); err != nil {
		return err
	}
	return k.settleNamed(c)
}

// settleNamed also checks that a format for ECDSA holds no key for ECDH, and the reverse.
func (k *Key) settleNamed(c *curve) error {
	f := k.source.Format
	signs, agrees := f == TransparentECDSAPrivate || f == TransparentECDSAPublic, f == TransparentECDHPrivate || f == TransparentECDHPublic
	switch {
	case k.alg == 0 && signs:
		k.alg = ECDSA
	case k.alg == 0 && agrees:
		k.alg = ECDH
	case k.alg == ECDSA && agrees || k.alg == ECDH && signs:
		return fault.Bad("key_format_type", "a key of type %s does not have this format", k.alg)
	}
	return k.settle(EC, c.bits)
}

func (k *Key) writeTransparentEC(b *Block) error {
	f := b.Format
	if k.alg == ECDSA && (f == TransparentECDHPrivate || f == TransparentECDHPublic) || k.alg == ECDH && (f == TransparentECDSAPrivate || f == TransparentECDSAPublic) {
		return badFormat()
	}
	b.Fields.Curve = k.ec.curve.id
	if k.class == PublicKey {
		b.Fields.QString = bytes.Clone(k.ec.public)
		return nil
	}
	d := new(big.Int).SetBytes(k.ec.scalar)
	defer wipeInts(d)
	b.Fields.D = integer(d)
	return nil
}

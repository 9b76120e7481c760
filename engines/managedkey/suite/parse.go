package suite

import (
	"bytes"
	"slices"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Parse reads a key block, of which it keeps a copy. What does not fit its algorithm, length or format is Invalid; the error tells nothing of the
// material. Keys in the format Opaque and byte strings of algorithms that nothing is done with here (Camellia, DSA, DH and others) are taken as they are,
// and are not Usable. Transparent DSA, DH and ECMQV keys, PKCS#12, encrypted PKCS#8 and compressed points are refused.
func Parse(b Block) (*Key, error) {
	if err := tooLong("key material", b.Material, MaxMaterial); err != nil {
		return nil, err
	}
	if b.Length < 0 {
		return nil, badLength()
	}
	k := &Key{class: b.Class, alg: b.Algorithm, bits: b.Length, source: b.clone()}
	if err := k.read(); err != nil {
		k.Wipe()
		return nil, err
	}
	return k, nil
}

func (k *Key) read() error {
	switch {
	case k.class != SymmetricKey && k.class != PublicKey && k.class != PrivateKey:
		return fault.Bad("object_type", "an object of this type has no key that is parsed here")
	case k.source.Format == Opaque || k.stored():
		return k.readStored()
	case k.class == SymmetricKey:
		return k.readSymmetric()
	}
	read, ok := readers[form{k.class, k.source.Format}]
	if !ok {
		return badFormat()
	}
	if err := read(k); err != nil {
		return err
	}
	k.usable = true
	return nil
}

// stored reports whether the algorithm is one that nothing is done with here.
func (k *Key) stored() bool {
	switch k.alg.family() {
	case 0, RSA, EC, Ed25519:
		return k.class == SymmetricKey && k.alg != 0
	}
	_, symmetric := symmetrics[k.alg]
	return k.class != SymmetricKey || !symmetric
}

// readStored takes a byte string as it is. What the format says is not looked at, but asymmetric names of symmetric keys are refused, and the reverse.
func (k *Key) readStored() error {
	_, symmetric := symmetrics[k.alg]
	family := k.alg.family()
	asymmetric := family == RSA || family == EC || family == Ed25519 || family == DSA
	formats := []Format{Raw, Opaque, PKCS1, PKCS8, X509}
	if k.class == SymmetricKey {
		formats = []Format{Raw, Opaque}
	}
	switch {
	case k.class == SymmetricKey && asymmetric || k.class != SymmetricKey && symmetric:
		return fault.Bad("cryptographic_algorithm", "a key of type %s is another type of object", k.alg)
	case !slices.Contains(formats, k.source.Format):
		return badFormat()
	case len(k.source.Material) == 0:
		return badMaterial()
	}
	return nil
}

// form is a format of a class of objects.
type form struct {
	class  Class
	format Format
}

// readers are the formats that asymmetric keys are read in.
var readers = map[form]func(*Key) error{
	{PrivateKey, PKCS1}:                   (*Key).readPKCS1,
	{PublicKey, PKCS1}:                    (*Key).readPKCS1Public,
	{PrivateKey, PKCS8}:                   (*Key).readPKCS8,
	{PublicKey, X509}:                     (*Key).readSPKI,
	{PrivateKey, ECPrivateKey}:            (*Key).readSEC1,
	{PrivateKey, TransparentRSAPrivate}:   (*Key).readTransparentRSA,
	{PublicKey, TransparentRSAPublic}:     (*Key).readTransparentRSAPublic,
	{PrivateKey, TransparentECPrivate}:    (*Key).readTransparentEC,
	{PublicKey, TransparentECPublic}:      (*Key).readTransparentECPublic,
	{PrivateKey, TransparentECDSAPrivate}: (*Key).readTransparentEC,
	{PublicKey, TransparentECDSAPublic}:   (*Key).readTransparentECPublic,
	{PrivateKey, TransparentECDHPrivate}:  (*Key).readTransparentEC,
	{PublicKey, TransparentECDHPublic}:    (*Key).readTransparentECPublic,
	{PrivateKey, Raw}:                     (*Key).readEdRaw,
	{PublicKey, Raw}:                      (*Key).readEdRaw,
}

// settle fills in what the block left out and refuses what it said wrongly. EC stands for ECDSA and ECDH too.
func (k *Key) settle(a Algorithm, bits int) error {
	if k.alg == 0 {
		k.alg = a
	}
	if k.alg.family() != a {
		return fault.Bad("cryptographic_algorithm", "the key material is not that of a key of type %s", k.alg)
	}
	if k.bits == 0 {
		k.bits = bits
	}
	if k.bits != bits {
		return badLength()
	}
	return nil
}

func badMaterial() error {
	return fault.Bad("key_material", "this is no key of the algorithm, or is not written as the format asks")
}

func badFormat() error {
	return fault.Bad("key_format_type", "keys of this object type and algorithm are not read or written in this format")
}

func badLength() error {
	return fault.Bad("cryptographic_length", "the length does not go with the algorithm or the key material")
}

// writers are the formats that usable keys are written in; which of them a key has, Formats says.
var writers = map[form]func(*Key, *Block) error{
	{SymmetricKey, Raw}:                   (*Key).writeRaw,
	{SymmetricKey, TransparentSymmetric}:  (*Key).writeTransparent,
	{PrivateKey, PKCS1}:                   (*Key).writePKCS1,
	{PublicKey, PKCS1}:                    (*Key).writePKCS1,
	{PrivateKey, PKCS8}:                   (*Key).writePKCS8,
	{PublicKey, X509}:                     (*Key).writeSPKI,
	{PrivateKey, ECPrivateKey}:            (*Key).writeSEC1,
	{PrivateKey, TransparentRSAPrivate}:   (*Key).writeTransparentRSA,
	{PublicKey, TransparentRSAPublic}:     (*Key).writeTransparentRSA,
	{PrivateKey, TransparentECPrivate}:    (*Key).writeTransparentEC,
	{PublicKey, TransparentECPublic}:      (*Key).writeTransparentEC,
	{PrivateKey, TransparentECDSAPrivate}: (*Key).writeTransparentEC,
	{PublicKey, TransparentECDSAPublic}:   (*Key).writeTransparentEC,
	{PrivateKey, TransparentECDHPrivate}:  (*Key).writeTransparentEC,
	{PublicKey, TransparentECDHPublic}:    (*Key).writeTransparentEC,
	{PrivateKey, Raw}:                     (*Key).writeEdRaw,
	{PublicKey, Raw}:                      (*Key).writeEdRaw,
}

// formats are what keys of a family are written in, the one that is meant if none is asked for first: PKCS#1 for RSA, as KMIP has it; what most software reads
// for the rest.
var formats = map[Algorithm]map[Class][]Format{
	RSA: {PrivateKey: {PKCS1, PKCS8, TransparentRSAPrivate}, PublicKey: {PKCS1, X509, TransparentRSAPublic}},
	EC: {
		PrivateKey: {ECPrivateKey, PKCS8, TransparentECPrivate, TransparentECDSAPrivate, TransparentECDHPrivate},
		PublicKey:  {X509, TransparentECPublic, TransparentECDSAPublic, TransparentECDHPublic},
	},
	Ed25519: {PrivateKey: {PKCS8, Raw}, PublicKey: {X509, Raw}},
}

// Formats returns the formats that Block can write the key in, the default first. A key that is not Usable has the one that it came in.
func (k *Key) Formats() []Format {
	switch {
	case !k.usable:
		return []Format{k.source.Format}
	case k.class == SymmetricKey:
		return []Format{Raw, TransparentSymmetric}
	}
	return slices.Clone(formats[k.alg.family()][k.class])
}

// Block writes the key in a format, 0 for the one that it came in, which gives back exactly what came. The result is the caller's to wipe.
func (k *Key) Block(f Format) (Block, error) {
	if f == 0 || f == k.source.Format {
		b := k.source.clone()
		b.Algorithm, b.Length = k.alg, k.bits
		return b, nil
	}
	b := Block{Class: k.class, Format: f, Algorithm: k.alg, Length: k.bits}
	if !slices.Contains(k.Formats(), f) {
		return Block{}, badFormat()
	}
	if err := writers[form{k.class, f}](k, &b); err != nil {
		return Block{}, err
	}
	return b, nil
}

// same reports whether two keys are the same public key or symmetric key in the same class.
func (k *Key) same(other *Key) bool {
	a, errA := k.identity()
	b, errB := other.identity()
	defer clear(a)
	defer clear(b)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

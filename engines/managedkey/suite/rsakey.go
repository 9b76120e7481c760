package suite

import (
	"crypto/rsa"
	"crypto/x509"
	"math/big"

	"github.com/trstctl/trstctl/fsm/fault"
)

// The sizes of RSA keys that are read, in bits. Keys under 2048 are for what exists: none is made unless SmallRSA is allowed.
const minRSA, maxRSA = 1024, 8192

// maxFactored is the largest modulus that is factored by its exponents: that takes a big exponentiation for each try.
const maxFactored = 4096

const primalityTests = 8 // Miller-Rabin rounds, behind which math/big puts a Baillie-PSW test

func (k *Key) readPKCS1() error       { return k.takePKCS1(k.source.Material) }
func (k *Key) readPKCS1Public() error { return k.takePKCS1Public(k.source.Material) }

func (k *Key) takePKCS1(der []byte) error {
	private, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil {
		return badMaterial()
	}
	return k.takeRSA(private)
}

func (k *Key) takePKCS1Public(der []byte) error {
	public, err := x509.ParsePKCS1PublicKey(der)
	if err != nil {
		return badMaterial()
	}
	return k.takeRSAPublic(public)
}

// takeRSA takes a key of two factors. That they multiply to the modulus and go with the exponents crypto/rsa has checked; Sound checks that they are prime.
func (k *Key) takeRSA(private *rsa.PrivateKey) error {
	if len(private.Primes) != 2 || private.Validate() != nil {
		wipeRSA(private)
		return badMaterial()
	}
	k.rsa = private
	return k.takeRSAPublic(&private.PublicKey)
}

func (k *Key) takeRSAPublic(public *rsa.PublicKey) error {
	bits := public.N.BitLen()
	if bits < minRSA || bits > maxRSA {
		return fault.Bad("cryptographic_length", "RSA keys have %d to %d bits", minRSA, maxRSA)
	}
	if public.N.Bit(0) == 0 || public.E < 3 || public.E%2 == 0 {
		return badMaterial()
	}
	k.rsaPublic = public
	return k.settle(RSA, bits)
}

// Sound checks what Parse has no time for, since keys are parsed for each use and registered once: that the factors of an RSA key are primes. It takes up
// to some seconds for the largest keys.
func (k *Key) Sound() error {
	if k.rsa == nil {
		return nil
	}
	for _, p := range k.rsa.Primes {
		if !p.ProbablyPrime(primalityTests) {
			return badMaterial()
		}
	}
	return nil
}

func (k *Key) writePKCS1(b *Block) error {
	if k.class == PrivateKey {
		b.Material = x509.MarshalPKCS1PrivateKey(k.rsa)
	} else {
		b.Material = x509.MarshalPKCS1PublicKey(k.rsaPublic)
	}
	return nil
}

func (k *Key) writeTransparentRSA(b *Block) error {
	b.Fields = Fields{Modulus: integer(k.rsaPublic.N), PublicExponent: integer(big.NewInt(int64(k.rsaPublic.E)))}
	if k.class == PrivateKey {
		f, p := &b.Fields, &k.rsa.Precomputed
		f.PrivateExponent, f.P, f.Q = integer(k.rsa.D), integer(k.rsa.Primes[0]), integer(k.rsa.Primes[1])
		f.PrimeExponentP, f.PrimeExponentQ, f.CRTCoefficient = integer(p.Dp), integer(p.Dq), integer(p.Qinv)
	}
	return nil
}

func (k *Key) readTransparentRSAPublic() error {
	f := &k.source.Fields
	n, good := positive(f.Modulus, maxRSA)
	e, fine := positive(f.PublicExponent, 31)
	if !good || !fine {
		return badMaterial()
	}
	return k.takeRSAPublic(&rsa.PublicKey{N: n, E: int(e.Int64())})
}

package suite

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Certificate is what the attributes of a certificate object say (KMIP 1.4, sections 3.8 to 3.15; KMIP 2.1, section 4.8).
type Certificate struct {
	Subject, Issuer Name
	Serial          []byte   // the INTEGER in DER, as the published cases have it
	SerialText      string   // the number in hexadecimal: "9BBA23D1B6A48F97"
	AlternativeName [][]byte // of the subject, each a GeneralName in DER
	Length          int      // bytes
	Signature       SignatureAlgorithm
	NotBefore       time.Time
	NotAfter        time.Time
	SPKI            []byte // SubjectPublicKeyInfo in DER: Block{Class: PublicKey, Format: X509}
}

// Name is a distinguished name: in DER, as a string (RFC 4514), and its values by KMIP 2.1's Certificate Attributes.
type Name struct {
	Raw                                                                   []byte
	Text                                                                  string
	CN, O, OU, Email, C, ST, L, UID, SerialNumber, Title, DC, DNQualifier []string
}

type certificate struct {
	TBS       tbsCertificate
	Algorithm identifier
	Signature asn1.BitString
}

// tbsCertificate is RFC 5280, section 4.1.2.
type tbsCertificate struct {
	Version       int `asn1:"optional,explicit,default:0,tag:0"`
	Serial        *big.Int
	Algorithm     identifier
	Issuer        asn1.RawValue
	Validity      struct{ NotBefore, NotAfter time.Time }
	Subject       asn1.RawValue
	Public        asn1.RawValue
	IssuerUnique  asn1.BitString   `asn1:"optional,tag:1"`
	SubjectUnique asn1.BitString   `asn1:"optional,tag:2"`
	Extensions    []pkix.Extension `asn1:"omitempty,optional,explicit,tag:3"`
}

func badCertificate() error {
	return fault.Bad("certificate_value", "this is no X.509 certificate in DER")
}

// ParseCertificate reads an X.509 certificate in DER. It does not verify it, and takes any public key, also one that nothing here can use: PublicKey
// says whether that is so.
func ParseCertificate(der []byte) (Certificate, error) {
	if err := tooLong("a certificate", der, MaxMaterial); err != nil {
		return Certificate{}, err
	}
	der = bytes.Clone(der)
	var c certificate
	if unmarshal(der, &c) != nil || c.TBS.Serial == nil {
		return Certificate{}, badCertificate()
	}
	t := &c.TBS
	out := Certificate{Length: len(der), NotBefore: t.Validity.NotBefore, NotAfter: t.Validity.NotAfter,
		SPKI: t.Public.FullBytes, Signature: signatureName(c.Algorithm)}
	var err error
	if out.Serial, err = marshal(t.Serial); err != nil {
		return Certificate{}, err
	}
	out.SerialText = fmt.Sprintf("%X", t.Serial.FillBytes(make([]byte, max(1, (t.Serial.BitLen()+7)/8))))
	if out.Subject, err = nameOf(t.Subject.FullBytes); err != nil {
		return Certificate{}, err
	}
	if out.Issuer, err = nameOf(t.Issuer.FullBytes); err != nil {
		return Certificate{}, err
	}
	out.AlternativeName, err = alternatives(t.Extensions)
	return out, err
}

// PublicKey is the certificate's, Invalid if nothing here can use it.
func (c *Certificate) PublicKey() (*Key, error) {
	return Parse(Block{Class: PublicKey, Format: X509, Material: c.SPKI})
}

// oidSubjectAltName is RFC 5280, section 4.2.1.6.
var oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

func alternatives(extensions []pkix.Extension) (all [][]byte, err error) {
	for _, e := range extensions {
		if !e.Id.Equal(oidSubjectAltName) {
			continue
		}
		var names []asn1.RawValue
		if unmarshal(e.Value, &names) != nil {
			return nil, badCertificate()
		}
		for _, n := range names {
			all = append(all, n.FullBytes)
		}
	}
	return all, nil
}

// signatureOIDs are RFC 8017, appendix A.2.4; RFC 5758, sections 3.1 and 3.2.
var signatureOIDs = []struct {
	oid  asn1.ObjectIdentifier
	name SignatureAlgorithm
}{
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5}, SHA1WithRSA},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 14}, SHA224WithRSA},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, SHA256WithRSA},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}, SHA384WithRSA},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}, SHA512WithRSA},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}, RSASSAPSS},
	{asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 3}, DSAWithSHA1},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 1}, DSAWithSHA224},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 2}, DSAWithSHA256},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}, ECDSAWithSHA1},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 1}, ECDSAWithSHA224},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, ECDSAWithSHA256},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}, ECDSAWithSHA384},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}, ECDSAWithSHA512},
}

// signatureName is KMIP's number, 0 if it has none: Ed25519.
func signatureName(id identifier) SignatureAlgorithm {
	for _, s := range signatureOIDs {
		if s.oid.Equal(id.Algorithm) {
			return s.name
		}
	}
	return 0
}

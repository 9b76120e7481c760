package suite

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func someCertificate(t testing.TB) []byte {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	subject := pkix.Name{CommonName: "sub,ject", Organization: []string{"Org", "Other"}, OrganizationalUnit: []string{"Unit"}, Country: []string{"CH"}, Locality: []string{"Bern"},
		Province: []string{"BE"}, SerialNumber: "17", ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: "a@example.org"}, {Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}, Value: "example"}}}
	template := &x509.Certificate{SerialNumber: new(big.Int).SetBytes([]byte{0xff, 1}), Subject: subject, NotBefore: time.Unix(1700000000, 0), NotAfter: time.Unix(2700000000, 0),
		DNSNames: []string{"a.example.org", "b.example.org"}, SignatureAlgorithm: x509.ECDSAWithSHA384}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	require.NoError(t, err)
	return der
}

func TestCertificate(t *testing.T) {
	der := someCertificate(t)
	c, err := ParseCertificate(der)
	require.NoError(t, err)
	theirs, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	require.Equal(t, theirs.RawSubject, c.Subject.Raw)
	require.Equal(t, "DC=example,emailAddress=a@example.org,SERIALNUMBER=17,CN=sub\\,ject,OU=Unit,O=Org+O=Other,L=Bern,ST=BE,C=CH", c.Subject.Text)
	require.Equal(t, []string{"sub,ject"}, c.Subject.CN)
	require.Equal(t, []string{"Org", "Other"}, c.Subject.O)
	require.Equal(t, []string{"a@example.org"}, c.Issuer.Email)
	require.Equal(t, []string{"example"}, c.Issuer.DC)
	require.Equal(t, []string{"17"}, c.Subject.SerialNumber)
	require.Equal(t, []byte{2, 3, 0, 0xff, 1}, c.Serial)
	require.Equal(t, "FF01", c.SerialText)
	require.Equal(t, len(der), c.Length)
	require.Equal(t, ECDSAWithSHA384, c.Signature)
	require.Equal(t, theirs.NotAfter, c.NotAfter)
	require.Equal(t, theirs.NotBefore, c.NotBefore)
	require.Equal(t, "820d"+hex.EncodeToString([]byte("a.example.org")), hex.EncodeToString(c.AlternativeName[0]))
	require.Len(t, c.AlternativeName, 2)
	require.Equal(t, theirs.RawSubjectPublicKeyInfo, c.SPKI)
	k, err := c.PublicKey()
	require.NoError(t, err)
	require.Equal(t, P256, k.Curve())
}

// TestCertificateOfSecp256k1 is TC-ECC-3-12's.
func TestCertificateOfSecp256k1(t *testing.T) {
	c, err := ParseCertificate(unhex(t, `
		308201d53082017aa003020102020900ec0b7402196d5295300a06082a8648ce3d0403023048310b3009060355040613025553310d300b060355040a0c0454455354310e300c
		060355040b0c054f41534953311a301806035504030c114b4d49502d45432d736563703235366b31301e170d3133303632353130333331315a170d3233303632333130333331
		315a3048310b3009060355040613025553310d300b060355040a0c0454455354310e300c060355040b0c054f41534953311a301806035504030c114b4d49502d45432d736563
		703235366b313056301006072a8648ce3d020106052b8104000a03420004dab5d3c253113db414abfc1c0ebf5a02559e656aa1c8b0aa8d870aa0324cda4899925ea1e6dbc259
		a6c7825cf46592ac7594cc40bd604b728d88b636f317d366a350304e301d0603551d0e04160414a098d4bba8817f7e95068c875fbec850b3e177a0301f0603551d2304183016
		8014a098d4bba8817f7e95068c875fbec850b3e177a0300c0603551d13040530030101ff300a06082a8648ce3d0403020349003046022100e9cd14b63e3e57dd26ddfba77a3e
		d1d05b3721454f617509dff3b9af02d4f5ae022100c9afef9344b8f8b12c525b4618dc3621bce7f8b390ac01ffbe686cc7641c76bb`))
	require.NoError(t, err)
	require.Equal(t, "CN=KMIP-EC-secp256k1,OU=OASIS,O=TEST,C=US", c.Subject.Text)
	require.Equal(t, c.Subject, c.Issuer)
	require.Equal(t, "020900ec0b7402196d5295", hex.EncodeToString(c.Serial))
	require.Equal(t, "EC0B7402196D5295", c.SerialText)
	require.Equal(t, ECDSAWithSHA256, c.Signature)
	k, err := c.PublicKey()
	require.NoError(t, err)
	require.Equal(t, SECP256K1, k.Curve())
}

func TestCertificatesThatAreNone(t *testing.T) {
	der := someCertificate(t)
	for n := range len(der) {
		_, err := ParseCertificate(der[:n])
		require.Error(t, err)
		classified(t, err)
	}
	_, err := ParseCertificate(append(der, 0))
	bad(t, "certificate_value", err)
	_, err = ParseCertificate(make([]byte, MaxMaterial+1))
	classified(t, err)
}

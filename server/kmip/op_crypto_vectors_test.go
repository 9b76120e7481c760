package kmip

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

const (
	knownKey = "0123456789abcdef0123456789abcdef"
	oneBlock = "01020304050607080910111213141516"
	bothWays = managedkey.UseEncrypt | managedkey.UseDecrypt
)

var (
	ecb = []any{ttlv.TagBlockCipherMode, ttlv.BlockCipherModeECB}
	cbc = []any{ttlv.TagBlockCipherMode, ttlv.BlockCipherModeCBC, ttlv.TagPaddingMethod, ttlv.PaddingMethodPKCS5}
	gcm = []any{ttlv.TagBlockCipherMode, ttlv.BlockCipherModeGCM}
)

// TestCiphersGiveThePublishedValues is CS-BC-M-6, 10, 11 and GCM-1 and 2: both ways.
func TestCiphersGiveThePublishedValues(t *testing.T) {
	l := newLab(t, Caller{})
	for name, c := range map[string]struct {
		key, plain, sealed string
		params, both       []ttlv.Item // what both requests have
		tag                []ttlv.Item
	}{
		"ECB": {knownKey, oneBlock, "d9bcce11b0b437b90239552df3a360c9", []ttlv.Item{paramsItem(ecb...)}, nil, nil},
		"CBC": {knownKey, oneBlock + oneBlock + "01", "79abc5c23868ad84d388ce61110a62742bda19d694bbcb757dd06617c0d80fb1df2e71864ad9633d7d797e30860df00d",
			[]ttlv.Item{paramsItem(cbc...)}, []ttlv.Item{hexItem(t, ttlv.TagIVCounterNonce, oneBlock)}, nil},
		"GCM of nothing": {"00000000000000000000000000000000", "", "", []ttlv.Item{paramsItem(gcm...)},
			[]ttlv.Item{hexItem(t, ttlv.TagIVCounterNonce, "000000000000000000000000"), hexItem(t, ttlv.TagAuthenticatedEncryptionAdditionalData, "")},
			[]ttlv.Item{hexItem(t, ttlv.TagAuthenticatedEncryptionTag, "58e2fccefa7e3061367f1d57a4e7455a")}},
		"GCM with a short tag": {"00000000000000000000000000000000", "00000000000000000000000000000000", "0388dace60b6a392f328c2b971b2fe78",
			[]ttlv.Item{paramsItem(append(gcm, ttlv.TagTagLength, 12)...)}, []ttlv.Item{hexItem(t, ttlv.TagIVCounterNonce, "000000000000000000000000")},
			[]ttlv.Item{hexItem(t, ttlv.TagAuthenticatedEncryptionTag, "ab6e47d42cec13bdf53a67b2")}},
		"GCM with additional data": {"feffe9928665731c6d6a8f9467308308",
			"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
			"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091", []ttlv.Item{paramsItem(gcm...)},
			[]ttlv.Item{hexItem(t, ttlv.TagIVCounterNonce, "cafebabefacedbaddecaf888"),
				hexItem(t, ttlv.TagAuthenticatedEncryptionAdditionalData, "feedfacedeadbeeffeedfacedeadbeefabaddad2")},
			[]ttlv.Item{hexItem(t, ttlv.TagAuthenticatedEncryptionTag, "5bc94fbc3221a5db94fae95ae7121a47")}},
	} {
		t.Run(name, func(t *testing.T) {
			id := l.aes(c.key, bothWays)
			plain, sealed := hexItem(t, ttlv.TagData, c.plain), hexItem(t, ttlv.TagData, c.sealed)
			request := func(data ttlv.Item, more []ttlv.Item) (all []ttlv.Item) {
				return append(append(append(append(all, c.params...), data), c.both...), more...)
			}
			l.must(ttlv.OperationEncrypt, id, request(plain, nil), append([]ttlv.Item{sealed}, c.tag...))
			l.must(ttlv.OperationDecrypt, id, request(sealed, c.tag), []ttlv.Item{plain})
		})
	}
}

// TestAnIVThatIsMadeIsInTheAnswer is CS-BC-M-13: the object says that it is.
func TestAnIVThatIsMadeIsInTheAnswer(t *testing.T) {
	l := newLab(t, Caller{})
	yes := true
	id := l.aes(knownKey, bothWays, always(managedkey.Parameters{BlockMode: 1, Padding: 3, RandomIV: &yes}))
	out, why := l.ask(ttlv.V14, ttlv.OperationEncrypt, idItem(id), hexItem(t, ttlv.TagData, oneBlock+"01"))
	require.Nil(t, why)
	require.Len(t, out.Items(), 3)
	require.Equal(t, ttlv.TagIVCounterNonce, out.Items()[2].Tag)
	sealed := out.Items()[1]
	l.refused(ttlv.OperationDecrypt, ttlv.ResultReasonInvalidMessage, ttlv.ResultReasonInvalidMessage, idItem(id), sealed)
	l.must(ttlv.OperationDecrypt, id, out.Items()[1:], []ttlv.Item{hexItem(t, ttlv.TagData, oneBlock+"01")})
	again, why := l.ask(ttlv.V14, ttlv.OperationEncrypt, idItem(id), hexItem(t, ttlv.TagData, oneBlock+"01"))
	require.Nil(t, why)
	require.False(t, out.Equal(again))
}

// TestMACAndHashGiveThePublishedValues is CS-AC-M-4 to 7.
func TestMACAndHashGiveThePublishedValues(t *testing.T) {
	l := newLab(t, Caller{})
	data, mac := hexItem(t, ttlv.TagData, oneBlock), "c911e78196d64c30f631bb079ea37b97a95936d4da764d6a171df030c895ecf9"
	id := l.aes(knownKey, managedkey.UseMACGenerate|managedkey.UseMACVerify,
		always(managedkey.Parameters{Algorithm: managedkey.Algorithm(ttlv.CryptographicAlgorithmHMACSHA256)}))
	valid, invalid := validity(true), validity(false)
	l.must(ttlv.OperationMAC, id, []ttlv.Item{data}, []ttlv.Item{hexItem(t, ttlv.TagMACData, mac)})
	l.must(ttlv.OperationMACVerify, id, []ttlv.Item{data, hexItem(t, ttlv.TagMACData, mac)}, []ttlv.Item{valid})
	for _, wrong := range []string{"", mac[:32], "00" + mac[2:]} {
		l.must(ttlv.OperationMACVerify, id, []ttlv.Item{data, hexItem(t, ttlv.TagMACData, wrong)}, []ttlv.Item{invalid})
	}
	for hash, sum := range map[uint32]string{
		ttlv.HashingAlgorithmSHA256: "ad41233d22cf9322e3a7ff49a13da434797abed3bab80950a1a0d4e582b7ea72",
		ttlv.HashingAlgorithmSHA512: "406a806f76c06b90c8aca278995d4271037f91124ebfaba5475f1f59ee21ebe3" +
			"a0cc7f5ca6f2183d360bcc762cef68713de7c6498eb08dc591075ca62f7a0717",
	} {
		l.must(ttlv.OperationHash, "", []ttlv.Item{paramsItem(ttlv.TagHashingAlgorithm, hash), data}, []ttlv.Item{hexItem(t, ttlv.TagData, sum)})
	}
}

func (l *lab) rsa(t managedkey.ObjectType, der []byte, use managedkey.UsageMask, p managedkey.Parameters) string {
	k := managedkey.Key{Format: managedkey.KeyFormat(ttlv.KeyFormatTypePKCS1), Algorithm: managedkey.RSA, Length: 2048}
	return l.key(t, k, der, use, always(p))
}

// TestThePublishedSignatures are CS-AC-M-2 with 3, and TC-ECDSA-SIGN-1.
func TestThePublishedSignatures(t *testing.T) {
	l := newLab(t, Caller{})
	pss := managedkey.Parameters{Padding: 10, Hash: managedkey.SHA256, Algorithm: managedkey.RSA}
	public := l.rsa(managedkey.PublicKey, published(t, "CS-AC-M-2", "KeyMaterial")[0], managedkey.UseVerify, pss)
	private := l.rsa(managedkey.PrivateKey, published(t, "CS-AC-M-1", "KeyMaterial")[0], managedkey.UseSign, pss)
	signature := ttlv.ByteString(ttlv.TagSignatureData, published(t, "CS-AC-M-2", "SignatureData")[0])
	l.verify(public, private, signature, paramsItem())

	ec := published(t, "TC-ECDSA-SIGN-1", "KeyMaterial")
	k := managedkey.Key{Format: managedkey.KeyFormat(ttlv.KeyFormatTypeECPrivateKey), Algorithm: managedkey.Algorithm(ttlv.CryptographicAlgorithmEC), Length: 256}
	private = l.key(managedkey.PrivateKey, k, ec[0], managedkey.UseSign)
	k.Format = managedkey.KeyFormat(ttlv.KeyFormatTypeX509)
	public = l.key(managedkey.PublicKey, k, ec[1], managedkey.UseVerify)
	signature = ttlv.ByteString(ttlv.TagSignatureData, published(t, "TC-ECDSA-SIGN-1", "SignatureData")[0])
	l.verify(public, private, signature,
		paramsItem(ttlv.TagHashingAlgorithm, ttlv.HashingAlgorithmSHA256, ttlv.TagCryptographicAlgorithm, ttlv.CryptographicAlgorithmECDSA))
}

// verify wants a signature to be genuine, of the data and of its digest, and one of other data not to be; and so of one that is made.
func (l *lab) verify(public, private string, signature, params ttlv.Item) {
	l.t.Helper()
	data, other := hexItem(l.t, ttlv.TagData, oneBlock), hexItem(l.t, ttlv.TagData, "ff")
	sum := sha256.Sum256(unhex(l.t, oneBlock))
	digest := ttlv.ByteString(ttlv.TagDigestedData, sum[:])
	for _, what := range []ttlv.Item{data, digest} {
		out, why := l.ask(ttlv.V14, ttlv.OperationSign, idItem(private), params, what)
		require.Nil(l.t, why)
		require.Len(l.t, out.Items(), 2)
		for _, s := range []ttlv.Item{signature, out.Items()[1]} {
			l.must(ttlv.OperationSignatureVerify, public, []ttlv.Item{params, data, s}, []ttlv.Item{validity(true)})
			l.must(ttlv.OperationSignatureVerify, public, []ttlv.Item{params, digest, s}, []ttlv.Item{validity(true)})
			l.must(ttlv.OperationSignatureVerify, public, []ttlv.Item{params, other, s}, []ttlv.Item{validity(false)})
		}
	}
}

// TestThePublishedOAEP is CS-AC-M-OAEP-2 and 10.
func TestThePublishedOAEP(t *testing.T) {
	l := newLab(t, Caller{})
	for name, p := range map[string]managedkey.Parameters{
		"CS-AC-M-OAEP-2":  {Padding: 2, Hash: managedkey.SHA256, Algorithm: managedkey.RSA, MaskGenerator: 1, MaskGeneratorHash: managedkey.SHA256},
		"CS-AC-M-OAEP-10": {Padding: 2, Hash: 7, MaskGenerator: 1, MaskGeneratorHash: managedkey.SHA256, PSource: []byte("Kilroy was here")},
	} {
		id := l.rsa(managedkey.PrivateKey, published(t, name, "KeyMaterial")[0], managedkey.UseDecrypt, p)
		data := published(t, name, "Data")
		l.must(ttlv.OperationDecrypt, id, []ttlv.Item{ttlv.ByteString(ttlv.TagData, data[0])}, []ttlv.Item{ttlv.ByteString(ttlv.TagData, data[1])})
	}
}

// TestPKCS1v15DecryptionIsForARoleThatHasIt; to encrypt and to sign with that padding anybody may.
func TestPKCS1v15DecryptionIsForARoleThatHasIt(t *testing.T) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	v15 := managedkey.Parameters{Padding: managedkey.Padding(ttlv.PaddingMethodPKCS1V15), Hash: managedkey.SHA256}
	for _, open := range []bool{true, false} {
		l := newLab(t, Caller{PKCS1v15: open})
		private := l.rsa(managedkey.PrivateKey, x509.MarshalPKCS1PrivateKey(k), managedkey.UseDecrypt|managedkey.UseSign, v15)
		public := l.rsa(managedkey.PublicKey, x509.MarshalPKCS1PublicKey(&k.PublicKey), managedkey.UseEncrypt, v15)
		out, why := l.ask(ttlv.V14, ttlv.OperationEncrypt, idItem(public), hexItem(t, ttlv.TagData, oneBlock))
		require.Nil(t, why)
		_, why = l.ask(ttlv.V14, ttlv.OperationSign, idItem(private), hexItem(t, ttlv.TagData, oneBlock))
		require.Nil(t, why)
		sealed := out.Items()[1]
		if !open {
			l.refused(ttlv.OperationDecrypt, ttlv.ResultReasonPermissionDenied, ttlv.ResultReasonPermissionDenied, idItem(private), sealed)
			continue
		}
		l.must(ttlv.OperationDecrypt, private, []ttlv.Item{sealed}, []ttlv.Item{hexItem(t, ttlv.TagData, oneBlock)})
		b, err := sealed.ByteString()
		require.NoError(t, err)
		b[7] ^= 1
		l.refused(ttlv.OperationDecrypt, ttlv.ResultReasonCryptographicFailure, ttlv.ResultReasonCryptographicFailure, idItem(private), sealed)
	}
}

func TestRandom(t *testing.T) {
	l := newLab(t, Caller{})
	for _, n := range []int32{1, 32, 128 << 10} {
		out, why := l.ask(ttlv.V14, ttlv.OperationRNGRetrieve, ttlv.Integer(ttlv.TagDataLength, n))
		require.Nil(t, why)
		b, err := out.Find(ttlv.TagData).ByteString()
		require.NoError(t, err)
		require.Len(t, b, int(n))
		require.Len(t, out.Items(), 1)
	}
	for _, n := range []int32{-1, 0, 128<<10 + 1, 1<<31 - 1} {
		l.refused(ttlv.OperationRNGRetrieve, ttlv.ResultReasonInvalidField, ttlv.ResultReasonInvalidField, ttlv.Integer(ttlv.TagDataLength, n))
	}
	l.must(ttlv.OperationRNGSeed, "", []ttlv.Item{hexItem(t, ttlv.TagData, oneBlock)}, []ttlv.Item{ttlv.Integer(ttlv.TagDataLength, 0)})
	require.False(t, l.stage.Changed(), "nothing is kept")
}

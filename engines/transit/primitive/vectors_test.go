package primitive

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/mlkem/mlkemtest"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAEADVectors(t *testing.T) {
	const (
		gcmKey   = "feffe9928665731c6d6a8f9467308308"
		gcmPlain = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
		gcmData  = "feedfacedeadbeeffeedfacedeadbeefabaddad2"
		polyKey  = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
		polyData = "50515253c0c1c2c3c4c5c6c7"
	)
	poly := hex.EncodeToString([]byte("Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."))
	zeros := func(n int) string { return strings.Repeat("00", n) }
	for _, c := range []struct {
		source                            string
		alg                               Algorithm
		key, nonce, aad, plain, encrypted string
	}{
		{"GCM specification, test case 1", AES128GCM, zeros(16), zeros(12), "", "", "58e2fccefa7e3061367f1d57a4e7455a"},
		{"GCM specification, test case 4", AES128GCM, gcmKey, "cafebabefacedbaddecaf888", gcmData, gcmPlain, "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e" +
			"21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47"},
		{"GCM specification, test case 13", AES256GCM, zeros(32), zeros(12), "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
		{"GCM specification, test case 16", AES256GCM, gcmKey + gcmKey, "cafebabefacedbaddecaf888", gcmData, gcmPlain, "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c9" +
			"7598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"},
		{"RFC 8439, section 2.8.2", ChaCha20Poly1305, polyKey, "070000004041424344454647", polyData, poly, "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6" +
			"3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc" +
			"3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691"},
		{"draft-irtf-cfrg-xchacha-03, A.3.1", XChaCha20Poly1305, polyKey, "404142434445464748494a4b4c4d4e4f5051525354555657", polyData, poly, "bd6d179d3e83d43b9576579493c0e939" +
			"572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e" +
			"3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49"},
	} {
		aead, err := newAEAD(c.alg, unhex(t, c.key))
		require.NoError(t, err)
		got := aead.Seal(nil, unhex(t, c.nonce), unhex(t, c.plain), unhex(t, c.aad))
		require.Equal(t, c.encrypted, hex.EncodeToString(got), c.source)
	}
}

func TestAEADVectorsOfWycheproof(t *testing.T) {
	for i, c := range vectors[struct {
		Alg, Note                string
		Key, Nonce, AAD, Msg, CT octets
		Valid                    bool
	}](t, "aead.json") {
		aead, err := newAEAD(algorithm(t, c.Alg), c.Key)
		require.NoError(t, err)
		got, err := aead.Open(nil, c.Nonce, c.CT, c.AAD)
		require.Equal(t, c.Valid, err == nil, "case %d: %s", i, c.Note)
		if c.Valid {
			require.Equal(t, hex.EncodeToString(c.Msg), hex.EncodeToString(got), "case %d: %s", i, c.Note)
			require.Equal(t, []byte(c.CT), aead.Seal(nil, c.Nonce, c.Msg, c.AAD), "case %d: %s", i, c.Note)
		}
	}
}

func TestEd25519VectorsOfRFC8032(t *testing.T) {
	digest := sha512.Sum512([]byte("abc"))
	for _, c := range []struct {
		section, seed, input, signature string
		prehashed                       bool
	}{
		{"7.1, test 1", "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "", "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155" +
			"5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b", false},
		{"7.1, test 2", "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "72", "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
			"085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00", false},
		{"7.1, test 3", "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "af82", "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac" +
			"18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a", false},
		{"7.3", "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42", hex.EncodeToString(digest[:]), "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41" +
			"31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406", true},
	} {
		k, err := Import(Ed25519, unhex(t, c.seed))
		require.NoError(t, err)
		got, err := k.Sign(nil, Signing{Prehashed: c.prehashed}, unhex(t, c.input))
		require.NoError(t, err)
		require.Equal(t, c.signature, hex.EncodeToString(got), c.section)
		good, err := k.Verify(Signing{Prehashed: c.prehashed}, unhex(t, c.input), got)
		require.NoError(t, err)
		require.True(t, good, c.section)
	}
}

func TestEd25519VectorsOfWycheproof(t *testing.T) {
	for i, c := range vectors[struct {
		Note          string
		Key, Msg, Sig octets
		Valid         bool
	}](t, "ed25519.json") {
		good, err := verify(Ed25519, ed25519.PublicKey(c.Key), Signing{}, c.Msg, c.Sig)
		require.NoError(t, err)
		require.Equal(t, c.Valid, good, "case %d: %s", i, c.Note)
	}
}

// TestECDSAVectorsOfRFC6979 takes "sample" of appendices A.2.5 to A.2.7.
func TestECDSAVectorsOfRFC6979(t *testing.T) {
	const (
		p256 = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"
		p384 = "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5"
		p521 = "00FAD06DAA62BA3B25D2FB40133DA757205DE67F5BB0018FEE8C86E1B68C7E75CAA896EB32F1F47C70855836A6D16FCC1466F6D8FBEC67DB89EC0C08B0E996B83538"
	)
	for _, c := range []struct {
		alg       Algorithm
		hash      Hash
		key, r, s string
	}{
		{ECDSAP256, SHA256, p256, "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716", "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"},
		{ECDSAP256, SHA384, p256, "0EAFEA039B20E9B42309FB1D89E213057CBF973DC0CFC8F129EDDDC800EF7719", "4861F0491E6998B9455193E34E7B0D284DDD7149A74B95B9261F13ABDE940954"},
		{ECDSAP256, SHA512, p256, "8496A60B5E9B47C825488827E0495B0E3FA109EC4568FD3F8D1097678EB97F00", "2362AB1ADBE2B8ADF9CB9EDAB740EA6049C028114F2460F96554F61FAE3302FE"},
		{ECDSAP384, 0, p384, "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46",
			"99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8"},
		{ECDSAP521, 0, p521, "00C328FAFCBD79DD77850370C46325D987CB525569FB63C5D3BC53950E6D4C5F174E25A1EE9017B5D450606ADD152B534931D7D4E8455CC91F9B15BF05EC36E377FA",
			"00617CCE7CF5064806C467F678D3B4080D6F1CC50AF26CA209417308281B68AF282623EAA63E5B5C0723D8B8C37FF0777B1A20F8CCB1DCCC43997F1EE0E44DA4A67A"},
	} {
		k, err := newKey(c.alg, unhex(t, c.key))
		require.NoError(t, err)
		good, err := k.Verify(Signing{Hash: c.hash, Encoding: JWS}, []byte("sample"), unhex(t, c.r+c.s))
		require.NoError(t, err)
		require.True(t, good, "%s with %s", c.alg, c.hash)
	}
}

func TestECDSAVectorsOfWycheproofAndNIST(t *testing.T) {
	for i, c := range vectors[struct {
		Alg, Hash, Note string
		Encoding        Encoding
		Key, Msg, Sig   octets
		Valid           bool
	}](t, "ecdsa.json") {
		a := algorithm(t, c.Alg)
		public, err := ecdsa.ParseUncompressedPublicKey(a.curve(), c.Key)
		require.NoError(t, err)
		good, err := verify(a, public, Signing{Hash: hashOf(t, c.Hash), Encoding: c.Encoding}, c.Msg, c.Sig)
		require.NoError(t, err)
		require.Equal(t, c.Valid, good, "case %d: %s %s", i, c.Encoding, c.Note)
	}
}

func TestRSASignatureVectorsOfWycheproof(t *testing.T) {
	for _, group := range vectors[struct {
		Alg, Hash string
		Scheme    Scheme
		Salt      Salt
		Key       octets
		Tests     []struct {
			Note     string
			Msg, Sig octets
			Valid    bool
		}
	}](t, "rsa.json") {
		public, err := x509.ParsePKIXPublicKey(group.Key)
		require.NoError(t, err)
		s := Signing{Hash: hashOf(t, group.Hash), Scheme: group.Scheme, Salt: group.Salt}
		for i, c := range group.Tests {
			good, err := verify(algorithm(t, group.Alg), public.(*rsa.PublicKey), s, c.Msg, c.Sig)
			require.NoError(t, err)
			require.Equal(t, c.Valid, good, "%+v, case %d: %s", s, i, c.Note)
		}
	}
}

func TestOAEPVectorsOfWycheproof(t *testing.T) {
	for _, group := range vectors[struct {
		Alg, Hash string
		Key       octets
		Tests     []struct {
			Note           string
			Msg, CT, Label octets
			Valid          bool
		}
	}](t, "oaep.json") {
		k, err := Import(algorithm(t, group.Alg), group.Key)
		require.NoError(t, err)
		for i, c := range group.Tests {
			got, err := k.Decrypt(nil, Terms{Version: 1, Associated: c.Label, Hash: hashOf(t, group.Hash)}, c.CT)
			if !c.Valid {
				require.Equal(t, ErrDecrypt, err, "%s %s, case %d: %s", group.Alg, group.Hash, i, c.Note)
				continue
			}
			require.NoError(t, err, "%s %s, case %d: %s", group.Alg, group.Hash, i, c.Note)
			require.Equal(t, hex.EncodeToString(c.Msg), hex.EncodeToString(got))
		}
	}
}

func TestHMACVectorsOfRFC4231(t *testing.T) {
	for _, c := range []struct{ key, message, sha256, sha384, sha512 string }{
		{strings.Repeat("\x0b", 20), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
			"afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
			"87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
		{"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
			"af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
			"164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
		{strings.Repeat("\xaa", 131), "Test Using Larger Than Block-Size Key - Hash Key First", "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
			"4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
			"80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"},
	} {
		for a, want := range map[Algorithm]string{HMACSHA256: c.sha256, HMACSHA384: c.sha384, HMACSHA512: c.sha512} {
			k, err := newKey(a, []byte(c.key))
			require.NoError(t, err)
			for range 2 { // the state is used again
				got, err := k.MAC(nil, 0, []byte(c.message))
				require.NoError(t, err)
				require.Equal(t, want, hex.EncodeToString(got))
			}
		}
	}
}

func TestHMACVectorsOfWycheproof(t *testing.T) {
	for i, c := range vectors[struct {
		Alg, Note     string
		Key, Msg, Tag octets
		Valid         bool
	}](t, "hmac.json") {
		k, err := newKey(algorithm(t, c.Alg), c.Key)
		require.NoError(t, err)
		good, err := k.VerifyMAC(0, c.Msg, c.Tag)
		require.NoError(t, err)
		require.Equal(t, c.Valid, good, "case %d: %s", i, c.Note)
	}
}

// TestHKDFVectorsOfRFC5869 takes A.1 and A.3, and holds derive against the definition.
func TestHKDFVectorsOfRFC5869(t *testing.T) {
	ikm := []byte(strings.Repeat("\x0b", 22))
	got, err := hkdf.Key(sha256.New, ikm, unhex(t, "000102030405060708090a0b0c"), string(unhex(t, "f0f1f2f3f4f5f6f7f8f9")), 42)
	require.NoError(t, err)
	require.Equal(t, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865", hex.EncodeToString(got))
	got, err = hkdf.Key(sha256.New, ikm, nil, "", 42)
	require.NoError(t, err)
	require.Equal(t, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8", hex.EncodeToString(got))
	want, err := hkdf.Key(sha256.New, ikm, nil, "\x00\x00\x00\x05label\x00\x00\x00\x02\x00\x01", 32)
	require.NoError(t, err)
	got, err = derive(ikm, 32, "label", []byte{0, 1})
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// TestMLKEMVectors is the accumulated test of C2SP's CCTV, made with the reference implementation: keys, ciphertexts and secrets of a hundred seeds, and
// what decapsulating garbage gives.
func TestMLKEMVectors(t *testing.T) {
	in, out := sha3.NewSHAKE128(), sha3.NewSHAKE128()
	next := func(n int) []byte {
		b := make([]byte, n)
		in.Read(b)
		return b
	}
	for range 100 {
		k, err := newKey(MLKEM768, next(64))
		require.NoError(t, err)
		public := k.kem.EncapsulationKey()
		out.Write(public.Bytes())
		shared, ciphertext, err := mlkemtest.Encapsulate768(public, next(32))
		require.NoError(t, err)
		out.Write(ciphertext)
		out.Write(shared)
		got, err := k.kem.Decapsulate(ciphertext)
		require.NoError(t, err)
		require.Equal(t, shared, got)
		rejected, err := k.kem.Decapsulate(next(encapsulated))
		require.NoError(t, err)
		out.Write(rejected)
	}
	digest := make([]byte, 32)
	out.Read(digest)
	require.Equal(t, "1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415", hex.EncodeToString(digest))
}

func TestHashVectors(t *testing.T) {
	for name, want := range map[string]string{ // "abc", FIPS 180-4 and FIPS 202
		"sha2-224": "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
		"sha2-256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"sha2-384": "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
		"sha2-512": "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
		"sha3-224": "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf",
		"sha3-256": "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
		"sha3-384": "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25",
		"sha3-512": "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",
	} {
		got, err := Sum([]byte("x"), hashOf(t, name), []byte("abc"))
		require.NoError(t, err)
		require.Equal(t, want, hex.EncodeToString(got[1:]), name)
		require.Equal(t, name, hashOf(t, name).String())
		require.Len(t, got[1:], hashOf(t, name).Size())
	}
}

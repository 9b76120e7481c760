package suite

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCMACVectors(t *testing.T) {
	for _, c := range []struct {
		source, key string
		size        int
		mac         string
	}{
		{"RFC 4493, example 1", "2b7e151628aed2a6abf7158809cf4f3c", 0, "bb1d6929e95937287fa37d129b756746"},
		{"RFC 4493, example 2", "2b7e151628aed2a6abf7158809cf4f3c", 16, "070a16b46b4d4144f79bdd9dd04a287c"},
		{"RFC 4493, example 3", "2b7e151628aed2a6abf7158809cf4f3c", 40, "dfa66747de9ae63030ca32611497c827"},
		{"RFC 4493, example 4", "2b7e151628aed2a6abf7158809cf4f3c", 64, "51f0bebf7e3b9d92fc49741779363cfe"},
		{"SP 800-38B, D.3, example 9", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 0, "028962f61b7bf89efc6b551f4667d983"},
		{"SP 800-38B, D.3, example 12", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 64, "e1992190549f6ed5696a2c056c315410"},
	} {
		data := unhex(t, blocks)[:c.size]
		got, err := MAC(symmetric(t, AES, unhex(t, c.key)), Params{Mode: CMAC}, data)
		require.NoError(t, err)
		require.Equal(t, c.mac, hex.EncodeToString(got), c.source)
		f, err := cmacOf(unhex(t, c.key))
		require.NoError(t, err)
		require.Equal(t, got, f(data[:c.size/3], data[c.size/3:], nil), "in pieces")
	}
}

func TestHMACVectorsOfRFC4231(t *testing.T) {
	for _, c := range []struct{ key, data, sha224, sha256, sha384, sha512 string }{
		{strings.Repeat("0b", 20), hex.EncodeToString([]byte("Hi There")),
			"896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22",
			"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
			"afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
			"87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
		{strings.Repeat("aa", 131), hex.EncodeToString([]byte("Test Using Larger Than Block-Size Key - Hash Key First")),
			"95e9a0db962095adaebe9b2d6f0dbce2d499f112f2d2b7273fa6870e",
			"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
			"4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
			"80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"},
	} {
		for a, want := range map[Algorithm]string{HMACSHA224: c.sha224, HMACSHA256: c.sha256, HMACSHA384: c.sha384, HMACSHA512: c.sha512} {
			k := symmetric(t, a, unhex(t, c.key))
			got, err := MAC(k, Params{}, unhex(t, c.data))
			require.NoError(t, err)
			require.Equal(t, want, hex.EncodeToString(got))
			for wrong, good := range map[string]bool{want: true, want[2:]: false, "": false, want + "00": false, want[:len(want)-2] + "ee": strings.HasSuffix(want, "ee")} {
				got, err := VerifyMAC(k, Params{}, unhex(t, c.data), unhex(t, wrong))
				require.NoError(t, err)
				require.Equal(t, good, got)
			}
		}
	}
	got, err := MAC(symmetric(t, HMACSHA1, unhex(t, strings.Repeat("0b", 20))), Params{}, []byte("Hi There")) // RFC 2202, case 1
	require.NoError(t, err)
	require.Equal(t, "b617318655057264e28bc0b6fb378c8ef146be00", hex.EncodeToString(got))
}

func TestMACsThatDoNotFit(t *testing.T) {
	aes, own := symmetric(t, AES, make([]byte, 16)), symmetric(t, HMACSHA256, make([]byte, 32))
	for _, c := range []struct {
		field string
		key   *Key
		p     Params
	}{
		{"cryptographic_algorithm", aes, Params{}},
		{"cryptographic_algorithm", aes, Params{Hash: SHA256}},
		{"cryptographic_algorithm", aes, Params{Algorithm: 0x0c}}, // HMAC-MD5
		{"cryptographic_algorithm", aes, Params{Algorithm: RSA, Mode: CMAC}},
		{"cryptographic_algorithm", own, Params{Algorithm: HMACSHA512}},
		{"cryptographic_algorithm", own, Params{Algorithm: AES, Mode: CMAC}},
		{"hashing_algorithm", own, Params{Hash: SHA512}},
		{"hashing_algorithm", aes, Params{Algorithm: HMACSHA256, Hash: SHA1}},
	} {
		_, err := MAC(c.key, c.p, nil)
		bad(t, c.field, err, "%+v", c.p)
	}
	_, err := MAC(edKey(t), Params{Algorithm: HMACSHA256}, nil)
	classified(t, err)
	_, err = MAC(own, Params{}, make([]byte, MaxData+1))
	classified(t, err)
}

func TestHashes(t *testing.T) {
	for h, want := range map[Hash]string{ // of "abc": FIPS 180-4 and FIPS 202
		SHA1:       "a9993e364706816aba3e25717850c26c9cd0d89d",
		SHA224:     "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
		SHA256:     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		SHA512_224: "4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa",
		SHA512_256: "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23",
		SHA3_224:   "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf",
		SHA3_256:   "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
	} {
		got, err := Sum(h, []byte("abc"))
		require.NoError(t, err)
		require.Equal(t, want, hex.EncodeToString(got), h)
		require.Equal(t, len(got), h.Size())
	}
	for _, h := range []Hash{0, MD5, 0x09, 0x99} {
		_, err := Sum(h, nil)
		bad(t, "hashing_algorithm", err)
	}
	_, err := Digest(SHA1, nil)
	bad(t, "hashing_algorithm", err)
	for _, n := range []int{-1, 0, MaxRandom + 1} {
		_, err := Random(n)
		bad(t, "data_length", err)
	}
	a, err := Random(32)
	require.NoError(t, err)
	b, err := Random(32)
	require.NoError(t, err)
	require.NotEqual(t, a, b)
}

package suite

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const blocks = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"

func TestBlockModes(t *testing.T) {
	const (
		aes128 = "2b7e151628aed2a6abf7158809cf4f3c"
		iv     = "000102030405060708090a0b0c0d0e0f"
		three  = "0123456789abcdef23456789abcdef01456789abcdef0123"
		two    = "0123456789abcdef23456789abcdef01"
		desIV  = "1234567890abcdef"
		eight  = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c"
	)
	for _, c := range []struct {
		source                 string
		alg                    Algorithm
		mode                   Mode
		key, iv, plain, sealed string
	}{
		{"SP 800-38A, F.1.1", AES, ECB, aes128, "", blocks, "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4"},
		{"SP 800-38A, F.2.1", AES, CBC, aes128, iv, blocks, "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b273bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"},
		{"SP 800-38A, F.3.13", AES, CFB, aes128, iv, blocks, "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b26751f67a3cbb140b1808cf187a4f4dfc04b05357c5d1c0eeac4c66f9ff7f2e6"},
		{"SP 800-38A, F.4.1", AES, OFB, aes128, iv, blocks, "3b3fd92eb72dad20333449f8e83cfb4a7789508d16918f03f53c52dac54ed8259740051e9c5fecf64344f7a82260edcc304c6528f659c77866a510d9c1d6ae5e"},
		{"SP 800-38A, F.5.1", AES, CTR, aes128, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", blocks,
			"874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee"},
		{"OpenSSL 3", TripleDES, ECB, three, "", eight, "714772f339841d34267fcc4bd2949cc3ee11c22a576a3038"},
		{"OpenSSL 3", TripleDES, ECB, two, "", eight, "06ede3d82884090aff322c19f0518486730576972a666e58"},
		{"OpenSSL 3", TripleDES, CBC, three, desIV, eight, "9d50047a85efb2057a51e45711dae03948cd3b077c4b56a5"},
		{"OpenSSL 3", TripleDES, CBC, two, desIV, eight, "a9f1da9821cd5a850a07d19f7683a84b37d49d1dd3d886eb"},
		{"OpenSSL 3", TripleDES, CFB, three, desIV, eight, "cbd00e9e5d23ace35a86974ad075e446673779d18b6a37bd"},
		{"OpenSSL 3", TripleDES, OFB, three, desIV, eight, "cbd00e9e5d23ace31bd23f651898fc0d4fa0728e93497835"},
	} {
		k, p := symmetric(t, c.alg, unhex(t, c.key)), Params{Mode: c.mode}
		plain, iv := unhex(t, c.plain), unhex(t, c.iv)
		got, err := Encrypt(k, p, Message{Data: plain, IV: iv})
		require.NoError(t, err, c.source)
		require.Equal(t, c.sealed, hex.EncodeToString(got.Data), c.source)
		require.Nil(t, got.IV, "the caller has it")
		require.Equal(t, c.plain, hex.EncodeToString(plain), "the caller's data is not touched")
		back, err := Decrypt(k, p, Message{Data: got.Data, IV: iv})
		require.NoError(t, err)
		require.Equal(t, plain, back)
		if !blockModes[c.mode].padded { // streams end anywhere
			got, err = Encrypt(k, p, Message{Data: plain[:21], IV: iv})
			require.NoError(t, err)
			require.Equal(t, c.sealed[:42], hex.EncodeToString(got.Data))
		}
	}
}

func TestCounterOfRFC3686(t *testing.T) {
	// RFC 3686, section 6, test vector 2: nonce and IV of 12 bytes, the counter of 32 bits begins with 1.
	k, p := symmetric(t, AES, unhex(t, "7e24067817fae0d743d6ce1f32539163")), Params{Mode: CTR, CounterLength: 32}
	m := Message{Data: unhex(t, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"), IV: unhex(t, "006cb6dbc0543b59da48d90b")}
	got, err := Encrypt(k, p, m)
	require.NoError(t, err)
	require.Equal(t, "5104a106168a72d9790d41ee8edad388eb2e1efc46da57c8fce630df9141be28", hex.EncodeToString(got.Data))
	last := 1<<32 - 1
	p.InitialCounter = &last
	_, err = Encrypt(k, p, m)
	bad(t, "counter_length", err, "it would run over")
	_, err = Encrypt(k, p, Message{Data: m.Data[:16], IV: m.IV})
	require.NoError(t, err)
	p.CounterLength = 0
	_, err = Encrypt(k, p, Message{Data: m.Data, IV: make([]byte, 16)})
	bad(t, "initial_counter_value", err)
}

// TestEveryWayComesBack puts messages of all lengths through every symmetric cipher of the table.
func TestEveryWayComesBack(t *testing.T) {
	keys := map[Algorithm]*Key{AES: symmetric(t, AES, random(32)), TripleDES: symmetric(t, TripleDES, random(24)), ChaCha20Poly1305: symmetric(t, ChaCha20Poly1305, random(32))}
	for _, w := range Ways() {
		k := keys[w.Algorithm]
		if w.Use != ToEncrypt || k == nil {
			continue
		}
		p := Params{Mode: w.Mode, Padding: w.Padding, RandomIV: true}
		for n := range 50 {
			plain := append(random(n), 1)
			if w.Padding == NoPadding && blockModes[w.Mode].padded {
				plain = random(n / 16 * 16)
			}
			c, err := Encrypt(k, p, Message{Data: plain})
			require.NoError(t, err, "%+v", w)
			require.Equal(t, w.Mode == ECB, c.IV == nil)
			back, err := Decrypt(k, p, Message{Data: c.Data, IV: c.IV, Tag: c.Tag})
			require.NoError(t, err, "%+v", w)
			require.Equal(t, plain, back)
		}
	}
}

func TestPaddings(t *testing.T) {
	for _, c := range []struct {
		padding    Padding
		data, want string
	}{
		{PKCS5, "616263", "6162630505050505"}, {PKCS5, "6162636465666768", "61626364656667680808080808080808"}, {PKCS5, "", "0808080808080808"},
		{ANSIX923, "616263", "6162630000000005"}, {ANSIX923, "61626364656667", "6162636465666701"},
		{Zeros, "616263", "6162630000000000"}, {Zeros, "6162636465666768", "6162636465666768"}, {Zeros, "", ""},
	} {
		got, err := pad(c.padding, unhex(t, c.data), 8)
		require.NoError(t, err)
		require.Equal(t, c.want, hex.EncodeToString(got))
		back, err := unpad(c.padding, got, 8)
		require.NoError(t, err)
		require.Equal(t, c.data, hex.EncodeToString(back))
	}
	got, err := pad(ISO10126, []byte("abc"), 8)
	require.NoError(t, err)
	require.EqualValues(t, 5, got[7])
	_, err = pad(NoPadding, []byte("abc"), 8)
	bad(t, "data", err)
	for _, wrong := range []string{"", "0000000000000000", "0000000000000009", "00000000000000ff", "0000000003020303"} {
		for _, p := range []Padding{PKCS5, ANSIX923, ISO10126} {
			if p == ISO10126 && strings.HasSuffix(wrong, "0303") {
				continue
			}
			_, err := unpad(p, unhex(t, wrong), 8)
			require.Equal(t, ErrFailed, err, wrong)
		}
	}
	_, err = unpad(ANSIX923, unhex(t, "6161610001000005"), 8)
	require.Equal(t, ErrFailed, err)
}

func TestParametersThatDoNotFit(t *testing.T) {
	k, iv := symmetric(t, AES, make([]byte, 16)), make([]byte, 16)
	for field, c := range map[string]struct {
		p Params
		m Message
	}{
		"block_cipher_mode":                        {Params{}, Message{}},
		"block_cipher_mode ":                       {Params{Mode: 0x0b}, Message{IV: iv}},
		"padding_method":                           {Params{Mode: CBC, Padding: OAEP}, Message{IV: iv}},
		"padding_method ":                          {Params{Mode: CTR, Padding: PKCS5}, Message{IV: iv}},
		"cryptographic_algorithm":                  {Params{Mode: CBC, Algorithm: RSA}, Message{IV: iv}},
		"iv_counter_nonce":                         {Params{Mode: CBC, Padding: PKCS5}, Message{}},
		"iv_counter_nonce ":                        {Params{Mode: CBC, Padding: PKCS5}, Message{IV: iv[1:]}},
		"iv_counter_nonce  ":                       {Params{Mode: ECB, Padding: PKCS5}, Message{IV: iv}},
		"iv_counter_nonce   ":                      {Params{Mode: GCM}, Message{}},
		"iv_length":                                {Params{Mode: CBC, Padding: PKCS5, RandomIV: true, IVLength: 96}, Message{}},
		"fixed_field_length":                       {Params{Mode: GCM, RandomIV: true, FixedFieldLength: 32}, Message{}},
		"correlation_value":                        {Params{Mode: ECB}, Message{Partial: true}},
		"authenticated_encryption_tag":             {Params{Mode: GCM}, Message{IV: iv, Tag: iv}},
		"authenticated_encryption_additional_data": {Params{Mode: CBC}, Message{IV: iv, AAD: iv}},
		"tag_length":                               {Params{Mode: GCM, TagLength: 11}, Message{IV: iv}},
		"tag_length ":                              {Params{Mode: GCM, TagLength: 17}, Message{IV: iv}},
		"data":                                     {Params{Mode: ECB}, Message{Data: iv[1:]}},
	} {
		_, err := Encrypt(k, c.p, c.m)
		bad(t, strings.TrimSpace(field), err, field)
	}
	_, err := Decrypt(k, Params{Mode: CBC, Padding: PKCS5}, Message{Data: iv})
	bad(t, "iv_counter_nonce", err)
	_, err = Encrypt(symmetric(t, HMACSHA256, iv), Params{Mode: CBC}, Message{})
	classified(t, err)
	_, err = Encrypt(k, Params{Mode: ECB}, Message{Data: make([]byte, MaxData+1)})
	classified(t, err)
}

func TestGCMTagsOfAllLengths(t *testing.T) {
	k := symmetric(t, AES, unhex(t, "feffe9928665731c6d6a8f9467308308"))
	for _, size := range []int{1, 8, 12, 16, 60} {
		m := Message{Data: []byte("some plaintext of more than one block"), IV: random(size), AAD: []byte("associated")}
		full, err := Encrypt(k, Params{Mode: GCM}, m)
		require.NoError(t, err)
		require.Len(t, full.Tag, 16)
		for n := 4; n <= 16; n++ {
			p := Params{Mode: GCM, TagLength: n, Allow: ShortTags}
			c, err := Encrypt(k, p, m)
			require.NoError(t, err)
			require.Equal(t, full.Tag[:n], c.Tag)
			in := Message{Data: c.Data, IV: m.IV, AAD: m.AAD, Tag: c.Tag}
			back, err := Decrypt(k, p, in)
			require.NoError(t, err)
			require.Equal(t, m.Data, back)
			in.Tag = slices.Clone(in.Tag)
			in.Tag[n-1] ^= 1
			_, err = Decrypt(k, p, in)
			require.Equal(t, ErrFailed, err)
			if n < 12 {
				_, err = Decrypt(k, Params{Mode: GCM}, in)
				bad(t, "tag_length", err)
			}
		}
	}
	_, err := Decrypt(k, Params{Mode: GCM, TagLength: 16}, Message{IV: make([]byte, 12), Tag: make([]byte, 12)})
	bad(t, "authenticated_encryption_tag", err)
	_, err = Decrypt(k, Params{Mode: GCM}, Message{IV: make([]byte, 12)})
	bad(t, "authenticated_encryption_tag", err)
}

func TestAEADVectorsOfWycheproof(t *testing.T) {
	for i, c := range vectors[struct {
		Alg, Note                string
		Key, Nonce, AAD, Msg, CT octets
		Valid                    bool
	}](t, "aead.json") {
		a, p := AES, Params{Mode: GCM}
		if c.Alg == "chacha20-poly1305" {
			a, p = ChaCha20Poly1305, Params{Mode: AEAD}
		} else if !strings.HasPrefix(c.Alg, "aes") {
			continue
		}
		if len(c.CT) < 16 || len(c.Nonce) == 0 {
			continue
		}
		k, at := symmetric(t, a, c.Key), len(c.CT)-16
		got, err := Decrypt(k, p, Message{Data: c.CT[:at], Tag: c.CT[at:], IV: c.Nonce, AAD: c.AAD})
		require.Equal(t, c.Valid, err == nil, "case %d: %s: %v", i, c.Note, err)
		if c.Valid {
			require.Equal(t, hex.EncodeToString(c.Msg), hex.EncodeToString(got))
		}
	}
}

func TestOAEPVectorsOfWycheproof(t *testing.T) {
	for i, group := range vectors[struct {
		Alg, Hash string
		Key       octets
		Tests     []struct {
			Note           string
			Msg, CT, Label octets
			Valid          bool
		}
	}](t, "oaep.json") {
		h := map[string]Hash{"sha1": SHA1, "sha2-256": SHA256, "sha2-384": SHA384, "sha2-512": SHA512}[group.Hash]
		k := parse(t, Block{Class: PrivateKey, Format: PKCS8, Material: group.Key})
		for _, c := range group.Tests {
			got, err := Decrypt(k, Params{Padding: OAEP, Hash: h, PSource: c.Label}, Message{Data: c.CT})
			require.Equal(t, c.Valid, err == nil, "group %d: %s", i, c.Note)
			if !c.Valid {
				require.Equal(t, ErrFailed, err)
				continue
			}
			require.Equal(t, hex.EncodeToString(c.Msg), hex.EncodeToString(got))
		}
	}
}

func TestRSAEncryption(t *testing.T) {
	private := rsaKey(t)
	k := public(t, private)
	for _, p := range []Params{{Padding: OAEP, Hash: SHA256}, {Padding: OAEP, Hash: SHA384, MaskGeneratorHash: SHA1, PSource: []byte("label")}, {Padding: PKCS1v15, Allow: PKCS1v15Decryption}} {
		c, err := Encrypt(k, p, Message{Data: []byte("secret")})
		require.NoError(t, err)
		got, err := Decrypt(private, p, Message{Data: c.Data})
		require.NoError(t, err)
		require.Equal(t, []byte("secret"), got)
		for _, wrong := range [][]byte{nil, c.Data[1:], append([]byte{0}, c.Data...), make([]byte, 256), random(256)} {
			_, err = Decrypt(private, p, Message{Data: wrong})
			require.Equal(t, ErrFailed, err)
		}
	}
	for _, w := range Ways() {
		if w.Use == ToEncrypt && w.Padding == OAEP {
			_, err := Encrypt(k, Params{Padding: OAEP, Hash: w.Hash}, Message{Data: []byte("m")})
			require.NoError(t, err, w.Hash)
		}
	}
	_, err := Decrypt(private, Params{Padding: PKCS1v15}, Message{Data: make([]byte, 256)})
	bad(t, "padding_method", err)
	_, err = Encrypt(k, Params{}, Message{})
	bad(t, "padding_method", err)
	_, err = Encrypt(k, Params{Padding: OAEP}, Message{})
	bad(t, "hashing_algorithm", err)
	_, err = Encrypt(k, Params{Padding: OAEP, Hash: SHA512}, Message{Data: make([]byte, 127)})
	bad(t, "data", err)
	_, err = Encrypt(private, Params{Padding: OAEP, Hash: SHA256}, Message{})
	classified(t, err)
	_, err = Decrypt(k, Params{Padding: OAEP, Hash: SHA256}, Message{})
	classified(t, err)
}

package ttlv

// cryptoEnums are the values of cryptographic parameters (KMIP 1.4 section 9.1.3.2, KMIP 2.1 section 11).
var cryptoEnums = []enum{
	{tags{TagCryptographicAlgorithm}, []run{
		{V10, 0, 0x01, "DES, 3DES, AES, RSA, DSA, ECDSA, HMAC-SHA1, HMAC-SHA224, HMAC-SHA256, HMAC-SHA384, HMAC-SHA512, HMAC-MD5"},
		{V10, 0, 0x0d, "DH, ECDH, ECMQV, Blowfish, Camellia, CAST5, IDEA, MARS, RC2, RC4, RC5, SKIPJACK, Twofish"},
		{V12, 0, 0x1a, "EC"},
		{V13, 0, 0x1b, "One Time Pad"},
		{V14, 0, 0x1c, "ChaCha20, Poly1305, ChaCha20Poly1305, SHA3-224, SHA3-256, SHA3-384, SHA3-512"},
		{V14, 0, 0x23, "HMAC-SHA3-224, HMAC-SHA3-256, HMAC-SHA3-384, HMAC-SHA3-512, SHAKE-128, SHAKE-256"},
		{V20, 0, 0x29, "ARIA, SEED, SM2, SM3, SM4, GOST R 34.10-2012, GOST R 34.11-2012, GOST R 34.13-2015, GOST 28147-89"},
		{V20, 0, 0x32, "XMSS, SPHINCS-256, McEliece, McEliece-6960119, McEliece-8192128, Ed25519, Ed448"},
	}},
	{tags{TagBlockCipherMode}, []run{
		{V10, 0, 0x01, "CBC, ECB, PCBC, CFB, OFB, CTR, CMAC, CCM, GCM, CBC-MAC, XTS, AESKeyWrapPadding, NISTKeyWrap"},
		{V10, 0, 0x0e, "X9.102 AESKW, X9.102 TDKW, X9.102 AKW1, X9.102 AKW2"},
		{V14, 0, 0x12, "AEAD"},
	}},
	{tags{TagPaddingMethod}, []run{
		{V10, 0, 0x01, "None, OAEP, PKCS5, SSL3, Zeros, ANSI X9.23, ISO 10126, PKCS1 v1.5, X9.31, PSS"},
	}},
	{tags{TagHashingAlgorithm, TagMaskGeneratorHashingAlgorithm}, []run{
		{V10, 0, 0x01, "MD2, MD4, MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512, RIPEMD-160, Tiger, Whirlpool"},
		{V12, 0, 0x0c, "SHA-512/224, SHA-512/256"},
		{V14, 0, 0x0e, "SHA3-224, SHA3-256, SHA3-384, SHA3-512"},
	}},
	{tags{TagMaskGenerator}, []run{{V14, 0, 0x01, "MGF1"}}},
	{tags{TagDigitalSignatureAlgorithm}, []run{
		{V11, 0, 0x01, "MD2 with RSA Encryption, MD5 with RSA Encryption, SHA-1 with RSA Encryption"},
		{V11, 0, 0x04, "SHA-224 with RSA Encryption, SHA-256 with RSA Encryption, SHA-384 with RSA Encryption"},
		{V11, 0, 0x07, "SHA-512 with RSA Encryption, RSASSA-PSS, DSA with SHA-1, DSA with SHA224, DSA with SHA256"},
		{V11, 0, 0x0c, "ECDSA with SHA-1, ECDSA with SHA224, ECDSA with SHA256, ECDSA with SHA384, ECDSA with SHA512"},
		{V14, 0, 0x11, "SHA3-256 with RSA Encryption, SHA3-384 with RSA Encryption, SHA3-512 with RSA Encryption"},
	}},
	{tags{TagDerivationMethod}, []run{
		{V10, 0, 0x01, "PBKDF2, HASH, HMAC, ENCRYPT, NIST800-108-C, NIST800-108-F, NIST800-108-DPI"},
		{V14, 0, 0x08, "Asymmetric Key"},
		{V20, 0, 0x09, "AWS Signature Version 4, HKDF"},
	}},
	{tags{TagRecommendedCurve}, []run{
		{V10, 0, 0x01, "P-192, K-163, B-163, P-224, K-233, B-233, P-256, K-283, B-283, P-384, K-409, B-409, P-521, K-571, B-571"},
		{V12, 0, 0x10, "SECP112R1, SECP112R2, SECP128R1, SECP128R2, SECP160K1, SECP160R1, SECP160R2, SECP192K1, SECP224K1"},
		{V12, 0, 0x19, "SECP256K1, SECT113R1, SECT113R2, SECT131R1, SECT131R2, SECT163R1, SECT193R1, SECT193R2, SECT239K1"},
		{V12, 0, 0x22, "ANSIX9P192V2, ANSIX9P192V3, ANSIX9P239V1, ANSIX9P239V2, ANSIX9P239V3"},
		{V12, 0, 0x27, "ANSIX9C2PNB163V1, ANSIX9C2PNB163V2, ANSIX9C2PNB163V3, ANSIX9C2PNB176V1, ANSIX9C2TNB191V1"},
		{V12, 0, 0x2c, "ANSIX9C2TNB191V2, ANSIX9C2TNB191V3, ANSIX9C2PNB208W1, ANSIX9C2TNB239V1, ANSIX9C2TNB239V2"},
		{V12, 0, 0x31, "ANSIX9C2TNB239V3, ANSIX9C2PNB272W1, ANSIX9C2PNB304W1, ANSIX9C2TNB359V1, ANSIX9C2PNB368W1"},
		{V12, 0, 0x36, "ANSIX9C2TNB431R1, BRAINPOOLP160R1, BRAINPOOLP160T1, BRAINPOOLP192R1, BRAINPOOLP192T1"},
		{V12, 0, 0x3b, "BRAINPOOLP224R1, BRAINPOOLP224T1, BRAINPOOLP256R1, BRAINPOOLP256T1, BRAINPOOLP320R1"},
		{V12, 0, 0x40, "BRAINPOOLP320T1, BRAINPOOLP384R1, BRAINPOOLP384T1, BRAINPOOLP512R1, BRAINPOOLP512T1"},
		{V20, 0, 0x45, "CURVE25519, CURVE448"},
	}},
	{tags{TagRNGAlgorithm}, []run{{V13, 0, 0x01, "Unspecified, FIPS 186-2, DRBG, NRBG, ANSI X9.31, ANSI X9.62"}}},
	{tags{TagDRBGAlgorithm}, []run{{V13, 0, 0x01, "Unspecified, Dual-EC, Hash, HMAC, CTR"}}},
	{tags{TagFIPS186Variation}, []run{
		{V13, 0, 0x01, "Unspecified, GP x-Original, GP x-Change Notice, x-Original, x-Change Notice, k-Original, k-Change Notice"},
	}},
}

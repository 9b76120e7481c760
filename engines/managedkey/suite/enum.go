package suite

import "fmt"

// The enumerations carry KMIP's numbers (KMIP 1.4, section 9.1.3.2; KMIP 2.1, section 11). 0 means that the field is absent. Only values that something
// here is done with have names; others come in as numbers and are refused by name of the field.
type (
	Class              uint32 // Object Type, of objects with a key block
	Algorithm          uint32 // Cryptographic Algorithm
	Mode               uint32 // Block Cipher Mode
	Padding            uint32 // Padding Method
	Hash               uint32 // Hashing Algorithm
	SignatureAlgorithm uint32 // Digital Signature Algorithm
	MaskGenerator      uint32 // Mask Generator
	Method             uint32 // Derivation Method
	Sharing            uint32 // Split Key Method
	Format             uint32 // Key Format Type
	Curve              uint32 // Recommended Curve
	Wrapping           uint32 // Wrapping Method
)

// Classes.
const (
	SymmetricKey Class = 2
	PublicKey    Class = 3
	PrivateKey   Class = 4
)

// Algorithms.
const (
	TripleDES        Algorithm = 0x02
	AES              Algorithm = 0x03
	RSA              Algorithm = 0x04
	DSA              Algorithm = 0x05
	ECDSA            Algorithm = 0x06
	HMACSHA1         Algorithm = 0x07
	HMACSHA224       Algorithm = 0x08
	HMACSHA256       Algorithm = 0x09
	HMACSHA384       Algorithm = 0x0a
	HMACSHA512       Algorithm = 0x0b
	ECDH             Algorithm = 0x0e
	EC               Algorithm = 0x1a
	ChaCha20         Algorithm = 0x1c
	ChaCha20Poly1305 Algorithm = 0x1e
	HMACSHA3_224     Algorithm = 0x23
	HMACSHA3_256     Algorithm = 0x24
	HMACSHA3_384     Algorithm = 0x25
	HMACSHA3_512     Algorithm = 0x26
	Ed25519          Algorithm = 0x37
)

// Modes.
const (
	CBC               Mode = 0x01
	ECB               Mode = 0x02
	CFB               Mode = 0x04
	OFB               Mode = 0x05
	CTR               Mode = 0x06
	CMAC              Mode = 0x07
	GCM               Mode = 0x09
	AESKeyWrapPadding Mode = 0x0c
	NISTKeyWrap       Mode = 0x0d
	AEAD              Mode = 0x12
)

// Paddings.
const (
	NoPadding Padding = 0x01
	OAEP      Padding = 0x02
	PKCS5     Padding = 0x03
	Zeros     Padding = 0x05
	ANSIX923  Padding = 0x06
	ISO10126  Padding = 0x07
	PKCS1v15  Padding = 0x08
	PSS       Padding = 0x0a
)

// Hashes.
const (
	MD5        Hash = 0x03
	SHA1       Hash = 0x04
	SHA224     Hash = 0x05
	SHA256     Hash = 0x06
	SHA384     Hash = 0x07
	SHA512     Hash = 0x08
	SHA512_224 Hash = 0x0c
	SHA512_256 Hash = 0x0d
	SHA3_224   Hash = 0x0e
	SHA3_256   Hash = 0x0f
	SHA3_384   Hash = 0x10
	SHA3_512   Hash = 0x11
)

// Signature algorithms.
const (
	SHA1WithRSA     SignatureAlgorithm = 0x03
	SHA224WithRSA   SignatureAlgorithm = 0x04
	SHA256WithRSA   SignatureAlgorithm = 0x05
	SHA384WithRSA   SignatureAlgorithm = 0x06
	SHA512WithRSA   SignatureAlgorithm = 0x07
	RSASSAPSS       SignatureAlgorithm = 0x08
	DSAWithSHA1     SignatureAlgorithm = 0x09
	DSAWithSHA224   SignatureAlgorithm = 0x0a
	DSAWithSHA256   SignatureAlgorithm = 0x0b
	ECDSAWithSHA1   SignatureAlgorithm = 0x0c
	ECDSAWithSHA224 SignatureAlgorithm = 0x0d
	ECDSAWithSHA256 SignatureAlgorithm = 0x0e
	ECDSAWithSHA384 SignatureAlgorithm = 0x0f
	ECDSAWithSHA512 SignatureAlgorithm = 0x10
)

// MGF1 is the one mask generator (RFC 8017, appendix B.2.1).
const MGF1 MaskGenerator = 1

// Derivation methods.
const (
	PBKDF2        Method = 0x01
	HashMethod    Method = 0x02
	HMACMethod    Method = 0x03
	EncryptMethod Method = 0x04
	Counter108    Method = 0x05
	Feedback108   Method = 0x06
	Pipeline108   Method = 0x07
	AsymmetricKey Method = 0x08
	HKDF          Method = 0x0a
)

// Methods of splitting.
const (
	XOR        Sharing = 1
	GF65536    Sharing = 2
	PrimeField Sharing = 3
	GF256      Sharing = 4
)

// Key formats.
const (
	Raw                     Format = 0x01
	Opaque                  Format = 0x02
	PKCS1                   Format = 0x03
	PKCS8                   Format = 0x04
	X509                    Format = 0x05
	ECPrivateKey            Format = 0x06
	TransparentSymmetric    Format = 0x07
	TransparentRSAPrivate   Format = 0x0a
	TransparentRSAPublic    Format = 0x0b
	TransparentECDSAPrivate Format = 0x0e
	TransparentECDSAPublic  Format = 0x0f
	TransparentECDHPrivate  Format = 0x10
	TransparentECDHPublic   Format = 0x11
	TransparentECPrivate    Format = 0x14
	TransparentECPublic     Format = 0x15
)

// Curves.
const (
	P224      Curve = 0x04
	P256      Curve = 0x07
	P384      Curve = 0x0a
	P521      Curve = 0x0d
	SECP256K1 Curve = 0x19
)

// Encrypted is the wrapping method that is done here.
const Encrypted Wrapping = 1

var algorithmNames = map[Algorithm]string{
	TripleDES: "3DES", AES: "AES", RSA: "RSA", DSA: "DSA", ECDSA: "ECDSA", ECDH: "ECDH", EC: "EC", Ed25519: "Ed25519",
	ChaCha20: "ChaCha20", ChaCha20Poly1305: "ChaCha20Poly1305",
	HMACSHA1: "HMAC-SHA1", HMACSHA224: "HMAC-SHA224", HMACSHA256: "HMAC-SHA256", HMACSHA384: "HMAC-SHA384", HMACSHA512: "HMAC-SHA512",
	HMACSHA3_224: "HMAC-SHA3-224", HMACSHA3_256: "HMAC-SHA3-256", HMACSHA3_384: "HMAC-SHA3-384", HMACSHA3_512: "HMAC-SHA3-512",
}

// String returns the name that KMIP gives, or the number: "AES", "algorithm 0x11".
func (a Algorithm) String() string {
	if name, ok := algorithmNames[a]; ok {
		return name
	}
	return fmt.Sprintf("algorithm %#x", uint32(a))
}

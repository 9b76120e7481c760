package kmip

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

var both = []ttlv.Version{ttlv.V14, ttlv.V21}

func TestCreate(t *testing.T) {
	for _, v := range both {
		k := newClerk(t, v)
		out := k.do(ttlv.OperationCreate, typed(managedkey.SymmetricKey), k.with(algorithm(suite.TripleDES), bits(168), usage(managedkey.UseEncrypt), titled("key")))
		require.Equal(t, ttlv.TagObjectType, out.Items()[0].Tag, "the type comes first")
		id := k.text(&out, ttlv.TagUniqueIdentifier)
		got := k.do(ttlv.OperationGet) // of the ID placeholder
		require.Equal(t, id, k.text(&got, ttlv.TagUniqueIdentifier))
		material, err := got.Find(ttlv.TagSymmetricKey).Find(ttlv.TagKeyBlock).Find(ttlv.TagKeyValue).Find(ttlv.TagKeyMaterial).ByteString()
		require.NoError(t, err)
		require.Len(t, material, 24)
		o, err := k.stage.Object(id)
		require.NoError(t, err)
		require.Equal(t, "clerk", o.Owner)
		require.NotZero(t, o.Dates.Original)
		require.Equal(t, managedkey.RNGAlgorithm(ttlv.RNGAlgorithmUnspecified), o.Attributes.RNG.Algorithm)
	}
}

func TestWhatIsNotCreated(t *testing.T) {
	for _, v := range both {
		k := newClerk(t, v)
		aes := k.with(algorithm(suite.AES), bits(128))
		k.refused(ttlv.ResultReasonInvalidMessage, ttlv.OperationCreate, aes)
		reason := map[bool]Reason{false: ttlv.ResultReasonInvalidField, true: ttlv.ResultReasonInvalidObjectType}[v >= ttlv.V20]
		k.refused(reason, ttlv.OperationCreate, typed(managedkey.PrivateKey), aes)
		for _, given := range []ttlv.Item{k.with(), k.with(algorithm(suite.AES)), k.with(bits(128)), k.with(algorithm(suite.AES), bits(129)), k.with(algorithm(suite.RSA), bits(2048))} {
			k.refused(ttlv.ResultReasonInvalidField, ttlv.OperationCreate, typed(managedkey.SymmetricKey), given)
		}
		require.False(t, k.stage.Changed())
	}
}

func TestObjectsAreKeptWhereTheyAre(t *testing.T) {
	k := newClerk(t, ttlv.V21)
	aes := k.with(algorithm(suite.AES), bits(128))
	masks := func(m ...int32) ttlv.Item {
		out := ttlv.Structure(ttlv.TagProtectionStorageMasks)
		for _, bits := range m {
			out.Add(ttlv.Integer(ttlv.TagProtectionStorageMask, bits))
		}
		return out
	}
	k.made(ttlv.OperationCreate, typed(managedkey.SymmetricKey), aes, masks(ttlv.ProtectionHardware, ttlv.ProtectionSoftware))
	k.refused(ttlv.ResultReasonProtectionStorageUnavailable, ttlv.OperationCreate, typed(managedkey.SymmetricKey), aes, masks(ttlv.ProtectionHardware))
}

func (k *clerk) pair(common, private, public []managedkey.Value) []ttlv.Item {
	return []ttlv.Item{k.under(ttlv.TagCommonTemplateAttribute, ttlv.TagCommonAttributes, common...),
		k.under(ttlv.TagPrivateKeyTemplateAttribute, ttlv.TagPrivateKeyAttributes, private...),
		k.under(ttlv.TagPublicKeyTemplateAttribute, ttlv.TagPublicKeyAttributes, public...)}
}

func (k *clerk) madePair(op uint32, items ...ttlv.Item) (private, public string) {
	k.t.Helper()
	out := k.do(op, items...)
	return k.text(&out, ttlv.TagPrivateKeyUniqueIdentifier), k.text(&out, ttlv.TagPublicKeyUniqueIdentifier)
}

func curveIs(c suite.Curve) managedkey.Value {
	return managedkey.Value{Attribute: managedkey.AttrDomain, Value: managedkey.Domain{Curve: managedkey.Curve(c)}}
}

func group(s string) managedkey.Value {
	return managedkey.Value{Attribute: managedkey.AttrGroup, Value: s}
}

func TestCreateKeyPair(t *testing.T) {
	for _, v := range both {
		k := newClerk(t, v)
		for name, c := range map[string]struct {
			common []managedkey.Value
			curve  []any
		}{
			"RSA":       {[]managedkey.Value{algorithm(suite.RSA), bits(2048)}, nil},
			"P-256":     {[]managedkey.Value{algorithm(suite.ECDSA), bits(256)}, []any{managedkey.Domain{Curve: managedkey.Curve(suite.P256)}}},
			"secp256k1": {[]managedkey.Value{algorithm(suite.EC), curveIs(suite.SECP256K1)}, []any{managedkey.Domain{Curve: managedkey.Curve(suite.SECP256K1)}}},
		} {
			t.Run(name, func(t *testing.T) {
				k := k.on(t)
				common := append(c.common, usage(managedkey.UseEncrypt), group("all"), group("common "+name))
				private, public := k.madePair(ttlv.OperationCreateKeyPair, k.pair(common, []managedkey.Value{usage(managedkey.UseSign), group("all")},
					[]managedkey.Value{usage(managedkey.UseVerify)})...)
				require.Equal(t, private, k.placeholder)
				require.Equal(t, []any{managedkey.UseSign}, k.values(private, managedkey.AttrUsage))
				require.Equal(t, []any{managedkey.UseVerify}, k.values(public, managedkey.AttrUsage))
				require.Equal(t, []any{"common " + name, "all"}, k.values(private, managedkey.AttrGroup), "common ones, without those that the half has too")
				require.Equal(t, []any{managedkey.Link{Type: managedkey.PublicKeyLink, Target: public}}, k.values(private, managedkey.AttrLink))
				require.Equal(t, c.curve, k.values(private, managedkey.AttrDomain))
				require.Equal(t, c.curve, k.values(public, managedkey.AttrDomain))
			})
		}
		for name, halves := range map[string][3][]managedkey.Value{
			"no algorithm":   {},
			"two algorithms": {nil, {algorithm(suite.EC), curveIs(suite.P256)}, {algorithm(suite.RSA), bits(2048)}},
			"two lengths":    {{algorithm(suite.RSA)}, {bits(2048)}, {bits(3072)}},
			"another size":   {{algorithm(suite.EC), bits(384), curveIs(suite.P256)}},
			"symmetric":      {{algorithm(suite.AES), bits(128)}},
		} {
			t.Run(name, func(t *testing.T) {
				k := k.on(t)
				k.refused(ttlv.ResultReasonInvalidField, ttlv.OperationCreateKeyPair, k.pair(halves[0], halves[1], halves[2])...)
			})
		}
	}
}

// certificate makes one, and a certificate request of the same key.
func certificate(t testing.TB) (der, request []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	subject := pkix.Name{CommonName: "leaf", Organization: []string{"Acme"}}
	der, err = x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(300), Subject: subject, DNSNames: []string{"a.example"},
		NotAfter: time.Now().Add(time.Hour)}, &x509.Certificate{Subject: pkix.Name{CommonName: "root"}}, key.Public(), key)
	require.NoError(t, err)
	request, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, key)
	require.NoError(t, err)
	return der, request
}

func certificateOf(der []byte) ttlv.Item {
	return ttlv.Structure(ttlv.TagCertificate, ttlv.Enumeration(ttlv.TagCertificateType, ttlv.CertificateTypeX509), ttlv.ByteString(ttlv.TagCertificateValue, der))
}

func partItem(t testing.TB, threshold int32) ttlv.Item {
	return ttlv.Structure(ttlv.TagSplitKey, ttlv.Integer(ttlv.TagSplitKeyParts, 3), ttlv.Integer(ttlv.TagKeyPartIdentifier, 2),
		ttlv.Integer(ttlv.TagSplitKeyThreshold, threshold), ttlv.Enumeration(ttlv.TagSplitKeyMethod, ttlv.SplitKeyMethodPolynomialSharingGF28),
		blockItem(ttlv.KeyFormatTypeRaw, ttlv.CryptographicAlgorithmAES, 128, rawItem(unhex(t, knownAES))))
}

func TestObjectsComeBackAsTheyWent(t *testing.T) {
	der, request := certificate(t)
	secret := blockItem(ttlv.KeyFormatTypeOpaque, 0, 0, rawItem([]byte("letmein")))
	for _, c := range []struct {
		of     managedkey.ObjectType
		object ttlv.Item
		format uint32
	}{
		{managedkey.SymmetricKey, aesItem(t, knownAES), ttlv.KeyFormatTypeRaw},
		{managedkey.SecretData, ttlv.Structure(ttlv.TagSecretData, ttlv.Enumeration(ttlv.TagSecretDataType, ttlv.SecretDataTypePassword), secret), ttlv.KeyFormatTypeOpaque},
		{managedkey.OpaqueObject, ttlv.Structure(ttlv.TagOpaqueObject, ttlv.Enumeration(ttlv.TagOpaqueDataType, 0x80000001),
			hexItem(t, ttlv.TagOpaqueDataValue, "00")), ttlv.KeyFormatTypeOpaque},
		{managedkey.PGPKey, ttlv.Structure(ttlv.TagPGPKey, ttlv.Integer(ttlv.TagPGPKeyVersion, 4),
			blockItem(ttlv.KeyFormatTypeRaw, ttlv.CryptographicAlgorithmRSA, 2048, rawItem([]byte("-----BEGIN")))), ttlv.KeyFormatTypeRaw},
		{managedkey.SplitKey, partItem(t, 2), ttlv.KeyFormatTypeRaw},
		{managedkey.Certificate, certificateOf(der), ttlv.KeyFormatTypeX509},
		{managedkey.CertificateRequest, ttlv.Structure(ttlv.TagCertificateRequest, ttlv.Enumeration(ttlv.TagCertificateRequestType, ttlv.CertificateRequestTypePKCS10),
			ttlv.ByteString(ttlv.TagCertificateRequestValue, request)), ttlv.KeyFormatTypePKCS10},
		{managedkey.Template, ttlv.Structure(ttlv.TagTemplate, attributeItem(ttlv.V14, managedkey.Instance{Attribute: managedkey.AttrContact, Value: "Joe"})), 0},
	} {
		for _, v := range both {
			if span, _ := ttlv.EnumSpan(ttlv.TagObjectType, uint32(c.of)); !span.Has(v) {
				k := newClerk(t, v)
				reason := map[bool]Reason{false: ttlv.ResultReasonInvalidField, true: ttlv.ResultReasonInvalidObjectType}[v >= ttlv.V20]
				k.refused(reason, ttlv.OperationRegister, typed(c.of), c.object)
				continue
			}
			k := newClerk(t, v)
			id := k.register(c.of, c.object, titled("object"))
			out := k.get(id)
			require.Len(t, out.Items(), 3)
			require.True(t, out.Items()[2].Equal(&c.object), "%s", c.object.Tag)
			if c.format != 0 {
				out = k.get(id, ttlv.Enumeration(ttlv.TagKeyFormatType, c.format))
				require.True(t, out.Items()[2].Equal(&c.object))
				k.refused(ttlv.ResultReasonKeyFormatTypeNotSupported, ttlv.OperationGet, idItem(id), ttlv.Enumeration(ttlv.TagKeyFormatType, ttlv.KeyFormatTypePKCS1))
			}
		}
	}
}

func TestObjectsThatAreNone(t *testing.T) {
	k := newClerk(t, ttlv.V21)
	der, _ := certificate(t)
	pgp := certificateOf(der)
	pgp.Items()[0] = ttlv.Enumeration(ttlv.TagCertificateType, ttlv.CertificateTypePGP)
	prime := partItem(t, 2)
	prime.Add(integer(ttlv.TagPrimeFieldSize, 257))
	for of, objects := range map[managedkey.ObjectType][]ttlv.Item{
		managedkey.Certificate: {certificateOf(der[1:]), certificateOf(nil), pgp},
		managedkey.CertificateRequest: {ttlv.Structure(ttlv.TagCertificateRequest, ttlv.Enumeration(ttlv.TagCertificateRequestType, ttlv.CertificateRequestTypePKCS10),
			ttlv.ByteString(ttlv.TagCertificateRequestValue, der)), ttlv.Structure(ttlv.TagCertificateRequest,
			ttlv.Enumeration(ttlv.TagCertificateRequestType, ttlv.CertificateRequestTypePEM), ttlv.ByteString(ttlv.TagCertificateRequestValue, der))},
		managedkey.OpaqueObject: {ttlv.Structure(ttlv.TagOpaqueObject, ttlv.Enumeration(ttlv.TagOpaqueDataType, 1), ttlv.ByteString(ttlv.TagOpaqueDataValue, nil))},
		managedkey.SplitKey:     {prime},
	} {
		for _, object := range objects {
			k.refused(ttlv.ResultReasonInvalidField, ttlv.OperationRegister, typed(of), object)
		}
	}
	k.refused(ttlv.ResultReasonInvalidAttributeValue, ttlv.OperationRegister, typed(managedkey.SplitKey), partItem(t, 4))
	require.False(t, k.stage.Changed())
}

func TestACertificateSaysWhatItIs(t *testing.T) {
	k := newClerk(t, ttlv.V14)
	der, _ := certificate(t)
	id := k.register(managedkey.Certificate, certificateOf(der))
	o, err := k.stage.Object(id)
	require.NoError(t, err)
	c := o.Attributes.Certificate
	require.Equal(t, "CN=leaf,O=Acme", c.Subject)
	require.Equal(t, "CN=root", c.Issuer)
	require.Equal(t, unhex(t, "0202012c"), c.Serial)
	require.Len(t, c.SubjectAltName, 1)
	require.Equal(t, uint32(len(der)), c.Length)
	require.Equal(t, []managedkey.Signature{managedkey.Signature(suite.ECDSAWithSHA256)}, o.Attributes.Signatures.Values())
	require.Equal(t, uint32(256), o.Key.Length)
}

func TestTemplatesGiveTheirAttributes(t *testing.T) {
	k := newClerk(t, ttlv.V12)
	template := ttlv.Structure(ttlv.TagTemplate)
	for _, v := range []managedkey.Value{algorithm(suite.AES), bits(256), usage(managedkey.UseEncrypt)} {
		template.Add(attributeItem(ttlv.V12, managedkey.Instance{Attribute: v.Attribute, Value: v.Value}))
	}
	k.register(managedkey.Template, template, titled("template"))
	called := func(name string) ttlv.Item {
		out := k.with(usage(managedkey.UseDecrypt))
		out.Add(encode(ttlv.TagName, managedkey.Name{Value: name, Type: managedkey.TextName}))
		return out
	}
	id := k.made(ttlv.OperationCreate, typed(managedkey.SymmetricKey), called("template"))
	require.Equal(t, []any{uint32(256)}, k.values(id, managedkey.AttrLength))
	require.Equal(t, []any{managedkey.UseDecrypt}, k.values(id, managedkey.AttrUsage), "the request's own counts")
	require.Empty(t, k.values(id, managedkey.AttrName), "the template's name is its own")
	k.refused(ttlv.ResultReasonItemNotFound, ttlv.OperationCreate, typed(managedkey.SymmetricKey), called("other"))
	nested := ttlv.Structure(ttlv.TagTemplate, encode(ttlv.TagName, managedkey.Name{Value: "template", Type: managedkey.TextName}))
	k.refused(ttlv.ResultReasonInvalidMessage, ttlv.OperationRegister, typed(managedkey.Template), nested)
}

func TestParametersOfARequestLieOverTheObjects(t *testing.T) {
	yes, salt, iv := true, uint32(0), uint32(96)
	o := &managedkey.Object{}
	o.Attributes.Parameters = managedkey.Many[managedkey.Parameters]{{Value: managedkey.Parameters{BlockMode: 1, Padding: 3, RandomIV: &yes, SaltLength: &salt}}}
	asked := encode(ttlv.TagCryptographicParameters, managedkey.Parameters{BlockMode: 9, IVLength: &iv})
	p, err := params(o, &asked)
	require.NoError(t, err)
	none := 0
	require.Equal(t, suite.Params{Mode: suite.GCM, Padding: suite.PKCS5, RandomIV: true, SaltLength: &none, IVLength: 96}, p)
	p, err = params(nil, nil)
	require.NoError(t, err)
	require.Zero(t, p)
	broken := ttlv.Structure(ttlv.TagCryptographicParameters, ttlv.Integer(ttlv.TagBlockCipherMode, 1))
	_, err = params(o, &broken)
	require.Equal(t, ttlv.ResultReasonInvalidMessage, refusalOf(err).Reason)
}

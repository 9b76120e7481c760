package kmip

import (
	"errors"
	"maps"
	"testing"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// FuzzMaking wants an answer or a refusal of every operation that makes, gives out or replaces objects to whatever is a payload at all, and an answer that can be
// written.
func FuzzMaking(f *testing.F) {
	k := newClerk(f, ttlv.V14)
	kek := k.kek(managedkey.UseWrap | managedkey.UseUnwrap | managedkey.UseDerive)
	der, _ := certificate(f)
	wrapped := hexItem(f, ttlv.TagKeyValue, "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5")
	foreign, item := k.foreign(kek, wrapped, noEncoding)
	k.parts(append(splitItem(2, 2, ttlv.SplitKeyMethodXOR), idItem(kek))...)
	dsa := valueItem(ttlv.Structure(ttlv.TagKeyMaterial, integer(ttlv.TagP, 23), integer(ttlv.TagQ, 11), integer(ttlv.TagG, 4), integer(ttlv.TagX, 7)))
	for _, items := range [][]ttlv.Item{
		{typed(managedkey.SymmetricKey), k.with(algorithm(suite.AES), bits(128)), aesItem(f, knownAES)},
		{typed(managedkey.SymmetricKey), item},
		{typed(managedkey.PrivateKey), ttlv.Structure(ttlv.TagPrivateKey, blockItem(ttlv.KeyFormatTypeTransparentDSAPrivateKey, 0, 0, dsa))},
		{typed(managedkey.Certificate), certificateOf(der)},
		{typed(managedkey.SecretData), passwordItem("letmein")},
		{typed(managedkey.SplitKey), partItem(f, 2)},
		{typed(managedkey.Template), ttlv.Structure(ttlv.TagTemplate)},
		{idItem(kek), specification(kek), ttlv.Enumeration(ttlv.TagKeyFormatType, ttlv.KeyFormatTypeTransparentSymmetricKey)},
		{idItem(foreign), ttlv.Enumeration(ttlv.TagKeyWrapType, ttlv.KeyWrapTypeNotWrapped)},
		{typed(managedkey.SymmetricKey), idItem(kek), method(ttlv.DerivationMethodHASH), derivationItem(sha256Item), k.with(algorithm(suite.AES), bits(128))},
		append(splitItem(3, 2, ttlv.SplitKeyMethodPolynomialSharingPrimeField), idItem(kek)),
	} {
		in := ttlv.Structure(ttlv.TagRequestPayload, items...)
		b, err := ttlv.Marshal(&in, ttlv.Limits{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	all := map[uint32]operation{}
	for _, table := range []map[uint32]operation{makingOperations, gettingOperations, replacingOperations, derivingOperations, splittingOperations, importingOperations} {
		maps.Copy(all, table)
	}
	delete(all, ttlv.OperationCreateKeyPair) // which takes its time
	f.Fuzz(func(t *testing.T, b []byte) {
		for op, o := range all {
			for _, v := range both {
				in, err := ttlv.Parse(b, ttlv.Limits{})
				if err != nil {
					return
				}
				k.placeholder = kek
				err = k.stage.Whole(func() error { // and undone, so that the stage stays as it is
					out, err := o.do(&call{k.session, t.Context(), v, in})
					if (out == nil) == (err == nil) {
						t.Fatalf("operation %#x: neither an answer nor a refusal", op)
					}
					if _, failed := ttlv.Marshal(out, ttlv.Limits{}); err == nil && failed != nil {
						t.Fatalf("operation %#x: %v", op, failed)
					}
					return errUndone
				})
				if !errors.Is(err, errUndone) {
					t.Fatal(err)
				}
			}
		}
	})
}

package kmip

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// request is a payload without its identifier that a key in order would be used for.
func request(t testing.TB, op uint32) []ttlv.Item {
	data, params := hexItem(t, ttlv.TagData, oneBlock), paramsItem(ecb...)
	switch op {
	case ttlv.OperationMAC, ttlv.OperationMACVerify:
		params = paramsItem(ttlv.TagCryptographicAlgorithm, ttlv.CryptographicAlgorithmHMACSHA256)
	case ttlv.OperationSign, ttlv.OperationSignatureVerify:
		params = paramsItem(ttlv.TagPaddingMethod, ttlv.PaddingMethodPSS, ttlv.TagHashingAlgorithm, ttlv.HashingAlgorithmSHA256)
	}
	return []ttlv.Item{params, data, hexItem(t, ttlv.TagSignatureData, oneBlock), hexItem(t, ttlv.TagMACData, oneBlock)}
}

var (
	protectingOps = []uint32{ttlv.OperationEncrypt, ttlv.OperationMAC}
	processingOps = []uint32{ttlv.OperationDecrypt, ttlv.OperationMACVerify}
	keyedOps      = append(append([]uint32{ttlv.OperationSign, ttlv.OperationSignatureVerify}, protectingOps...), processingOps...)
)

const anyUse = bothWays | managedkey.UseMACGenerate | managedkey.UseMACVerify

// TestStates is the table of states and dates: which keys protect, and which process what they protected.
func TestStates(t *testing.T) {
	l := newLab(t, Caller{})
	revoke := func(code managedkey.RevocationCode) func(string) error {
		return func(id string) error { return l.stage.Revoke(id, managedkey.Revocation{Code: code}, 0) }
	}
	both := func(first, then func(string) error) func(string) error {
		return func(id string) error {
			if err := first(id); err != nil {
				return err
			}
			return then(id)
		}
	}
	dated := func(a managedkey.Attribute, d time.Duration) managedkey.Value {
		return managedkey.Value{Attribute: a, Value: l.when(d)}
	}
	for _, c := range map[string]struct {
		dates               []managedkey.Value
		done                func(id string) error
		protects, processes bool
		older, newer        Reason // 0: those of a wrong state
	}{
		"active":        {nil, nil, true, true, 0, 0},
		"deactivated":   {nil, revoke(managedkey.Unspecified), false, true, 0, 0},
		"expired":       {[]managedkey.Value{dated(managedkey.AttrDeactivation, -time.Minute)}, nil, false, true, 0, 0},
		"compromised":   {nil, revoke(managedkey.KeyCompromise), false, false, 0, 0},
		"protect stop":  {[]managedkey.Value{dated(managedkey.AttrProtectStop, -time.Minute)}, nil, false, true, 0, 0},
		"process start": {[]managedkey.Value{dated(managedkey.AttrProcessStart, time.Hour)}, nil, true, false, 0, 0},
		"archived":      {nil, l.stage.Archive, false, false, ttlv.ResultReasonObjectArchived, ttlv.ResultReasonObjectArchived},
		"destroyed": {nil, both(revoke(managedkey.Unspecified), l.stage.Destroy), false, false, reasonIn(ttlv.V14, ttlv.ResultReasonObjectDestroyed),
			ttlv.ResultReasonObjectDestroyed},
	} {
		if c.older == 0 {
			c.older, c.newer = ttlv.ResultReasonPermissionDenied, ttlv.ResultReasonWrongKeyLifecycleState
		}
		id := l.aes(knownKey, anyUse, c.dates...)
		if c.done != nil {
			require.NoError(t, c.done(id))
		}
		for _, op := range protectingOps {
			l.may(c.protects, op, id, c.older, c.newer)
		}
		for _, op := range processingOps {
			l.may(c.processes, op, id, c.older, c.newer)
		}
	}
	early, err := l.stage.Register(managedkey.Spec{Type: managedkey.SymmetricKey, Material: unhex(t, knownKey),
		Key: managedkey.Key{Format: managedkey.RawFormat, Algorithm: managedkey.AES}, Attributes: []managedkey.Value{{Attribute: managedkey.AttrUsage, Value: anyUse}}})
	require.NoError(t, err)
	for _, op := range []uint32{ttlv.OperationEncrypt, ttlv.OperationDecrypt} {
		l.refused(op, ttlv.ResultReasonPermissionDenied, ttlv.ResultReasonWrongKeyLifecycleState, of(early, request(t, op)[:2])...)
	}
}

// may wants an operation with a key to be done, or to be refused for a reason.
func (l *lab) may(may bool, op uint32, id string, older, newer Reason) {
	l.t.Helper()
	if !may {
		l.refused(op, older, newer, of(id, fitting(l.t, op))...)
		return
	}
	_, why := l.ask(ttlv.V14, op, of(id, fitting(l.t, op))...)
	require.Nil(l.t, why)
}

// TestMasks is the table of usage masks and of types: each operation has its own bit and its own keys.
func TestMasks(t *testing.T) {
	l := newLab(t, Caller{})
	mine := map[uint32]managedkey.UsageMask{
		ttlv.OperationEncrypt: managedkey.UseEncrypt, ttlv.OperationDecrypt: managedkey.UseDecrypt,
		ttlv.OperationMAC: managedkey.UseMACGenerate, ttlv.OperationMACVerify: managedkey.UseMACVerify,
	}
	for op, bit := range mine {
		id := l.aes(knownKey, bit)
		for other := range mine {
			l.may(other == op, other, id, ttlv.ResultReasonPermissionDenied, ttlv.ResultReasonIncompatibleCryptographicUsageMask)
		}
		for _, signs := range []uint32{ttlv.OperationSign, ttlv.OperationSignatureVerify} {
			l.refused(signs, ttlv.ResultReasonIllegalOperation, ttlv.ResultReasonIllegalObjectType, of(id, request(t, signs))...)
		}
	}
	secret, err := l.stage.Register(managedkey.Spec{Type: managedkey.SecretData, Material: []byte("x"), Key: managedkey.Key{Format: managedkey.RawFormat},
		Attributes: []managedkey.Value{{Attribute: managedkey.AttrUsage, Value: anyUse}}})
	require.NoError(t, err)
	for _, op := range keyedOps {
		l.refused(op, ttlv.ResultReasonIllegalOperation, ttlv.ResultReasonIllegalObjectType, of(secret, request(t, op))...)
		l.refused(op, ttlv.ResultReasonItemNotFound, ttlv.ResultReasonObjectNotFound, append([]ttlv.Item{idItem("nobody")}, request(t, op)...)...)
		l.refused(op, ttlv.ResultReasonItemNotFound, ttlv.ResultReasonItemNotFound, request(t, op)...)
	}
	wrapped := l.key(managedkey.SymmetricKey, managedkey.Key{Format: managedkey.RawFormat, Algorithm: managedkey.AES, Wrapping: []byte{1}}, unhex(t, knownKey), anyUse)
	l.refused(ttlv.OperationEncrypt, ttlv.ResultReasonIllegalOperation, ttlv.ResultReasonPermissionDenied, of(wrapped, fitting(t, ttlv.OperationEncrypt))...)
}

// of puts the identifier of a key in front of a request.
func of(id string, items []ttlv.Item) []ttlv.Item { return append([]ttlv.Item{idItem(id)}, items...) }

// fitting is a request for an AES key.
func fitting(t testing.TB, op uint32) []ttlv.Item {
	all := request(t, op)
	if op == ttlv.OperationMACVerify {
		return []ttlv.Item{all[0], all[1], all[3]}
	}
	return all[:2]
}

// TestPartsOfMessagesAreRefused: what begins and does not end, what does not end, and what goes on.
func TestPartsOfMessagesAreRefused(t *testing.T) {
	l := newLab(t, Caller{})
	id := l.aes(knownKey, anyUse)
	begins, ends := ttlv.Boolean(ttlv.TagInitIndicator, true), ttlv.Boolean(ttlv.TagFinalIndicator, true)
	open := ttlv.Boolean(ttlv.TagFinalIndicator, false)
	goes := hexItem(t, ttlv.TagCorrelationValue, "01")
	for _, op := range append([]uint32{ttlv.OperationHash}, keyedOps...) {
		for _, part := range [][]ttlv.Item{{begins}, {begins, open}, {open}, {goes}, {goes, ends}, {goes, open}} {
			items := append([]ttlv.Item{idItem(id)}, append(request(t, op), part...)...)
			l.refused(op, ttlv.ResultReasonFeatureNotSupported, ttlv.ResultReasonFeatureNotSupported, items...)
		}
	}
	for _, whole := range [][]ttlv.Item{{begins, ends}, {ends}, {ttlv.Boolean(ttlv.TagInitIndicator, false)}} {
		_, why := l.ask(ttlv.V14, ttlv.OperationEncrypt, append(of(id, request(t, ttlv.OperationEncrypt)[:2]), whole...)...)
		require.Nil(t, why)
	}
}

// TestWhatFailsSaysWhatItMay: parameters are told by name, and what fails with good ones is one failure.
func TestWhatFailsSaysWhatItMay(t *testing.T) {
	l := newLab(t, Caller{})
	id := idItem(l.aes(knownKey, anyUse))
	data, iv := hexItem(t, ttlv.TagData, oneBlock), hexItem(t, ttlv.TagIVCounterNonce, oneBlock)
	nonce, tag := hexItem(t, ttlv.TagIVCounterNonce, "000000000000000000000000"), hexItem(t, ttlv.TagAuthenticatedEncryptionTag, oneBlock)
	const field, message, unsupported = ttlv.ResultReasonInvalidField, ttlv.ResultReasonInvalidMessage, ttlv.ResultReasonUnsupportedCryptographicParameters
	const general, failed = ttlv.ResultReasonGeneralFailure, ttlv.ResultReasonCryptographicFailure
	for name, c := range map[string]struct {
		op           uint32
		older, newer Reason
		items        []ttlv.Item
	}{
		"no mode":           {ttlv.OperationEncrypt, field, unsupported, []ttlv.Item{id, data}},
		"a mode of nothing": {ttlv.OperationEncrypt, field, unsupported, []ttlv.Item{id, paramsItem(ttlv.TagBlockCipherMode, uint32(0x7f)), data}},
		"another padding":   {ttlv.OperationEncrypt, field, unsupported, []ttlv.Item{id, paramsItem(append(ecb, ttlv.TagPaddingMethod, ttlv.PaddingMethodPSS)...), data}},
		"another algorithm": {ttlv.OperationEncrypt, field, unsupported,
			[]ttlv.Item{id, paramsItem(append(ecb, ttlv.TagCryptographicAlgorithm, ttlv.CryptographicAlgorithmRSA)...), data}},
		"no IV":              {ttlv.OperationEncrypt, message, message, []ttlv.Item{id, paramsItem(cbc...), data}},
		"no IV to decrypt":   {ttlv.OperationDecrypt, message, message, []ttlv.Item{id, paramsItem(cbc...), data}},
		"a short IV":         {ttlv.OperationEncrypt, field, field, []ttlv.Item{id, paramsItem(cbc...), data, hexItem(t, ttlv.TagIVCounterNonce, "01")}},
		"an IV for ECB":      {ttlv.OperationEncrypt, field, field, []ttlv.Item{id, paramsItem(ecb...), data, iv}},
		"half a block":       {ttlv.OperationEncrypt, field, field, []ttlv.Item{id, paramsItem(ecb...), hexItem(t, ttlv.TagData, "01")}},
		"a tag of one byte":  {ttlv.OperationEncrypt, general, general, []ttlv.Item{id, paramsItem(append(gcm, ttlv.TagTagLength, 1)...), data, nonce}},
		"a tag of 32":        {ttlv.OperationEncrypt, general, general, []ttlv.Item{id, paramsItem(append(gcm, ttlv.TagTagLength, 32)...), data, nonce}},
		"no tag":             {ttlv.OperationDecrypt, field, field, []ttlv.Item{id, paramsItem(gcm...), data, nonce}},
		"a negative length":  {ttlv.OperationEncrypt, field, field, []ttlv.Item{id, paramsItem(append(gcm, ttlv.TagTagLength, -1)...), data, nonce}},
		"no data":            {ttlv.OperationEncrypt, message, message, []ttlv.Item{id, paramsItem(ecb...)}},
		"text for data":      {ttlv.OperationEncrypt, message, message, []ttlv.Item{id, paramsItem(ecb...), ttlv.TextString(ttlv.TagData, "x")}},
		"no MAC to verify":   {ttlv.OperationMACVerify, message, message, []ttlv.Item{id, data}},
		"no MAC algorithm":   {ttlv.OperationMAC, field, unsupported, []ttlv.Item{id, data}},
		"no hash":            {ttlv.OperationHash, message, message, []ttlv.Item{data}},
		"an empty hash":      {ttlv.OperationHash, field, unsupported, []ttlv.Item{paramsItem(), data}},
		"no data length":     {ttlv.OperationRNGRetrieve, message, message, nil},
		"no seed":            {ttlv.OperationRNGSeed, message, message, nil},
		"nothing to sign":    {ttlv.OperationSign, message, message, []ttlv.Item{id}},
		"two things to sign": {ttlv.OperationSign, message, message, []ttlv.Item{id, data, hexItem(t, ttlv.TagDigestedData, oneBlock)}},
		"an empty digest":    {ttlv.OperationSign, field, field, []ttlv.Item{id, hexItem(t, ttlv.TagDigestedData, "")}},
		"no signature":       {ttlv.OperationSignatureVerify, message, message, []ttlv.Item{id, data}},
		"a wrong tag":        {ttlv.OperationDecrypt, failed, failed, []ttlv.Item{id, paramsItem(gcm...), data, nonce, tag}},
		"a wrong padding":    {ttlv.OperationDecrypt, failed, failed, []ttlv.Item{id, paramsItem(cbc...), data, iv}},
		"half a block of it": {ttlv.OperationDecrypt, failed, failed, []ttlv.Item{id, paramsItem(cbc...), hexItem(t, ttlv.TagData, "01"), iv}},
	} {
		t.Run(name, func(t *testing.T) {
			l.t = t
			l.refused(c.op, c.older, c.newer, c.items...)
		})
	}
}

// TestFailuresCannotBeToldApart is the oracle that is not there.
func TestFailuresCannotBeToldApart(t *testing.T) {
	l := newLab(t, Caller{})
	id := idItem(l.aes(knownKey, anyUse))
	iv, seen := hexItem(t, ttlv.TagIVCounterNonce, oneBlock), map[Refusal]bool{}
	for _, data := range []string{oneBlock, "01", "", oneBlock + oneBlock} {
		_, why := l.ask(ttlv.V14, ttlv.OperationDecrypt, id, paramsItem(cbc...), hexItem(t, ttlv.TagData, data), iv)
		require.NotNil(t, why)
		seen[*why] = true
	}
	require.Len(t, seen, 1)
}

// TestATagNeedsAVersionThatHasIt: before 1.4 no message could bring it.
func TestATagNeedsAVersionThatHasIt(t *testing.T) {
	l := newLab(t, Caller{})
	id := idItem(l.aes(knownKey, anyUse))
	items := []ttlv.Item{id, paramsItem(gcm...), hexItem(t, ttlv.TagData, oneBlock), hexItem(t, ttlv.TagIVCounterNonce, oneBlock)}
	_, why := l.ask(ttlv.V13, ttlv.OperationEncrypt, items...)
	require.NotNil(t, why)
	require.Equal(t, ttlv.ResultReasonInvalidField, why.Reason)
	_, why = l.ask(ttlv.V14, ttlv.OperationEncrypt, items...)
	require.Nil(t, why)
}

// TestUsageLimits is CS-BC-M-7: what protects takes, what processes does not, and a refusal takes nothing.
func TestUsageLimits(t *testing.T) {
	l := newLab(t, Caller{})
	limited := func(n int64, u managedkey.Unit) managedkey.Value {
		return managedkey.Value{Attribute: managedkey.AttrLimits, Value: managedkey.UsageLimits{Total: n, Unit: u}}
	}
	encrypt := func(id, data string) *Refusal {
		_, why := l.ask(ttlv.V14, ttlv.OperationEncrypt, idItem(id), paramsItem(ecb...), hexItem(t, ttlv.TagData, data))
		return why
	}
	left := func(id string) int64 {
		o, err := l.stage.Object(id)
		require.NoError(t, err)
		return o.Attributes.Limits.Count
	}
	id := l.aes(knownKey, anyUse, limited(40, managedkey.ByteUnit))
	require.NotNil(t, encrypt(id, "01"))
	require.EqualValues(t, 40, left(id))
	require.Nil(t, encrypt(id, oneBlock))
	require.EqualValues(t, 24, left(id))
	for range 3 {
		_, why := l.ask(ttlv.V14, ttlv.OperationDecrypt, idItem(id), paramsItem(ecb...), hexItem(t, ttlv.TagData, oneBlock))
		require.Nil(t, why)
	}
	_, why := l.ask(ttlv.V14, ttlv.OperationMAC, of(id, fitting(t, ttlv.OperationMAC))...)
	require.Nil(t, why)
	require.EqualValues(t, 8, left(id))
	l.refused(ttlv.OperationEncrypt, ttlv.ResultReasonPermissionDenied, ttlv.ResultReasonUsageLimitExceeded, of(id, fitting(t, ttlv.OperationEncrypt))...)
	require.EqualValues(t, 8, left(id))

	id = l.aes(knownKey, anyUse, limited(1, managedkey.ObjectUnit))
	require.Nil(t, encrypt(id, oneBlock+oneBlock))
	require.Zero(t, left(id))
	require.NotNil(t, encrypt(id, oneBlock))
}

// TestAPayloadOwnsWhatItAnswersWith: wiping the request leaves the answer, and the reverse.
func TestAPayloadOwnsWhatItAnswersWith(t *testing.T) {
	l := newLab(t, Caller{})
	id := l.aes(knownKey, anyUse)
	for _, op := range append(protectingOps, ttlv.OperationDecrypt, ttlv.OperationHash) {
		in := ttlv.Structure(ttlv.TagRequestPayload, of(id, fitting(t, op))...)
		if op == ttlv.OperationHash {
			in = ttlv.Structure(ttlv.TagRequestPayload, paramsItem(ttlv.TagHashingAlgorithm, ttlv.HashingAlgorithmSHA256), hexItem(t, ttlv.TagData, oneBlock))
		}
		before, err := ttlv.Marshal(&in, ttlv.Limits{})
		require.NoError(t, err)
		out, err := cryptoOperations[op].do(&call{l.session, t.Context(), ttlv.V14, &in})
		require.NoError(t, err)
		out.Wipe()
		after, err := ttlv.Marshal(&in, ttlv.Limits{})
		require.NoError(t, err)
		require.Equal(t, before, after)
	}
}

package kmip

import (
	"errors"
	"slices"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// cryptoOperations work with keys inside the server (KMIP 1.4 sections 4.29 to 4.37, KMIP 2.1 section 6.1). They change nothing but usage limits, of keys that have
// some: the stage tells whether it was so.
//
// A parameter that neither the request nor the object has is not made up: the operation fails where the algorithm needs it, as section 4.29 has it, be it a block
// cipher mode, a padding of RSA or a hash. The suite's defaults are for what is no choice: no padding of symmetric ciphers, a whole tag, MGF1 with the hash that is
// given, a salt as long as the hash, and the hash that goes with an elliptic curve.
var cryptoOperations = map[uint32]operation{
	ttlv.OperationEncrypt:         {encrypt, false},
	ttlv.OperationDecrypt:         {decrypt, false},
	ttlv.OperationSign:            {sign, false},
	ttlv.OperationSignatureVerify: {verifySignature, false},
	ttlv.OperationMAC:             {makeMAC, false},
	ttlv.OperationMACVerify:       {verifyMAC, false},
	ttlv.OperationHash:            {hashData, false},
	ttlv.OperationRNGRetrieve:     {retrieveRandom, false},
	ttlv.OperationRNGSeed:         {seedRandom, false},
}

// work is what an operation does with a key.
type work struct {
	as     managedkey.UsageMask    // one bit of the usage mask
	types  []managedkey.ObjectType // of objects that do it
	length int                     // bytes that it takes from usage limits; 0 of what only processes
}

// under carries f out with the key that the call names and the parameters that the operation has, and returns the key's identifier. The key is wiped behind f,
// which must not keep it. What is taken from usage limits is not when the operation is refused: the session undoes all of it.
func (c *call) under(w work, f func(k *suite.Key, p suite.Params) error) (id string, err error) {
	if id, err = c.object(); err != nil {
		return "", err
	}
	o, err := c.stage.Object(id)
	if err == nil && !slices.Contains(w.types, o.Type) {
		err = refuse(ttlv.ResultReasonIllegalObjectType, "object %s is of a type that does not do the operation", id)
	}
	if err != nil {
		return "", err
	}
	p, err := params(&o, c.in.Find(ttlv.TagCryptographicParameters))
	if err != nil {
		return "", err
	}
	return id, c.with(&o, w, func(k *suite.Key) error { return unfit(f(k, p)) })
}

// with opens a key, if its state and its usage mask let it do the work. What a deactivated key protected it may still process; a compromised one is left to
// whoever may get it.
func (c *call) with(o *managedkey.Object, w work, f func(k *suite.Key) error) error {
	_, plain, err := c.stage.Use(o.ID, managedkey.Use{As: w.as, Length: int64(w.length), Old: o.StateAt(c.stage.Now()) == managedkey.Deactivated})
	if err != nil {
		return err
	}
	defer clear(plain)
	k, err := parseKey(o.Type, &o.Key, plain)
	if err != nil {
		return err
	}
	defer k.Wipe()
	return f(k)
}

// whole refuses a part of a message (section 4.29): messages come in one piece here. One that is the first part and the last is whole.
func (c *call) whole() error {
	first, _, err := optional(c.in, ttlv.TagInitIndicator, (*ttlv.Item).Boolean)
	if err != nil {
		return err
	}
	last, said, err := optional(c.in, ttlv.TagFinalIndicator, (*ttlv.Item).Boolean)
	if err != nil {
		return err
	}
	if c.in.Find(ttlv.TagCorrelationValue) != nil || first && !last || said && !last {
		return refuse(ttlv.ResultReasonFeatureNotSupported, "this server takes a message in one piece, not in parts")
	}
	return nil
}

// data reads the data of an operation, all of it.
func (c *call) data() ([]byte, error) {
	if err := c.whole(); err != nil {
		return nil, err
	}
	return required(c.in, ttlv.TagData, (*ttlv.Item).ByteString)
}

// parameterReasons are the parameters that the suite finds fault with, by its names of fields, and the reason that says so. That a tag's length is a general
// failure is the published cases' word (CS-BC-M-GCM-1, of 1.4 and of 2.1).
var parameterReasons = map[string]Reason{
	"block_cipher_mode":                ttlv.ResultReasonUnsupportedCryptographicParameters,
	"padding_method":                   ttlv.ResultReasonUnsupportedCryptographicParameters,
	"hashing_algorithm":                ttlv.ResultReasonUnsupportedCryptographicParameters,
	"digital_signature_algorithm":      ttlv.ResultReasonUnsupportedCryptographicParameters,
	"cryptographic_algorithm":          ttlv.ResultReasonUnsupportedCryptographicParameters,
	"iv_length":                        ttlv.ResultReasonUnsupportedCryptographicParameters,
	"fixed_field_length":               ttlv.ResultReasonUnsupportedCryptographicParameters,
	"counter_length":                   ttlv.ResultReasonUnsupportedCryptographicParameters,
	"initial_counter_value":            ttlv.ResultReasonUnsupportedCryptographicParameters,
	"salt_length":                      ttlv.ResultReasonUnsupportedCryptographicParameters,
	"mask_generator":                   ttlv.ResultReasonUnsupportedCryptographicParameters,
	"mask_generator_hashing_algorithm": ttlv.ResultReasonUnsupportedCryptographicParameters,
	"tag_length":                       ttlv.ResultReasonGeneralFailure,
}

// unfit says of parameters that do not fit that it is them. All other errors stay as they are: what fails with good parameters is one failure, and says no more.
func unfit(err error) error {
	f, refused := errors.AsType[*fault.Error](err)
	if !refused {
		return err
	}
	if reason, known := parameterReasons[f.Field]; known {
		return refuse(reason, "%s", f.Message)
	}
	return err
}

// validity is the answer to whether something is genuine.
func validity(good bool) ttlv.Item {
	if good {
		return ttlv.Enumeration(ttlv.TagValidityIndicator, ttlv.ValidityIndicatorValid)
	}
	return ttlv.Enumeration(ttlv.TagValidityIndicator, ttlv.ValidityIndicatorInvalid)
}

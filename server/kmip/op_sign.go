package kmip

import (
	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

var (
	signing   = []managedkey.ObjectType{managedkey.PrivateKey}
	verifying = []managedkey.ObjectType{managedkey.PublicKey}
)

// signed reads data or its digest: one of them, and not both.
func (c *call) signed() (in suite.Signed, err error) {
	if err := c.whole(); err != nil {
		return in, err
	}
	data, whole, err := optional(c.in, ttlv.TagData, (*ttlv.Item).ByteString)
	if err != nil {
		return in, err
	}
	digest, digested, err := optional(c.in, ttlv.TagDigestedData, (*ttlv.Item).ByteString)
	switch {
	case err != nil:
		return in, err
	case whole == digested:
		return in, refuse(ttlv.ResultReasonInvalidMessage, "the request has the data or the digested data, and not both")
	case digested && len(digest) == 0:
		return in, refuse(ttlv.ResultReasonInvalidField, "the digested data is empty")
	}
	return suite.Signed{Data: data, Digest: digest}, nil
}

// sign is Sign (KMIP 1.4 section 4.31).
func sign(c *call) (*ttlv.Item, error) {
	in, err := c.signed()
	if err != nil {
		return nil, err
	}
	var signature []byte
	id, err := c.under(work{managedkey.UseSign, signing, len(in.Data) + len(in.Digest)}, func(k *suite.Key, p suite.Params) (err error) {
		signature, err = suite.Sign(k, p, in)
		return err
	})
	if err != nil {
		return nil, err
	}
	return payload(id, ttlv.ByteString(ttlv.TagSignatureData, signature)), nil
}

// verifySignature is Signature Verify (KMIP 1.4 section 4.32). A signature that is not genuine is an answer and no failure.
func verifySignature(c *call) (*ttlv.Item, error) {
	in, err := c.signed()
	if err != nil {
		return nil, err
	}
	signature, err := required(c.in, ttlv.TagSignatureData, (*ttlv.Item).ByteString)
	if err != nil {
		return nil, err
	}
	var good bool
	id, err := c.under(work{managedkey.UseVerify, verifying, 0}, func(k *suite.Key, p suite.Params) (err error) {
		good, err = suite.VerifySignature(k, p, in, signature)
		return err
	})
	if err != nil {
		return nil, err
	}
	return payload(id, validity(good)), nil
}

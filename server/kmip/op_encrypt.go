package kmip

import (
	"errors"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

var (
	encrypting = []managedkey.ObjectType{managedkey.SymmetricKey, managedkey.PublicKey}
	decrypting = []managedkey.ObjectType{managedkey.SymmetricKey, managedkey.PrivateKey}
)

// message reads what is to be encrypted or decrypted, which stays the request's.
func (c *call) message() (m suite.Message, err error) {
	if m.Data, err = c.data(); err != nil {
		return m, err
	}
	for _, part := range []struct {
		tag ttlv.Tag
		at  *[]byte
	}{
		{ttlv.TagIVCounterNonce, &m.IV}, {ttlv.TagAuthenticatedEncryptionAdditionalData, &m.AAD}, {ttlv.TagAuthenticatedEncryptionTag, &m.Tag},
	} {
		if *part.at, _, err = optional(c.in, part.tag, (*ttlv.Item).ByteString); err != nil {
			return m, err
		}
	}
	return m, nil
}

// encrypt is Encrypt (KMIP 1.4 section 4.29). An IV that was made here and the tag of a mode that has one are in the answer.
func encrypt(c *call) (*ttlv.Item, error) {
	m, err := c.message()
	if err != nil {
		return nil, err
	}
	var out suite.Ciphertext
	id, err := c.under(work{managedkey.UseEncrypt, encrypting, len(m.Data)}, func(k *suite.Key, p suite.Params) (err error) {
		if out, err = suite.Encrypt(k, p, m); err == nil {
			err = c.tells(out)
		}
		return missing(m, err)
	})
	if err != nil {
		return nil, err
	}
	items := []ttlv.Item{ttlv.ByteString(ttlv.TagData, out.Data)}
	if out.IV != nil {
		items = append(items, ttlv.ByteString(ttlv.TagIVCounterNonce, out.IV))
	}
	if out.Tag != nil {
		items = append(items, ttlv.ByteString(ttlv.TagAuthenticatedEncryptionTag, out.Tag))
	}
	return payload(id, items...), nil
}

// tells refuses a ciphertext that the version could not give to the client: without its tag nobody can read it again.
func (c *call) tells(out suite.Ciphertext) error {
	if span, _ := ttlv.TagAuthenticatedEncryptionTag.Span(); len(out.Tag) > 0 && !span.Has(c.version) {
		return refuse(ttlv.ResultReasonUnsupportedCryptographicParameters, "version %s has no field for the tag of this mode: speak %s", c.version, span.Since)
	}
	return nil
}

// decrypt is Decrypt (KMIP 1.4 section 4.30).
func decrypt(c *call) (*ttlv.Item, error) {
	m, err := c.message()
	if err != nil {
		return nil, err
	}
	var plain []byte
	id, err := c.under(work{managedkey.UseDecrypt, decrypting, 0}, func(k *suite.Key, p suite.Params) (err error) {
		if p, err = c.opened(k, p); err == nil {
			plain, err = suite.Decrypt(k, p, m)
		}
		return missing(m, err)
	})
	if err != nil {
		clear(plain)
		return nil, err
	}
	return payload(id, ttlv.ByteString(ttlv.TagData, plain)), nil
}

// opened lets a role that has it decrypt with PKCS#1 v1.5 padding, and refuses it to all others.
func (c *call) opened(k *suite.Key, p suite.Params) (suite.Params, error) {
	if k.Algorithm() != suite.RSA || p.Padding != suite.PKCS1v15 {
		return p, nil
	}
	if !c.caller.PKCS1v15 {
		return p, refuse(ttlv.ResultReasonPermissionDenied, "the client's role does not decrypt with PKCS1 v1.5 padding: use OAEP")
	}
	p.Allow |= suite.PKCS1v15Decryption
	return p, nil
}

// missing says of an IV that is not there what the published cases say (CS-BC-M-11).
func missing(m suite.Message, err error) error {
	if f, refused := errors.AsType[*fault.Error](err); refused && f.Field == "iv_counter_nonce" && len(m.IV) == 0 {
		return refuse(ttlv.ResultReasonInvalidMessage, "%s", f.Message)
	}
	return err
}

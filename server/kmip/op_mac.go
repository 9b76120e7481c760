package kmip

import (
	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

var authenticating = []managedkey.ObjectType{managedkey.SymmetricKey}

// makeMAC is MAC (KMIP 1.4 section 4.33).
func makeMAC(c *call) (*ttlv.Item, error) {
	data, err := c.data()
	if err != nil {
		return nil, err
	}
	var mac []byte
	id, err := c.under(work{managedkey.UseMACGenerate, authenticating, len(data)}, func(k *suite.Key, p suite.Params) (err error) {
		mac, err = suite.MAC(k, p, data)
		return err
	})
	if err != nil {
		clear(mac)
		return nil, err
	}
	return payload(id, ttlv.ByteString(ttlv.TagMACData, mac)), nil
}

// verifyMAC is MAC Verify (KMIP 1.4 section 4.34). A MAC is genuine as a whole: a part of one is not.
func verifyMAC(c *call) (*ttlv.Item, error) {
	data, err := c.data()
	if err != nil {
		return nil, err
	}
	mac, err := required(c.in, ttlv.TagMACData, (*ttlv.Item).ByteString)
	if err != nil {
		return nil, err
	}
	var good bool
	id, err := c.under(work{managedkey.UseMACVerify, authenticating, 0}, func(k *suite.Key, p suite.Params) (err error) {
		good, err = suite.VerifyMAC(k, p, data, mac)
		return err
	})
	if err != nil {
		return nil, err
	}
	return payload(id, validity(good)), nil
}

// hashData is Hash (KMIP 1.4 section 4.37): it takes no object, and its parameters say which hash.
func hashData(c *call) (*ttlv.Item, error) {
	data, err := c.data()
	if err != nil {
		return nil, err
	}
	said, err := c.in.Need(ttlv.TagCryptographicParameters)
	if err != nil {
		return nil, err
	}
	p, err := params(nil, said)
	if err != nil {
		return nil, err
	}
	sum, err := suite.Sum(p.Hash, data)
	if err != nil {
		return nil, unfit(err)
	}
	out := ttlv.Structure(ttlv.TagResponsePayload, ttlv.ByteString(ttlv.TagData, sum))
	return &out, nil
}

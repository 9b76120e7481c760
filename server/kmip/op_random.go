package kmip

import (
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// retrieveRandom is RNG Retrieve (KMIP 1.4 section 4.35): up to suite.MaxRandom bytes of the operating system's generator, or none at all.
func retrieveRandom(c *call) (*ttlv.Item, error) {
	n, err := required(c.in, ttlv.TagDataLength, (*ttlv.Item).Integer)
	if err != nil {
		return nil, err
	}
	data, err := suite.Random(int(n))
	if err != nil {
		return nil, err
	}
	out := ttlv.Structure(ttlv.TagResponsePayload, ttlv.ByteString(ttlv.TagData, data))
	return &out, nil
}

// seedRandom is RNG Seed (KMIP 1.4 section 4.36). No client has a hand in this server's random numbers: the data goes nowhere, and the
// answer says that of its bytes 0 were taken, which the section makes a success.
func seedRandom(c *call) (*ttlv.Item, error) {
	if _, err := required(c.in, ttlv.TagData, (*ttlv.Item).ByteString); err != nil {
		return nil, err
	}
	out := ttlv.Structure(ttlv.TagResponsePayload, ttlv.Integer(ttlv.TagDataLength, 0))
	return &out, nil
}

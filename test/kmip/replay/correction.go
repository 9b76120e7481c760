package replay

import (
	"fmt"
	"strconv"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// correction mends a value of a published file, so that the file says what it means.
type correction struct {
	name string // of the case
	step int    // counted from 1
	tag  ttlv.Tag
	from string // as published; empty: whatever is there
	to   string
	in   func(*Step) *Node
	why  string
}

func request(s *Step) *Node  { return &s.Request }
func response(s *Step) *Node { return &s.Response }

var corrections = []correction{
	{"v1.4/CS-BC-M-13-14", 2, ttlv.TagData,
		"e768203ba72b6e157daaad34b1e791d8e88457dc147942f01bfaff7b28a3cdde2203d4d5a4c7928ba9e9cc78b66a6546", "$DATA_0", response,
		"the key asks for a random IV, and the next step uses $DATA_0, which no response has bound"},
	{"v1.4/CS-BC-M-13-14", 2, ttlv.TagIVCounterNonce, "FF020304050607080910111213141516", "$IV_COUNTER_NONCE", response,
		"the key asks for a random IV, and step 4 uses $IV_COUNTER_NONCE, which no response has bound"},
	{"v1.4/CS-AC-M-6-14", 3, ttlv.TagMACData, "$MAC_DATA", "c911e78196d64c30f631bb079ea37b97a95936d4da764d6a171df030c895ecf9", request,
		"no response binds $MAC_DATA: step 2 has its value, which is right for the registered key"},
	{"v1.2/TC_312_12_Register_Create_Get_attributes_Destroy", 5, ttlv.TagUniqueIdentifier,
		"8590e6e9-61c1-4b81-98d3-053a3c6a521b", "$UNIQUE_IDENTIFIER_0", response,
		"an identifier of the server that the case was recorded on; the request names $UNIQUE_IDENTIFIER_0"},
	{"v1.2/TC_SJ_2_12_Register_and_Split_Join", 6, ttlv.TagUniqueIdentifier, "$UNIQUE_IDENTIFIER_1", "$UNIQUE_IDENTIFIER_4", response,
		"the request names $UNIQUE_IDENTIFIER_4, and the part that is answered is the fourth"},
	{"v1.2/TC_SJ_4_12_Register_and_Split_Join_with_XOR", 6, ttlv.TagUniqueIdentifier, "$UNIQUE_IDENTIFIER_1", "$UNIQUE_IDENTIFIER_4", response,
		"as in TC_SJ_2_12"},
	{"v1.4/OMOS-O-1-14", 2, ttlv.TagProtocolVersionMinor, "3", "4", response, "the request is of version 1.4, and so are the other responses"},
	{"v1.4/CS-AC-M-OAEP-1-14", 2, ttlv.TagData, "", "$DATA_0", response, drawn},
	{"v1.4/CS-AC-M-OAEP-3-14", 2, ttlv.TagData, "", "$DATA_0", response, drawn},
	{"v1.4/CS-AC-M-OAEP-5-14", 2, ttlv.TagData, "", "$DATA_0", response, drawn},
	{"v1.4/CS-AC-M-OAEP-7-14", 2, ttlv.TagData, "", "$DATA_0", response, drawn},
	{"v1.4/CS-AC-M-OAEP-9-14", 2, ttlv.TagData, "", "$DATA_0", response, drawn},
}

const drawn = "RSAES-OAEP draws a seed (RFC 8017 section 7.1.1), so that no two ciphertexts of one message are alike"

// correct applies the corrections of c. A published value that is not there is an error: the file has changed.
func (c *Case) correct() error {
	for _, fix := range corrections {
		if fix.name != c.Name {
			continue
		}
		if fix.step > len(c.Steps) || !fix.apply(fix.in(&c.Steps[fix.step-1])) {
			return fmt.Errorf("step %d has no %s to correct: the file is not the one that was published", fix.step, fix.tag)
		}
	}
	return nil
}

// apply replaces the value in a message.
func (fix correction) apply(message *Node) bool {
	for n := range message.all(fix.tag) {
		if fix.from == "" || n.Text == fix.from {
			n.Text = fix.to
			n.value = fix.decode(n)
			return true
		}
	}
	return false
}

// decode returns the new value, which is a number, a byte string or a placeholder.
func (fix correction) decode(n *Node) ttlv.Item {
	if i, err := strconv.ParseInt(fix.to, 10, 32); err == nil && n.Type == ttlv.TypeInteger {
		return ttlv.Integer(n.Tag, int32(i))
	}
	b, err := hexBytes(fix.to)
	if err != nil {
		return n.value
	}
	return ttlv.ByteString(n.Tag, b)
}

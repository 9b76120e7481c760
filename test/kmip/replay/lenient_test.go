package replay

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// message wraps batch items into a message of version 1.4.
func message(kind, header string, items ...string) string {
	return fmt.Sprintf(`<%[1]sMessage><%[1]sHeader><ProtocolVersion><ProtocolVersionMajor type="Integer" value="1"/>
		<ProtocolVersionMinor type="Integer" value="4"/></ProtocolVersion>%[2]s<BatchCount type="Integer" value="%[3]d"/></%[1]sHeader>%[4]s</%[1]sMessage>`,
		kind, header, len(items), strings.Join(items, ""))
}

// ask and answer are batch items; id may be empty.
func ask(operation, id, payload string) string {
	return "<BatchItem>" + enum("Operation", operation) + identifier(id) + "<RequestPayload>" + payload + "</RequestPayload></BatchItem>"
}

func answer(operation, id, payload string) string {
	return "<BatchItem>" + enum("Operation", operation) + identifier(id) + enum("ResultStatus", "Success") +
		"<ResponsePayload>" + payload + "</ResponsePayload></BatchItem>"
}

func identifier(id string) string {
	if id == "" {
		return ""
	}
	return `<UniqueBatchItemID type="ByteString" value="` + id + `"/>`
}

func enum(tag, value string) string { return leaf(tag, "Enumeration", value) }
func text(tag, value string) string { return leaf(tag, "TextString", value) }
func leaf(tag, typ, value string) string {
	return fmt.Sprintf(`<%s type="%s" value="%s"/>`, tag, typ, value)
}

func attribute(name, value string) string {
	return "<Attribute>" + text("AttributeName", name) + text("AttributeValue", value) + "</Attribute>"
}

// caseOf makes a case of messages, a request and a response in turn.
func caseOf(t testing.TB, messages ...string) Case {
	t.Helper()
	c := Case{Name: "test/case"}
	require.NoError(t, c.parse([]byte("<KMIP>"+strings.Join(messages, "\n")+"</KMIP>")))
	markOrigins(Group{c.Name, []Case{c}})
	return c
}

// sent returns a response as it comes from a server.
func sent(t testing.TB, message string) *ttlv.Item {
	t.Helper()
	it, err := ttlv.ParseXML([]byte(message), ttlv.Options{})
	require.NoError(t, err)
	return it
}

const stamp = `<TimeStamp type="DateTime" value="2012-04-27T08:12:22+00:00"/>`

var ordered = leaf("BatchOrderOption", "Boolean", "true")

// leniencyCases are a request, the published answer and one that came; want is in the first difference, "" where there is none.
var leniencyCases = []struct{ name, header, asked, published, came, want string }{
	{"attributes in another order", "", ask("GetAttributes", "", ""),
		answer("GetAttributes", "", attribute("x-ID", "a")+attribute("Contact Information", "b")),
		answer("GetAttributes", "", attribute("Contact Information", "b")+attribute("x-ID", "a")), ""},
	{"attributes in another order of AddAttribute", "", ask("AddAttribute", "", ""),
		answer("AddAttribute", "", attribute("x-ID", "a")+attribute("Contact Information", "b")),
		answer("AddAttribute", "", attribute("Contact Information", "b")+attribute("x-ID", "a")),
		`Attribute[x-ID]/AttributeName: expected "x-ID", got "Contact Information"`},
	{"one more attribute", "", ask("GetAttributes", "", ""), answer("GetAttributes", "", attribute("x-ID", "a")),
		answer("GetAttributes", "", attribute("x-ID", "a")+attribute("Comment", "b")), ""},
	{"one more attribute than was asked for", "", ask("GetAttributes", "", text("AttributeName", "x-ID")),
		answer("GetAttributes", "", attribute("x-ID", "a")),
		answer("GetAttributes", "", attribute("x-ID", "a")+attribute("Comment", "b")), `expected nothing, got Attribute{AttributeName="Comment"`},
	{"an attribute of a later version", "", ask("GetAttributes", "", ""), answer("GetAttributes", "", ""),
		answer("GetAttributes", "", attribute("Protection Level", "High")), "expected nothing, got Attribute"},
	{"another value of an attribute", "", ask("GetAttributes", "", ""), answer("GetAttributes", "", attribute("x-ID", "a")),
		answer("GetAttributes", "", attribute("x-ID", "b")), `ResponsePayload/Attribute[x-ID]/AttributeValue: expected "a", got "b"`},
	{"names in another order and one more", "", ask("GetAttributeList", "", ""),
		answer("GetAttributeList", "", text("AttributeName", "x-ID")+text("AttributeName", "State")),
		answer("GetAttributeList", "", text("AttributeName", "State")+text("AttributeName", "Name")+text("AttributeName", "x-ID")), ""},
	{"spaces in the published name", "", ask("GetAttributeList", "", ""),
		answer("GetAttributeList", "", text("AttributeName", "Lease   Time")),
		answer("GetAttributeList", "", text("AttributeName", "Lease Time")), ""},
	{"an operation more", "", ask("Query", "", ""), answer("Query", "", enum("Operation", "Get")),
		answer("Query", "", enum("Operation", "Locate")+enum("Operation", "Get")), ""},
	{"an operation less", "", ask("Query", "", ""), answer("Query", "", enum("Operation", "Get")+enum("Operation", "Put")),
		answer("Query", "", enum("Operation", "Put")), "Operation: expected Get, got nothing"},
	{"no operation of the other direction", "", ask("Query", "", ""), answer("Query", "", enum("Operation", "Get")+enum("Operation", "Put")),
		answer("Query", "", enum("Operation", "Get")), ""},
	{"another vendor", "", ask("Query", "", ""), answer("Query", "", text("VendorIdentification", "theirs")),
		answer("Query", "", text("VendorIdentification", "ours")), ""},
	{"no vendor", "", ask("Query", "", ""), answer("Query", "", text("VendorIdentification", "theirs")), answer("Query", "", ""), "got nothing"},
	{"found in another order", "", ask("Locate", "", ""),
		answer("Locate", "", text("UniqueIdentifier", "a")+text("UniqueIdentifier", "b")),
		answer("Locate", "", text("UniqueIdentifier", "b")+text("UniqueIdentifier", "a")), ""},
	{"found more", "", ask("Locate", "", ""), answer("Locate", "", text("UniqueIdentifier", "a")),
		answer("Locate", "", text("UniqueIdentifier", "b")+text("UniqueIdentifier", "a")), `expected nothing, got "b"`},
	{"two placeholders with one value", "", ask("Locate", "", ""),
		answer("Locate", "", text("UniqueIdentifier", "$UNIQUE_IDENTIFIER_0")+text("UniqueIdentifier", "$UNIQUE_IDENTIFIER_1")),
		answer("Locate", "", text("UniqueIdentifier", "b")+text("UniqueIdentifier", "b")), "$UNIQUE_IDENTIFIER_1, got nothing"},
	{"items in another order", "", ask("Activate", "01", "") + ask("Destroy", "02", ""),
		answer("Activate", "01", "") + answer("Destroy", "02", ""), answer("Destroy", "02", "") + answer("Activate", "01", ""), ""},
	{"items in another order than was asked for", ordered, ask("Activate", "01", "") + ask("Destroy", "02", ""),
		answer("Activate", "01", "") + answer("Destroy", "02", ""), answer("Destroy", "02", "") + answer("Activate", "01", ""),
		"BatchItem[Activate 01]/Operation: expected Activate, got Destroy"},
	{"more versions", "", ask("DiscoverVersions", "", ""), answer("DiscoverVersions", "", ""), answer("DiscoverVersions", "", version21), ""},
	{"more versions than were asked for", "", ask("DiscoverVersions", "", version21), answer("DiscoverVersions", "", ""),
		answer("DiscoverVersions", "", version21), "expected nothing, got ProtocolVersion{ProtocolVersionMajor=2 ProtocolVersionMinor=1}"},
	{"another status", "", ask("Get", "", ""), answer("Get", "", ""),
		"<BatchItem>" + enum("Operation", "Get") + enum("ResultStatus", "OperationFailed") + enum("ResultReason", "ItemNotFound") +
			text("ResultMessage", "no such object") + "</BatchItem>",
		`BatchItem[Get]/ResultStatus: expected Success, got OperationFailed, ItemNotFound, "no such object"`},
	{"another type", "", ask("Get", "", ""), answer("Get", "", text("UniqueIdentifier", "a")),
		answer("Get", "", leaf("UniqueIdentifier", "Integer", "1")), `UniqueIdentifier: expected "a", got Integer 1`},
}

const version21 = `<ProtocolVersion><ProtocolVersionMajor type="Integer" value="2"/><ProtocolVersionMinor type="Integer" value="1"/></ProtocolVersion>`

func TestLeniencies(t *testing.T) {
	for _, tc := range leniencyCases {
		t.Run(tc.name, func(t *testing.T) {
			c := caseOf(t, message("Request", tc.header, tc.asked), message("Response", stamp, tc.published))
			diffs := compare(newBindings(time.Now()), &c.Steps[0], sent(t, message("Response", stamp, tc.came)))
			if tc.want == "" {
				require.Empty(t, diffs)
				return
			}
			require.NotEmpty(t, diffs)
			require.Contains(t, diffs[0].String(), tc.want)
		})
	}
}

func TestALeniencyHasAReason(t *testing.T) {
	for _, l := range leniencies {
		require.NotEmpty(t, l.why)
		require.NotEmpty(t, l.tags)
		require.NotZero(t, l.may)
	}
	for _, fix := range corrections {
		require.NotEmpty(t, fix.why)
	}
}

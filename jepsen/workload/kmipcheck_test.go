package workload

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

func TestKeysOverKMIPAreCaught(t *testing.T) {
	gone, conflict := refusing(sdk.NotFound), refusing(sdk.Conflict)
	caught(t, newKMIP(), map[string]lie{
		"a whole life": {func(s *story) {
			born(s).search(2, 3, "u").active().did("get", 6, 7, shown{Print: "p"}).decrypted(8, 9, shown{Value: "m"}).did("destroy", 8, 9, conflict).did("revoke", 10, 11, given("u")).
				did("state", 12, 13, shown{Value: "Deactivated"}).did("encrypt", 12, 13, conflict).decrypted(14, 15, shown{Value: "m"}).destroyed().did("get", 22, 23, gone).search(22, 23).ended()
		}, ""},
		"lost":                         {func(s *story) { born(s).active().did("get", 6, 7, gone).lives() }, "kmip"},
		"lost at rest":                 {func(s *story) { born(s).active().lies("", "u", "Active", "p") }, "kmip"},
		"lost at rest, material":       {func(s *story) { born(s).active().lies("u", "u", "Active", "") }, "kmip"},
		"nobody looked":                {func(s *story) { born(s).active() }, "kmip"},
		"not found under its name":     {func(s *story) { born(s).active().search(6, 7).lives() }, "kmip"},
		"found while it is being made": {func(s *story) { born(s).search(0, 2).active().lives() }, ""},
		"two materials":                {func(s *story) { born(s).active().did("get", 6, 7, shown{Print: "q"}).lives() }, "kmip"},
		"another than was registered": {func(s *story) {
			k := keyStory{s.op("kmip.register", handled{Name: "n", Print: "q"}, 0, 1, ok, given("u"))}
			k.active().lives()
		}, "kmip"},
		"two keys of one material": {func(s *story) {
			born(s).active().lives()
			s.op("kmip.create", handled{Name: "m"}, 0, 1, ok, given("v")).op("kmip.get", ofUID("v"), 2, 3, ok, shown{Print: "p"})
			s.found("kmip.locate", "n1", rest{handled{Name: "m"}, given("v")}).found("kmip.get", "n1", rest{ofUID("v"), shown{Print: "p"}})
		}, "kmip"},
		"read after it was destroyed":  {func(s *story) { born(s).destroyed().did("get", 22, 23, shown{Print: "p"}).ended() }, "kmip"},
		"found after it was destroyed": {func(s *story) { born(s).destroyed().search(22, 23, "u").ended() }, "kmip"},
		"used after it was destroyed":  {func(s *story) { born(s).active().destroyed().did("encrypt", 22, 23, shown{Value: "t"}).ended() }, "kmip"},
		"read while it is destroyed":   {func(s *story) { born(s).did("get", 19, 23, shown{Print: "p"}).destroyed().ended() }, ""},
		"destroyed twice":              {func(s *story) { born(s).did("destroy", 19, 23, given("u")).destroyed().ended() }, "kmip"},
		"back at rest":                 {func(s *story) { born(s).destroyed().lies("", "u", "Destroyed", "p") }, "kmip"},
		"destroyed, perhaps": {func(s *story) {
			born(s).to("destroy", 20, 21, info, nil).did("get", 22, 23, shown{Print: "p"}).ended()
		}, ""},
		"destroyed, perhaps, and lives": {func(s *story) { born(s).active().to("destroy", 20, 21, info, nil).lives() }, ""},
		"seen gone, and back": {func(s *story) {
			born(s).to("destroy", 20, 21, info, nil).did("get", 22, 23, gone).did("get", 24, 25, shown{Print: "p"}).ended()
		}, "kmip"},
		"not destroyed, and gone": {func(s *story) { born(s).to("destroy", 20, 21, fail, nil).ended() }, "kmip"},
		"refused, and gone":       {func(s *story) { born(s).did("destroy", 20, 21, conflict).ended() }, "kmip"},
		"encrypts after its end": {func(s *story) {
			born(s).active().did("revoke", 6, 7, given("u")).did("encrypt", 8, 9, shown{Value: "t"}).lies("u", "u", "Deactivated", "p")
		}, "kmip"},
		"encrypts before it may": {func(s *story) { born(s).did("encrypt", 2, 3, shown{Value: "t"}).lies("u", "u", "PreActive", "p") }, "kmip"},
		"does not encrypt":       {func(s *story) { born(s).active().did("encrypt", 6, 7, conflict).lives() }, "kmip"},
		"does not decrypt":       {func(s *story) { born(s).active().decrypted(6, 7, conflict).lives() }, "kmip"},
		"does not decrypt any more": {func(s *story) {
			born(s).active().did("revoke", 6, 7, given("u")).decrypted(8, 9, conflict).lies("u", "u", "Deactivated", "p")
		}, "kmip"},
		"decrypts to something else":   {func(s *story) { born(s).active().decrypted(6, 7, shown{Value: "n"}).lives() }, "kmip"},
		"a ciphertext cannot be read":  {func(s *story) { born(s).active().lives(); keyStory{s}.readAtRest(gone) }, "kmip"},
		"a ciphertext can be read":     {func(s *story) { born(s).active().lives(); keyStory{s}.readAtRest(shown{Value: "m"}) }, ""},
		"an activation is forgotten":   {func(s *story) { born(s).active().did("state", 6, 7, shown{Value: "PreActive"}).lives() }, "kmip"},
		"a revocation is forgotten":    {func(s *story) { born(s).active().did("revoke", 6, 7, given("u")).lives() }, "kmip"},
		"activated by nobody":          {func(s *story) { born(s).lives() }, "kmip"},
		"activated, perhaps":           {func(s *story) { born(s).to("activate", 2, 3, info, nil).lives() }, ""},
		"refused what it had been let": {func(s *story) { born(s).did("activate", 2, 3, conflict).lies("u", "u", "PreActive", "p") }, "kmip"},
		"not let revoke":               {func(s *story) { born(s).active().did("revoke", 6, 7, conflict).lives() }, "kmip"},
		"not let destroy":              {func(s *story) { born(s).did("destroy", 20, 21, conflict).lies("u", "u", "PreActive", "p") }, "kmip"},
		"the client is not known":      {func(s *story) { born(s).active().did("get", 6, 7, refusing(sdk.Unauthenticated)).lives() }, "kmip"},
		"one name, two keys": {func(s *story) {
			born(s).active().another(6, 7, ok, given("v")).lives()
			s.found("kmip.get", "n1", rest{ofUID("v"), shown{Print: "q"}})
		}, "kmip"},
		"one name, two keys, at once": {func(s *story) {
			born(s).active().another(0, 1, ok, given("v")).lives()
			s.found("kmip.get", "n1", rest{ofUID("v"), shown{Print: "q"}})
		}, "kmip"},
		"one name, two keys, found": {func(s *story) { born(s).active().another(6, 7, info, nil).search(8, 9, "u", "v").lives() }, "kmip"},
		"one name, one after the other": {func(s *story) {
			born(s).another(2, 3, ok, conflict).destroyed().another(22, 23, ok, given("v")).search(24, 25, "v").lies("v", "u", "Destroyed", "")
			s.found("kmip.get", "n1", rest{ofUID("v"), shown{Print: "q"}})
		}, ""},
		"a name is taken by nobody": {func(s *story) { born(s).destroyed().another(22, 23, ok, conflict).ended() }, "kmip"},
		"a name may be taken":       {func(s *story) { born(s).to("destroy", 20, 21, info, nil).another(22, 23, ok, conflict).ended() }, ""},
		"made by who was told that he had not": {func(s *story) {
			born(s).destroyed().another(22, 23, fail, nil).search(24, 25, "v").lies("v", "u", "Destroyed", "")
		}, "kmip"},
		"made by whom nobody told": {func(s *story) {
			born(s).destroyed().another(22, 23, info, nil).search(24, 25, "v").lies("v", "u", "Destroyed", "")
		}, ""},
		"made twice by whom nobody told": {func(s *story) {
			born(s).destroyed().another(22, 23, info, nil).search(24, 25, "v").search(26, 27, "w").lies("w", "u", "Destroyed", "")
		}, "kmip"},
		"replaced": {func(s *story) {
			born(s).active().replaced(ok, given("v")).lies("v", "v", "Active", "q")
			keyStory{s}.lies("v", "u", "Active", "p")
		}, ""},
		"replaced, and the old one is found": {func(s *story) {
			born(s).active().replaced(ok, given("v")).search(8, 9, "u").lies("v", "v", "Active", "q")
			keyStory{s}.lies("v", "u", "Active", "p")
		}, "kmip"},
		"replaced by one that is not active": {func(s *story) {
			born(s).active().replaced(ok, given("v")).lies("v", "v", "PreActive", "q")
			keyStory{s}.lies("v", "u", "Active", "p")
		}, "kmip"},
		"replaced by the same material": {func(s *story) {
			born(s).active().replaced(ok, given("v")).lies("v", "v", "Active", "p")
			keyStory{s}.lies("v", "u", "Active", "p")
		}, "kmip"},
		"replaced, perhaps": {func(s *story) {
			born(s).active().replaced(info, nil).search(8, 9, "v").lies("v", "v", "Active", "q")
			keyStory{s}.lies("v", "u", "Active", "p")
		}, ""},
		"not replaced, because it had been": {func(s *story) { born(s).active().replaced(ok, conflict).lives() }, "kmip"},
		"answers that nobody may get":       {func(s *story) { born(s).active().lives(); keyStory{s}.failed() }, "kmip answers"},
	})
}

func TestWhatKMIPDoesNotCallUndoneIsUnknown(t *testing.T) {
	const general = ttlv.ResultReasonGeneralFailure
	for _, c := range []struct {
		reason uint32
		text   string
		write  history.Type
		read   history.Type
	}{
		{general, "this node does not lead the cluster: nothing was done, try again", fail, fail},
		{general, "the node is sealed: ask another, or unseal it", fail, fail},
		{general, "it is not known whether the request was carried out", info, fail},
		{general, "something else", info, fail},
		{general, "internal error: the node's log has the details", info, info},
		{ttlv.ResultReasonItemNotFound, "there is no such managed object", ok, ok},
		{ttlv.ResultReasonInvalidField, "the name is taken", ok, ok},
		{ttlv.ResultReasonInvalidMessage, "the message is no request", info, info},
	} {
		for reads, want := range map[bool]history.Type{false: c.write, true: c.read} {
			got, _, _ := outcome(operation{reads: reads}, nil, refusalOf(c.reason, c.text))
			require.Equal(t, want, got, c.text)
		}
	}
}

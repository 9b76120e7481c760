// Package replay loads the test cases that OASIS publishes for KMIP, pairs of requests and expected responses in XML, and
// replays them against a server through a function that exchanges TTLV messages.
//
// A response is compared item by item. What may differ from the published one, and why, is said in three places only:
// placeholders and times in bind.go, values that a server draws at random in origin.go, all else in the table of lenient.go.
// Slips of the published files are mended by the table in correction.go. No case is passed over in silence: a run lists each as
// passed, failed or not applicable, the last with a reason from the caller's NotApplicable table.
//
// What the cases use (operations, object types, attributes) is computed by NewSurvey; `go test -v -run Survey` prints it.
package replay

import (
	"fmt"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// Case is one published file.
type Case struct {
	Name    string // folder and file, such as "v1.4/TL-M-1-14"
	File    string
	Version ttlv.Version // of the first request; a step may have another
	Steps   []Step
}

// Step is one request and the response that a server has to give.
type Step struct {
	Client   string // "A", "B" where the file names its clients, otherwise ""
	ToClient bool   // the server sends this request to its client
	Repeat   bool   // until the response is the expected one
	Request  Node
	Response Node
}

// Group is cases that run in this order on one store, since they share objects and placeholders. Most groups have one case.
type Group struct {
	Name  string
	Cases []Case
}

// Clients returns the names of the clients in the order of their first requests.
func (c Case) Clients() []string {
	var names []string
	seen := map[string]bool{}
	for _, s := range c.Steps {
		if !seen[s.Client] {
			seen[s.Client] = true
			names = append(names, s.Client)
		}
	}
	return names
}

// Credentials returns the credential structures of the requests, each once. A server has to know whom they name.
func (c Case) Credentials() []string {
	var found []string
	seen := map[string]bool{}
	for _, s := range c.Steps {
		for n := range s.Request.all(ttlv.TagCredential) {
			if text := n.String(); !seen[text] {
				seen[text] = true
				found = append(found, text)
			}
		}
	}
	return found
}

// clientBound says which step a server sends to its client, "" if none does.
func (c Case) clientBound() string {
	for i, s := range c.Steps {
		if s.ToClient {
			return fmt.Sprintf("step %d is %s, which a server sends to its client", i+1, s.operation())
		}
	}
	return ""
}

// operation returns the names of the operations of the request.
func (s Step) operation() string {
	names := ""
	for n := range s.Request.all(ttlv.TagBatchItem) {
		if names != "" {
			names += ", "
		}
		names += n.text(ttlv.TagOperation)
	}
	return names
}

package replay

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// mark is what the text in front of a request says. The files for 1.2 hold lines such as "# [Client-B]" and
// "# [REPEAT] until Locate response is returned" there.
type mark struct {
	client   string
	toClient bool
	repeat   bool
}

var clientMark = regexp.MustCompile(`\[Client-([A-Z])\]`)

// readMark reads one.
func readMark(text string) mark {
	m := mark{toClient: strings.Contains(text, "[Server-to-Client]"), repeat: strings.Contains(text, "[REPEAT]")}
	if found := clientMark.FindStringSubmatch(text); found != nil {
		m.client = found[1]
	}
	return m
}

// readMarks returns the mark of every request. ttlv.ParseXMLDocument passes over the text between messages, which is why the
// file is read a second time.
func readMarks(file []byte) ([]mark, error) {
	var marks []mark
	var text strings.Builder
	dec := xml.NewDecoder(bytes.NewReader(file))
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return marks, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			if err := skipMessage(dec, t); err != nil {
				return nil, err
			}
			if t.Name.Local == ttlv.TagRequestMessage.String() {
				marks = append(marks, readMark(text.String()))
			}
			text.Reset()
		}
	}
}

// skipMessage reads to the end of a message. Any other element is the wrapper, and is entered.
func skipMessage(dec *xml.Decoder, start xml.StartElement) error {
	switch start.Name.Local {
	case ttlv.TagRequestMessage.String(), ttlv.TagResponseMessage.String():
		return dec.Skip()
	}
	return nil
}

// serverSends are the operations that a server sends to its client (KMIP 1.4 section 5).
var serverSends = map[uint32]bool{ttlv.OperationNotify: true, ttlv.OperationPut: true}

// sentByServer reports whether a request has such an operation.
func sentByServer(request *Node) bool {
	for item := range request.all(ttlv.TagBatchItem) {
		if op := item.find(ttlv.TagOperation); op != nil {
			if v, _ := op.value.Enumeration(); serverSends[v] {
				return true
			}
		}
	}
	return false
}

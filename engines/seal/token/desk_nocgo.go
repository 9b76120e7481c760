//go:build !cgo

package token

// Built says whether PKCS#11 is in this binary.
const Built = false

type desk struct{}

func (*desk) close() {}

func (*desk) handle(Message) Message {
	return Message{Kind: Refused, B: []byte("PKCS#11 is not in this binary: it was built without cgo")}
}

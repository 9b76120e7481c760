package workload

import (
	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/sdk"
)

// keyStory tells of the name n and of u, which is the first object that has it.
type keyStory struct{ *story }

func ofUID(uid string) handled  { return handled{UID: uid} }
func given(uid string) shown    { return shown{UIDs: []string{uid}} }
func refusing(k sdk.Kind) shown { return shown{Refused: k} }

var ofName = handled{Name: "n"}

// born begins the story: u is made.
func born(s *story) keyStory { return keyStory{s.op("kmip.create", ofName, 0, 1, ok, given("u"))} }

// did is an operation on u that was answered.
func (s keyStory) did(f string, call, back int, out shown) keyStory {
	return s.to(f, call, back, ok, out)
}

func (s keyStory) to(f string, call, back int, t history.Type, out any) keyStory {
	s.op("kmip."+f, ofUID("u"), call, back, t, out)
	return s
}

// active goes on with u active, and one ciphertext.
func (s keyStory) active() keyStory {
	return s.did("activate", 2, 3, given("u")).did("encrypt", 4, 5, shown{Value: "t"})
}

// decrypted is a decryption of that ciphertext.
func (s keyStory) decrypted(call, back int, out shown) keyStory {
	s.op("kmip.decrypt", handled{UID: "u", Message: "m", Token: "t"}, call, back, ok, out)
	return s
}

// search is a search for n, found by whoever.
func (s keyStory) search(call, back int, uids ...string) keyStory {
	s.op("kmip.locate", ofName, call, back, ok, shown{UIDs: uids})
	return s
}

// another has somebody else make n.
func (s keyStory) another(call, back int, t history.Type, out any) keyStory {
	s.op("kmip.register", handled{Name: "n", Print: "q"}, call, back, t, out)
	return s
}

// lies looks at rest: who has the name n, "" for nobody, and the state and material of an object, "" for none.
func (s keyStory) lies(holder, uid, state, print string) keyStory {
	look := func(f string, in handled, out any) { s.found("kmip."+f, "n1", rest{in, out}) }
	held := shown{}
	if holder != "" {
		held = given(holder)
	}
	look("locate", ofName, held)
	look("state", ofUID(uid), shown{Value: state})
	material := shown{Print: print}
	if print == "" {
		material = refusing(sdk.NotFound)
	}
	look("get", ofUID(uid), material)
	return s
}

func (s keyStory) lives() { s.lies("u", "u", "Active", "p") }
func (s keyStory) ended() { s.lies("", "u", "Destroyed", "") }

// destroyed destroys u, which is not active.
func (s keyStory) destroyed() keyStory { return s.did("destroy", 20, 21, given("u")) }

// replaced is a re-key of u.
func (s keyStory) replaced(t history.Type, out any) keyStory {
	s.op("kmip.rekey", handled{Name: "n", UID: "u"}, 6, 7, t, out)
	return s
}

// readAtRest is what the ciphertext of u gives at rest.
func (s keyStory) readAtRest(out shown) {
	s.found("kmip.decrypt", "n1", rest{handled{UID: "u", Message: "m", Token: "t"}, out})
}

// failed is an internal error.
func (s keyStory) failed() {
	s.op("kmip.get", ofUID("u"), 30, 31, info, nil)
	s.h.Events[len(s.h.Events)-1].Error = wrong + " internal: x"
}

package workload

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// handled is what is done with an object, by its uid or its name. No material is in it.
type handled struct {
	Name    string `json:"name,omitempty"`    // that is made, replaced or looked for
	UID     string `json:"uid,omitempty"`     // of what is there
	Print   string `json:"print,omitempty"`   // of the material that is registered
	Message string `json:"message,omitempty"` // of an encryption, or what a decryption should give
	Token   string `json:"token,omitempty"`   // of a decryption
}

// shown is what was answered.
type shown struct {
	Refused sdk.Kind `json:"refused,omitempty"`
	UIDs    []string `json:"uids,omitempty"`  // that were made or found
	Print   string   `json:"print,omitempty"` // of the material
	Value   string   `json:"value,omitempty"` // token, message or state
}

// kmipCall is an operation as it is recorded and sent, and how its answer is read.
type kmipCall struct {
	f         string
	in        handled
	reads     bool
	operation uint32
	payload   []ttlv.Item
	read      func(*ttlv.Item) (shown, error)
}

const keyBytes = 32 // AES-256

// print stands for material in the history: its HMAC under a key that the run alone has.
func (k *kmip) print(material []byte) string {
	h := hmac.New(sha256.New, k.printing)
	h.Write(material)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func (k *kmip) create(name string) kmipCall {
	payload := []ttlv.Item{ttlv.Enumeration(ttlv.TagObjectType, ttlv.ObjectTypeSymmetricKey), ttlv.Structure(ttlv.TagTemplateAttribute,
		attribute("Cryptographic Algorithm", ttlv.Enumeration(ttlv.TagAttributeValue, ttlv.CryptographicAlgorithmAES)),
		attribute("Cryptographic Length", ttlv.Integer(ttlv.TagAttributeValue, 8*keyBytes)), usage(), named(name))}
	return kmipCall{"kmip.create", handled{Name: name}, false, ttlv.OperationCreate, payload, uids}
}

func (k *kmip) register(name string, material []byte) kmipCall {
	block := ttlv.Structure(ttlv.TagKeyBlock, ttlv.Enumeration(ttlv.TagKeyFormatType, ttlv.KeyFormatTypeRaw),
		ttlv.Structure(ttlv.TagKeyValue, ttlv.ByteString(ttlv.TagKeyMaterial, material)),
		ttlv.Enumeration(ttlv.TagCryptographicAlgorithm, ttlv.CryptographicAlgorithmAES), ttlv.Integer(ttlv.TagCryptographicLength, int32(8*len(material))))
	payload := []ttlv.Item{ttlv.Enumeration(ttlv.TagObjectType, ttlv.ObjectTypeSymmetricKey), ttlv.Structure(ttlv.TagTemplateAttribute, usage(), named(name)),
		ttlv.Structure(ttlv.TagSymmetricKey, block)}
	return kmipCall{"kmip.register", handled{Name: name, Print: k.print(material)}, false, ttlv.OperationRegister, payload, uids}
}

func attribute(name string, value ttlv.Item) ttlv.Item {
	return ttlv.Structure(ttlv.TagAttribute, ttlv.TextString(ttlv.TagAttributeName, name), value)
}

func usage() ttlv.Item {
	return attribute("Cryptographic Usage Mask", ttlv.Integer(ttlv.TagAttributeValue, ttlv.UsageEncrypt|ttlv.UsageDecrypt))
}

func named(name string) ttlv.Item {
	return attribute("Name", ttlv.Structure(ttlv.TagAttributeValue, ttlv.TextString(ttlv.TagNameValue, name),
		ttlv.Enumeration(ttlv.TagNameType, ttlv.NameTypeUninterpretedTextString)))
}

func (k *kmip) locate(name string) kmipCall {
	return kmipCall{"kmip.locate", handled{Name: name}, true, ttlv.OperationLocate, []ttlv.Item{named(name)}, uids}
}

// changes are what takes an object alone, or almost.
var changes = map[string]uint32{"activate": ttlv.OperationActivate, "revoke": ttlv.OperationRevoke, "destroy": ttlv.OperationDestroy}

func (k *kmip) change(f, uid string) kmipCall {
	payload := []ttlv.Item{ttlv.TextString(ttlv.TagUniqueIdentifier, uid)}
	if f == "revoke" {
		payload = append(payload, ttlv.Structure(ttlv.TagRevocationReason, ttlv.Enumeration(ttlv.TagRevocationReasonCode, ttlv.RevocationReasonCodeCessationOfOperation)))
	}
	return kmipCall{"kmip." + f, handled{UID: uid}, false, changes[f], payload, uids}
}

// rekey has another key come in the place of one, with its name.
func (k *kmip) rekey(name, uid string) kmipCall {
	return kmipCall{"kmip.rekey", handled{Name: name, UID: uid}, false, ttlv.OperationReKey, []ttlv.Item{ttlv.TextString(ttlv.TagUniqueIdentifier, uid)}, uids}
}

func (k *kmip) get(uid string) kmipCall {
	return kmipCall{"kmip.get", handled{UID: uid}, true, ttlv.OperationGet, []ttlv.Item{ttlv.TextString(ttlv.TagUniqueIdentifier, uid)}, func(p *ttlv.Item) (out shown, err error) {
		material, err := p.Find(ttlv.TagSymmetricKey).Find(ttlv.TagKeyBlock).Find(ttlv.TagKeyValue).Find(ttlv.TagKeyMaterial).ByteString()
		if err == nil && len(material) != keyBytes {
			err = fmt.Errorf("the key has %d bytes", len(material))
		}
		if err != nil {
			return out, unreadable(err)
		}
		return shown{Print: k.print(material)}, nil
	}}
}

func (k *kmip) state(uid string) kmipCall {
	payload := []ttlv.Item{ttlv.TextString(ttlv.TagUniqueIdentifier, uid), ttlv.TextString(ttlv.TagAttributeName, "State")}
	return kmipCall{"kmip.state", handled{UID: uid}, true, ttlv.OperationGetAttributes, payload, func(p *ttlv.Item) (out shown, err error) {
		state, err := p.Find(ttlv.TagAttribute).Find(ttlv.TagAttributeValue).Enumeration()
		if err != nil {
			return out, unreadable(err)
		}
		out.Value, _ = ttlv.EnumName(ttlv.TagState, state)
		return out, nil
	}}
}

// uids reads an answer that has identifiers and nothing else that matters.
func uids(p *ttlv.Item) (out shown, err error) {
	for it := range p.All(ttlv.TagUniqueIdentifier) {
		id, err := it.TextString()
		if err != nil {
			return out, unreadable(err)
		}
		out.UIDs = append(out.UIDs, id)
	}
	return out, nil
}

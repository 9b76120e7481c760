package workload

import (
	"encoding/base64"
	"strings"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// gcm has the server choose the IV.
func gcm() ttlv.Item {
	return ttlv.Structure(ttlv.TagCryptographicParameters, ttlv.Enumeration(ttlv.TagBlockCipherMode, ttlv.BlockCipherModeGCM), ttlv.Boolean(ttlv.TagRandomIV, true),
		ttlv.Integer(ttlv.TagTagLength, 16))
}

// sealedParts are what a token is made of.
var sealedParts = []ttlv.Tag{ttlv.TagData, ttlv.TagIVCounterNonce, ttlv.TagAuthenticatedEncryptionTag}

func (k *kmip) encrypt(uid, message string, plain []byte) kmipCall {
	payload := []ttlv.Item{ttlv.TextString(ttlv.TagUniqueIdentifier, uid), gcm(), ttlv.ByteString(ttlv.TagData, plain)}
	return kmipCall{"kmip.encrypt", handled{UID: uid, Message: message}, true, ttlv.OperationEncrypt, payload, func(p *ttlv.Item) (shown, error) {
		var parts []string
		for _, tag := range sealedParts {
			b, err := p.Find(tag).ByteString()
			if err != nil {
				return shown{}, unreadable(err)
			}
			parts = append(parts, base64.RawURLEncoding.EncodeToString(b))
		}
		return shown{Value: strings.Join(parts, ".")}, nil
	}}
}

func (k *kmip) decrypt(in handled) kmipCall {
	payload := []ttlv.Item{ttlv.TextString(ttlv.TagUniqueIdentifier, in.UID), gcm()}
	for i, part := range strings.Split(in.Token, ".") {
		b, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			panic(err) // a token of this workload
		}
		payload = append(payload, ttlv.ByteString(sealedParts[i], b))
	}
	return kmipCall{"kmip.decrypt", in, true, ttlv.OperationDecrypt, payload, func(p *ttlv.Item) (shown, error) {
		plain, err := p.Find(ttlv.TagData).ByteString()
		if err != nil {
			return shown{}, unreadable(err)
		}
		return shown{Value: nameOf(plain)}, nil
	}}
}

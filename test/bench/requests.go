package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// discover asks for the versions that a node speaks.
func discover(ctx context.Context, l *line, _ int) error {
	return l.do(ctx, request{item(ttlv.OperationDiscoverVersions), func(p *ttlv.Item) error {
		_, err := p.Need(ttlv.TagProtocolVersion)
		return err
	}})
}

var errHandshake = errors.New("the session was resumed when it should not, or was not when it should")

// reconnect does so over a connection of its own. The first one has no session to resume.
func reconnect(ctx context.Context, l *line, n int) error {
	defer l.hangUp()
	if err := discover(ctx, l, n); err != nil {
		return err
	}
	if n > 0 && l.conn.ConnectionState().DidResume != l.resumes {
		return errHandshake
	}
	return nil
}

func attribute(name string, value ttlv.Item) ttlv.Item {
	return ttlv.Structure(ttlv.TagAttribute, ttlv.TextString(ttlv.TagAttributeName, name), value)
}

func named(name string) ttlv.Item {
	return attribute("Name", ttlv.Structure(ttlv.TagAttributeValue, ttlv.TextString(ttlv.TagNameValue, name),
		ttlv.Enumeration(ttlv.TagNameType, ttlv.NameTypeUninterpretedTextString)))
}

// createOf is the item that has a key made.
func createOf(name string) ttlv.Item {
	return item(ttlv.OperationCreate, ttlv.Enumeration(ttlv.TagObjectType, ttlv.ObjectTypeSymmetricKey), ttlv.Structure(ttlv.TagTemplateAttribute,
		attribute("Cryptographic Algorithm", ttlv.Enumeration(ttlv.TagAttributeValue, ttlv.CryptographicAlgorithmAES)),
		attribute("Cryptographic Length", ttlv.Integer(ttlv.TagAttributeValue, keySize)),
		attribute("Cryptographic Usage Mask", ttlv.Integer(ttlv.TagAttributeValue, ttlv.UsageEncrypt|ttlv.UsageDecrypt)), named(name)))
}

func idOf(payload *ttlv.Item) (string, error) {
	return payload.Find(ttlv.TagUniqueIdentifier).TextString()
}

// create has a key made.
func create(name string) request {
	return request{createOf(name), func(p *ttlv.Item) error { _, err := idOf(p); return err }}
}

// getKey gets a key with its material.
func getKey(id string) request {
	return request{item(ttlv.OperationGet, ttlv.TextString(ttlv.TagUniqueIdentifier, id)), func(p *ttlv.Item) error {
		material, err := p.Find(ttlv.TagSymmetricKey).Find(ttlv.TagKeyBlock).Find(ttlv.TagKeyValue).Find(ttlv.TagKeyMaterial).ByteString()
		if err == nil && len(material) != keySize/8 {
			err = errWrongValue
		}
		return err
	}}
}

// locate finds the object that has a name.
func locate(name, id string) request {
	return request{item(ttlv.OperationLocate, named(name)), func(p *ttlv.Item) error {
		n := 0
		for it := range p.All(ttlv.TagUniqueIdentifier) {
			if found, err := it.TextString(); err != nil || found != id {
				return errors.Join(err, errWrongValue)
			}
			n++
		}
		if n != 1 {
			return fmt.Errorf("%w: %d objects have the name", errWrongValue, n)
		}
		return nil
	}}
}

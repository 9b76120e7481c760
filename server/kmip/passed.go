package kmip

import (
	"crypto/x509"

	"github.com/trstctl/trstctl/engines/kmipclient"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// passed is a message on its way from one member to another.
type passed struct {
	Certificate []byte `cbor:"1,keyasint"` // DER; what stands behind it in the chain is not asked
	Address     string `cbor:"2,keyasint"`
	Message     []byte `cbor:"3,keyasint"`
}

func pack(p Peer, m *ttlv.Item) ([]byte, error) {
	raw, err := ttlv.Marshal(m, ttlv.Limits{})
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	out := passed{Address: p.Address, Message: raw}
	if len(p.Chain) > 0 {
		out.Certificate = p.Chain[0].Raw
	}
	return fsm.Encode(out)
}

func unpack(body []byte) (p Peer, m *ttlv.Item, err error) {
	var in passed
	if err := fsm.Decode(body, &in); err != nil {
		return p, nil, fault.New(fault.Invalid, "the message that was passed on cannot be read").Because(err)
	}
	if p.Address = in.Address; len(in.Certificate) > 0 {
		leaf, err := x509.ParseCertificate(in.Certificate)
		if err != nil {
			return p, nil, fault.New(fault.Invalid, "the certificate that was passed on cannot be read").Because(err)
		}
		p.Chain = []*x509.Certificate{leaf}
	}
	if m, err = ttlv.Parse(in.Message, ttlv.Limits{}); err != nil {
		return p, nil, fault.New(fault.Invalid, "the message that was passed on cannot be read").Because(err)
	}
	return p, m, nil
}

// credentials reads those that came with a request (KMIP 1.4 section 2.1.2). A kind that is not known here is no client's.
func credentials(r *Request) (out []kmipclient.Credential, err error) {
	for _, c := range r.Credentials {
		var one kmipclient.Credential
		switch c.Type {
		case ttlv.CredentialTypeUsernameAndPassword:
			one, err = password(c.Value)
		case ttlv.CredentialTypeDevice:
			one, err = device(c.Value)
		default:
			err = fault.New(fault.Unauthenticated, "a credential of this type is not taken")
		}
		if err != nil {
			return out, err
		}
		out = append(out, one)
	}
	return out, nil
}

func password(it *ttlv.Item) (p kmipclient.Password, err error) {
	if p.Username, err = required(it, ttlv.TagUsername, (*ttlv.Item).TextString); err != nil {
		return p, err
	}
	p.Password, _, err = optional(it, ttlv.TagPassword, secret)
	return p, err
}

func device(it *ttlv.Item) (d kmipclient.Device, err error) {
	for _, f := range []struct {
		tag  ttlv.Tag
		into *string
	}{{ttlv.TagDeviceSerialNumber, &d.Serial}, {ttlv.TagDeviceIdentifier, &d.ID}, {ttlv.TagNetworkIdentifier, &d.Network}, {ttlv.TagMachineIdentifier, &d.Machine},
		{ttlv.TagMediaIdentifier, &d.Media}} {
		if *f.into, _, err = optional(it, f.tag, (*ttlv.Item).TextString); err != nil {
			return d, err
		}
	}
	d.Password, _, err = optional(it, ttlv.TagPassword, secret)
	return d, err
}

func secret(it *ttlv.Item) (kmipclient.Secret, error) {
	b, err := it.TextBytes()
	return append(kmipclient.Secret(nil), b...), err
}

func wipeCredential(c kmipclient.Credential) {
	switch c := c.(type) {
	case kmipclient.Password:
		clear(c.Password)
	case kmipclient.Device:
		clear(c.Password)
	}
}

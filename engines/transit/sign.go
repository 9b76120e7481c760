package transit

import "github.com/trstctl/trstctl/engines/transit/primitive"

// Sign appends the token of a signature of input by a version, 0 for the latest, to dst.
func (u *Use) Sign(dst []byte, version uint64, how primitive.Signing, input []byte) ([]byte, error) {
	k, number, err := u.forNew(version)
	if err != nil {
		return nil, err
	}
	signature, err := k.Sign(nil, how, input)
	if err != nil {
		return nil, err
	}
	return primitive.AppendToken(dst, number, signature), nil
}

// Verify reports whether token is a signature of input by this key. One by a version that may not be used any more is none.
func (u *Use) Verify(how primitive.Signing, input, token []byte) (bool, error) {
	k, parsed, err := u.made(token)
	if err != nil || k == nil {
		return false, err
	}
	return k.Verify(how, input, parsed.Payload)
}

// MAC appends the token of a MAC of input under a version, 0 for the latest, to dst.
func (u *Use) MAC(dst []byte, version uint64, h primitive.Hash, input []byte) ([]byte, error) {
	k, number, err := u.forNew(version)
	if err != nil {
		return nil, err
	}
	mac, err := k.MAC(nil, h, input)
	if err != nil {
		return nil, err
	}
	return primitive.AppendToken(dst, number, mac), nil
}

// VerifyMAC reports whether token is a MAC of input under this key. One under a version that may not be used any more is none.
func (u *Use) VerifyMAC(h primitive.Hash, input, token []byte) (bool, error) {
	k, parsed, err := u.made(token)
	if err != nil || k == nil {
		return false, err
	}
	return k.VerifyMAC(h, input, parsed.Payload)
}

// made returns the version that a token names, nil when it may not be used any more, and what the token carries.
func (u *Use) made(token []byte) (*primitive.Key, primitive.Token, error) {
	parsed, err := primitive.ParseToken(nil, token)
	if err != nil {
		return nil, parsed, err
	}
	k, found, err := u.forOld(parsed.Version)
	if err != nil || !found {
		return nil, parsed, err
	}
	return k, parsed, nil
}

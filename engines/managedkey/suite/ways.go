package suite

// Use is one thing that keys do.
type Use uint8

// What keys do.
const (
	ToEncrypt Use = iota + 1 // and decrypt
	ToSign                   // and verify
	ToVerify                 // only
	ToMAC                    // and verify
	ToWrap                   // and unwrap
	ToDerive
)

// Way is a combination that exists. A zero field is one that the parameters need not or must not have.
type Way struct {
	Use       Use
	Algorithm Algorithm // of the key; of MACs with HMAC, of any key that the parameters name it for; none for derivation
	Mode      Mode
	Padding   Padding
	Hash      Hash
	Signature SignatureAlgorithm
	Method    Method
}

// Ways returns every combination that the operations here do, for Query and for checking parameters before a key is at hand. It is made from the tables that the
// operations look up.
func Ways() (all []Way) {
	for _, c := range ciphers {
		for _, p := range c.paddings {
			all = append(all, withHashes(Way{Use: ToEncrypt, Algorithm: c.alg, Mode: c.mode, Padding: p}, p == OAEP)...)
		}
	}
	for _, s := range signatures {
		use := ToSign
		if s.verify {
			use = ToVerify
		}
		all = append(all, Way{Use: use, Algorithm: s.family, Padding: s.padding, Hash: s.hash, Signature: s.name})
	}
	for _, h := range hmacs {
		all = append(all, Way{Use: ToMAC, Algorithm: h.alg, Hash: h.hash})
	}
	all = append(all, Way{Use: ToMAC, Algorithm: AES, Mode: CMAC})
	for _, w := range wraps {
		all = append(all, withHashes(Way{Use: ToWrap, Algorithm: w.alg, Mode: w.mode, Padding: w.padding}, w.padding == OAEP)...)
	}
	for _, d := range derivations {
		all = append(all, withHashes(Way{Use: ToDerive, Method: d.method}, d.method != EncryptMethod)...)
	}
	return append(all, Way{Use: ToDerive, Algorithm: ECDH, Method: AsymmetricKey})
}

// withHashes is w with every hash, if it takes one.
func withHashes(w Way, takes bool) (all []Way) {
	if !takes {
		return []Way{w}
	}
	for _, h := range hashes {
		w.Hash = h.id
		all = append(all, w)
	}
	return all
}

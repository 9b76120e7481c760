package replay

// Unsupported are the published cases that this server does not pass, each with the reason.
func Unsupported(groups []Group) NotApplicable {
	n := ClientBound(groups)
	for name, reason := range unsupported {
		n[name] = reason
	}
	return n
}

const (
	asynchronous = "asks for asynchronous operations, which are a server's choice (KMIP 1.4 section 6.7): this one answers everything at once"
	streams      = "sends a message in parts, which is optional: the answer to Query Capabilities says that this server does not stream (KMIP 1.4 section 2.1.30)"
	seeds        = "is one of four cases of which a server passes the one that goes with how it treats a seed (KMIP Profiles 1.4, CS-RNG): seeds are discarded here, " +
		"which is CS-RNG-O-3-14"
)

const users = "is two users over one connection, told apart by a credential alone: here a client is who its certificate says, a credential can only narrow what it may, and " +
	"two users are two clients"

var unsupported = NotApplicable{
	"v1.2/TC_32_12_Asynchronous_Locate":                  asynchronous,
	"v1.2/TC_101_12_Create_a_Key_Archive_and_Recover_it": asynchronous,
	"v1.4/CS-BC-M-GCM-3-14":                              streams,
	"v1.4/TC-STREAM-ENC-1-14":                            streams,
	"v1.4/CS-RNG-O-1-14":                                 seeds,
	"v1.4/CS-RNG-O-2-14":                                 seeds,
	"v1.4/CS-RNG-O-4-14":                                 seeds,
	"v1.2/CS_BC_M_7_12_Encrypt_with_All_Fields": "shows every field that a request can have: it names an object that no step makes, gives authenticated data to a mode that " +
		"authenticates nothing, and continues a stream that nobody began",
	"v1.2/TC-SK-CREATE-ENCRYPT-DECRYPT-DESTROY": "encrypts with a key that is Pre-Active, which KMIP 1.2 section 3.22 forbids, and wants a ciphertext of 256 bytes of AES-CBC " +
		"without a padding or an IV",
	"v1.2/TC_142_12_Key_Wrapping_using_AES_Key_Wrap_with_Attributes": "asks for an attribute inside of the wrapped key value and names no encoding option, so that the " +
		"TTLV-encoded Key Value is wrapped (KMIP 1.2 section 2.1.6); the 24 bytes that are published are the wrap of the bare key",
	"v1.2/TC_134_12_Register_Key_Pair_Certify_and_Re_certify_Public_Key": "uses Certify and Re-certify, which come with a certification authority",
	"v1.2/TC_151_12_Locate_a_Fresh_Object_from_the_Default_Group":        "presumes an object in the default group that the tester has put there by other means",
	"v1.2/TC_ECC_2_12_Register_an_ECC_Key_Pair_in_PKCS8_Format":          "registers an encrypted PKCS#8 whose password nobody is told, and wants it in another format, which takes the key",
	"v1.2/TC_111_12_Credential_Operation_Policy_Destroy_Date":            users,
	"v1.2/TC_112_12_Device_Credential_Operation_Policy_Destroy_Date":     users,
	"v1.4/TC-PKCS12-1-14": "wants a private key in PKCS#12, a format that a server may offer or not (KMIP 1.4 section 4.11: Key Format Type Not Supported)",
}

package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestADeviceCredentialIsSentAsItsFlagsSay(t *testing.T) {
	r := newRig(t, 200, made())
	all := "--device-serial s-1 --device-id i --device-network n --device-machine m --device-media d --device-password-file " + kept(t, "pw", "device pw\n")
	for flags, want := range map[string]string{
		all:                                `{"device":{"serial_number":"s-1","password":"device pw","device_identifier":"i","network_identifier":"n","machine_identifier":"m","media_identifier":"d"}}`,
		"--device-serial s-1":              `{"device":{"serial_number":"s-1"}}`,
		"--device-media d":                 `{"device":{"media_identifier":"d"}}`,
		"--device-password-file -":         `{"device":{"password":"from stdin "}}`,
		"--username u --device-serial s-1": `{"password":{"username":"u","password":"from stdin "},"device":{"serial_number":"s-1"}}`,
	} {
		for _, verb := range []string{"create", "configure"} {
			r.in = "from stdin \r\n"
			require.Equal(t, exitOK, r.run(t, append([]string{"kmip", "client", verb, "c"}, strings.Fields(flags)...)...), r.err.String())
			require.JSONEq(t, want, r.asked[0].body, flags)
			require.NotContains(t, r.out.String()+r.err.String(), "device pw")
		}
	}
}

func TestDeviceCredentialsThatAreNotSent(t *testing.T) {
	r := newRig(t, 200, struct{}{})
	r.in = "\n"
	for args, told := range map[string]string{
		"create c --device-password-file -":                            "the device password is empty",
		"create c --device-password-file /does/not/exist":              "read the device password: ",
		"create c --csr - --device-password-file -":                    "stdin is read once",
		"create c --username u --device-password-file -":               "stdin is read once",
		"configure c --username u --device-password-file -":            "stdin is read once",
		"configure c --device-serial s --remove-device":                "give a device credential or --remove-device, not both",
		"configure c --device-password-file /dev/null --remove-device": "give a device credential or --remove-device, not both",
		"renew c --device-serial s":                                    "unknown flag: --device-serial",
		"create c --device-password secret":                            "unknown flag: --device-password",
	} {
		require.Equal(t, exitUsage, r.run(t, append([]string{"kmip", "client"}, strings.Fields(args)...)...), args)
		require.Contains(t, r.err.String(), told, args)
		require.Empty(t, r.asked, args)
	}
	for _, flag := range []string{"serial", "id", "network", "machine", "media", "password-file"} {
		require.Equal(t, exitUsage, r.run(t, "kmip", "client", "configure", "c", "--device-"+flag, ""))
		require.Contains(t, r.err.String(), "--device-"+flag+" is empty")
		require.Empty(t, r.asked)
	}
}

package kmipclient

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestACredentialNarrows(t *testing.T) {
	r := withCAs(t)
	fred := Password{"Fred", Secret("password1")}
	disk := Device{Serial: "serNum123456", Password: Secret("secret"), ID: "devID2233", Network: "netID9000", Machine: "machineID1", Media: "mediaID313"}
	_, _, err := r.e.SetRole(t.Context(), r.req(), Role{Name: "named", All: true, Credential: true})
	require.NoError(t, err)
	out, err := r.try(Enrolment{Name: "a", By: source(t)(MakeKey(P256, 0)), Password: &fred, Device: &disk})
	require.NoError(t, err)
	plain := r.comes("b", parsed(t, r.enrol("b", source(t)(MakeKey(P256, 0))).Certificate))
	a := r.comes("a", parsed(t, out.Certificate))
	check := func(c Client, given ...Credential) error { return r.e.CheckCredential(r.view(), c, given...) }
	serial := disk
	serial.Serial = "other"
	require.NoError(t, check(a))
	require.NoError(t, check(plain))
	require.NoError(t, check(a, fred))
	require.NoError(t, check(a, disk, fred))
	refusals := map[string]error{
		"password": check(a, Password{"Fred", Secret("password2")}), "name": check(a, Password{"fred", Secret("password1")}),
		"one of two": check(a, fred, serial), "fields moved": check(a, Password{"Fredp", Secret("assword1")}), "device": check(a, serial),
		"one that it has not": check(plain, fred), "too many": check(a, fred, fred, fred, fred, fred, fred, fred, fred, fred),
		"too long": check(a, Password{"Fred", bytes.Repeat([]byte{'x'}, maxField+1)}), "nothing": check(plain, Password{}),
		"of a client that is gone": check(Client{Tenant: acme, UID: fsm.UID{9}}),
	}
	_, _, err = r.e.Configure(t.Context(), r.req(), "a", Change{Role: to("named"), DropDevice: true})
	require.NoError(t, err)
	a = r.comes("a", parsed(t, out.Certificate))
	require.NoError(t, check(a, fred))
	refusals["none where one is asked for"] = check(a)
	refusals["a device that it has no more"] = check(a, fred, disk)
	for name, err := range refusals {
		require.Equal(t, fault.Unauthenticated, fault.KindOf(err), name)
		require.Equal(t, refused().Error(), err.Error(), name)
	}
	require.Equal(t, [4]any{"Fred", true, "", false}, [4]any{r.info("a").Username, r.info("a").Password, r.info("a").Serial, r.info("a").Device})
	_, _, err = r.e.Configure(t.Context(), r.req(), "a", Change{Password: &Password{"Fred", Secret("short")}})
	requireKind(t, fault.Invalid, err, "8 bytes")
	_, _, err = r.e.Configure(t.Context(), r.req(), "a", Change{Device: &Device{}})
	requireKind(t, fault.Invalid, err, "one field")
	r.keys.Close()
	requireKind(t, fault.Sealed, check(a, fred), "sealed")
}

// TestTheSameCredentialLooksDifferentEverywhere, so that nobody sees from the state that two clients share one.
func TestTheSameCredentialLooksDifferentEverywhere(t *testing.T) {
	r := withCAs(t)
	seen := map[Fingerprint]bool{}
	for _, tenant := range []fsm.UID{acme, umbra} {
		for _, name := range []string{"a", "b"} {
			_, err := r.in(tenant).try(Enrolment{Name: name, By: source(t)(MakeKey(P256, 0)), Password: &Password{"Fred", Secret("password1")}})
			require.NoError(t, err)
			row, _, err := clients.Get(r.view(), fsm.K(tenant, r.in(tenant).info(name).UID))
			require.NoError(t, err)
			seen[row.Password.MAC] = true
		}
	}
	require.Len(t, seen, 4)
}

func TestSecretsPrintNothing(t *testing.T) {
	r := withCAs(t)
	password := Password{"Fred", Secret("hunter2-hunter2")}
	req := r.req()
	req.Receipt = &fsm.ReceiptKey{Key: [32]byte{1}, Request: [32]byte{2}}
	made, rc, err := r.e.Enrol(t.Context(), req, Enrolment{Name: "a", By: source(t)(MakeKey(P256, 0)), Password: &password}, "key")
	require.NoError(t, err)
	require.Contains(t, string([]byte(made.Key)), "PRIVATE KEY")
	row, _, err := clients.Get(r.view(), fsm.K(acme, made.UID))
	require.NoError(t, err)
	device := Device{Serial: "s", Password: Secret("hunter2-hunter2")}
	var out bytes.Buffer
	things := []any{made, &made, password, &password, device, made.Key, rc, row, *row.Password, source(t)(MakeKey(P256, 0))}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, x := range things {
			fmt.Fprintf(&out, verb, x)
		}
	}
	for _, x := range things[:6] {
		require.NoError(t, json.NewEncoder(&out).Encode(x))
		slog.New(slog.NewJSONHandler(&out, nil)).Info("made", "x", x)
		slog.New(slog.NewTextHandler(&out, nil)).Info("made", "x", x)
	}
	require.True(t, bytes.Contains(out.Bytes(), []byte(redacted)))
	body := []byte(made.Key)[94:114] // behind what every such key begins with
	require.NoError(t, r.view().Export(&out), "nothing of it stands in the log")
	for _, secret := range [][]byte{body, []byte("hunter2")} {
		for _, form := range []string{string(secret), fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprint(secret)[1:20]} {
			require.False(t, bytes.Contains(out.Bytes(), []byte(form)), "%s is printed", form)
		}
	}
	made.Key.Zero()
	require.Equal(t, make([]byte, len(made.Key)), []byte(made.Key))
}

func TestFingerprintsAsPeopleTypeThem(t *testing.T) {
	f := Fingerprint{0xab, 31: 1}
	plain := f.String()
	colons := ""
	for i := 0; i < len(plain); i += 2 {
		colons += ":" + plain[i:i+2]
	}
	for _, s := range []string{plain, colons[1:], string(bytes.ToUpper([]byte(colons[1:])))} {
		got, err := ParseFingerprint(s)
		require.NoError(t, err)
		require.Equal(t, f, got)
	}
	for _, s := range []string{"", plain[1:], plain + "00", "zz" + plain[2:], ":" + plain} {
		_, err := ParseFingerprint(s)
		requireKind(t, fault.Invalid, err, "fingerprint")
	}
	_, err := ByFingerprint(Fingerprint{})
	requireKind(t, fault.Invalid, err, "zeros")
}

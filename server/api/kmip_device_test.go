package api

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/kmipclient"
	"github.com/trstctl/trstctl/fsm/fault"
)

// TestWhoSetsAKMIPDeviceCredential: who may write the client, in its own tenant. What was set is shown by nobody, and comes in with exactly its fields.
func TestWhoSetsAKMIPDeviceCredential(t *testing.T) {
	b := newBench(t)
	kmipCAs(b)
	const device = `"device":{"serial_number":"s-1","password":"a device's secret","device_identifier":"i","network_identifier":"n","machine_identifier":"m","media_identifier":"d"}`
	const fresh = `{"algorithm":"ec-p256",` + device + `}`
	writer, reader := b.token("kmip/clients/* write", "kmip/roles/default read"), b.token("kmip/* read,list,delete")
	b.post("/kmip/clients/c", "", fresh).refused(fault.Unauthenticated, "")
	b.post("/kmip/clients/c", reader, fresh).refused(fault.Denied, "")
	leaf := parsedPEM(t, b.post("/kmip/clients/c", writer, fresh).is(200).reply()["certificate"])
	full := kmipclient.Device{Serial: "s-1", Password: []byte("a device's secret"), ID: "i", Network: "n", Machine: "m", Media: "d"}
	less := full
	less.Media = ""
	require.Equal(t, []bool{true, false}, b.credential(leaf, full, less))

	patch := func(path, token, body string) answer { return b.do("PATCH", "/kmip/clients/"+path, token, body) }
	patch("c", "", `{"device":{"serial_number":"x"}}`).refused(fault.Unauthenticated, "")
	patch("c", reader, `{"device":{"serial_number":"x"}}`).refused(fault.Denied, "")
	patch("c", reader, `{"remove_device":true}`).refused(fault.Denied, "")
	patch("c", b.token("kmip/clients/other write"), `{"device":{"serial_number":"x"}}`).refused(fault.Denied, "")
	patch("c", b.kmipTenant("acme"), `{"device":{"serial_number":"x"}}`).refused(fault.NotFound, "")
	require.Equal(t, []bool{true}, b.credential(leaf, full), "what was refused has changed nothing")
	patch("c", writer, `{"device":{"serial_number":"s-2"}}`).is(200)
	require.Equal(t, []bool{false, true}, b.credential(leaf, full, kmipclient.Device{Serial: "s-2"}))
	for _, path := range []string{"/kmip/clients/c", "/kmip/clients"} {
		require.NotContains(t, string(b.get(path, b.root).is(200).body), "secret")
	}
	require.NotContains(t, b.log.String(), "a device's secret")
}

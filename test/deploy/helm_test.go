package deploy

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/trstctl/trstctl/test/harness"
	"github.com/trstctl/trstctl/test/parts"
)

// object is a part of a decoded document.
type object = map[string]any

func chart(t *testing.T) string { return filepath.Dir(shipped(t, "helm/trstctl/Chart.yaml")) }

// render returns the chart's objects by kind and name.
func render(t *testing.T, values ...string) map[string]object {
	out, err := helm(t, values...)
	require.NoError(t, err, out)
	all := map[string]object{}
	for d := yaml.NewDecoder(strings.NewReader(out)); ; {
		var o object
		err := d.Decode(&o)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		if o != nil {
			all[at(t, o, "kind").(string)+"/"+at(t, o, "metadata", "name").(string)] = o
		}
	}
}

// helm renders the chart as release trstctl in namespace vault, after lint has found nothing. The error holds what helm said.
func helm(t *testing.T, values ...string) (string, error) {
	program := parts.Need(t, "helm", "")
	for _, args := range [][]string{{"lint", "--strict", "--quiet", chart(t)}, {"template", "trstctl", chart(t), "--namespace", "vault", "--kube-version", "1.31.0"}} {
		cmd := exec.Command(program, append(args, values...)...)
		var out, told bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &told
		if err := cmd.Run(); err != nil {
			return "", errors.New(out.String() + told.String())
		}
		if args[0] == "template" {
			return out.String(), nil
		}
	}
	panic("unreachable")
}

// at walks into an object; a step is a key or an index.
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch key := step.(type) {
		case string:
			o, ok := v.(object)
			require.True(t, ok, "%v: nothing at %v", path, step)
			v = o[key]
		case int:
			list, ok := v.([]any)
			require.True(t, ok && key < len(list), "%v: nothing at %v", path, step)
			v = list[key]
		}
	}
	return v
}

// named returns the one of a list that has this name.
func named(t *testing.T, list any, name string) object {
	t.Helper()
	for _, v := range list.([]any) {
		if o := v.(object); o["name"] == name {
			return o
		}
	}
	t.Fatalf("%q is not in %v", name, list)
	return nil
}

// valid has the binary check a configuration.
func valid(t *testing.T, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trstctl.yaml")
	write(t, path, text)
	run(t, harness.Binary(t), "server", "-c", path, "--check")
}

func TestTheChartMakesACluster(t *testing.T) {
	for _, replicas := range []int{3, 5} {
		all := render(t, "--set", "replicas="+string(rune('0'+replicas)))
		set := all["StatefulSet/trstctl"]
		require.Equal(t, replicas, at(t, set, "spec", "replicas"))
		require.Equal(t, "Parallel", at(t, set, "spec", "podManagementPolicy"))
		require.Equal(t, "trstctl-nodes", at(t, set, "spec", "serviceName"))
		require.Equal(t, []any{"ReadWriteOnce"}, at(t, set, "spec", "volumeClaimTemplates", 0, "spec", "accessModes"))
		require.Equal(t, 1, at(t, all["PodDisruptionBudget/trstctl"], "spec", "maxUnavailable"))

		nodes := all["Service/trstctl-nodes"]
		require.Equal(t, "None", at(t, nodes, "spec", "clusterIP"))
		require.Equal(t, true, at(t, nodes, "spec", "publishNotReadyAddresses"), "sealed pods find each other")
		require.NotContains(t, at(t, all["Service/trstctl"], "spec"), "publishNotReadyAddresses", "clients get ready pods only")

		pod := at(t, set, "spec", "template", "spec")
		rule := at(t, pod, "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution", 0)
		require.Equal(t, at(t, set, "spec", "selector", "matchLabels"), at(t, rule, "labelSelector", "matchLabels"))
		require.Len(t, at(t, all["ConfigMap/trstctl"], "data"), replicas)
		for _, kind := range []string{"StatefulSet/trstctl", "PodDisruptionBudget/trstctl"} {
			require.Equal(t, at(t, set, "spec", "template", "metadata", "labels", "app.kubernetes.io/instance"),
				at(t, all[kind], "spec", "selector", "matchLabels", "app.kubernetes.io/instance"))
		}
	}
}

func TestThePodsAreConfinedAndProbed(t *testing.T) {
	set := render(t)["StatefulSet/trstctl"]
	pod := at(t, set, "spec", "template", "spec")
	require.Equal(t, true, at(t, pod, "securityContext", "runAsNonRoot"))
	require.Equal(t, "RuntimeDefault", at(t, pod, "securityContext", "seccompProfile", "type"))
	require.Equal(t, false, at(t, pod, "automountServiceAccountToken"))
	require.GreaterOrEqual(t, at(t, pod, "terminationGracePeriodSeconds"), 30)
	for _, list := range []string{"containers", "initContainers"} {
		security := at(t, pod, list, 0, "securityContext")
		require.Equal(t, object{"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": object{"drop": []any{"ALL"}}}, security)
	}
	node := named(t, at(t, pod, "containers"), "trstctl")
	for probe, path := range map[string]string{"readinessProbe": "/readyz", "livenessProbe": "/healthz", "startupProbe": "/healthz"} {
		require.Equal(t, object{"path": path, "port": "api", "scheme": "HTTPS"}, at(t, node, probe, "httpGet"))
	}
	patience := at(t, node, "startupProbe", "periodSeconds").(int) * at(t, node, "startupProbe", "failureThreshold").(int)
	require.GreaterOrEqual(t, patience, 24*3600, "a node that waits for init or join is left alone")
}

func TestTheKeyFileReachesTheNodeFromASecret(t *testing.T) {
	all := render(t, "--set", "seal.file.secret=my-kek,seal.file.key=k")
	pod := at(t, all["StatefulSet/trstctl"], "spec", "template", "spec")
	source := at(t, named(t, at(t, pod, "volumes"), "secrets"), "projected", "sources", 0, "secret")
	require.Equal(t, object{"name": "my-kek", "items": []any{object{"key": "k", "path": "kek"}}}, source)
	require.Equal(t, "Memory", at(t, named(t, at(t, pod, "volumes"), "keys"), "emptyDir", "medium"))
	for _, mount := range at(t, pod, "containers", 0, "volumeMounts").([]any) {
		require.NotEqual(t, "secrets", mount.(object)["name"], "the node sees the copy only")
	}
	require.Contains(t, at(t, all["ConfigMap/trstctl"], "data", "trstctl-0.yaml"), "file: /run/trstctl/kek")
}

func TestAPKCS11ModuleIsMounted(t *testing.T) {
	all := render(t, "--set", "seal.file.enabled=false,seal.pkcs11.enabled=true,seal.pkcs11.modulePath=/opt/vendor/lib/p11.so",
		"--set", "seal.pkcs11.configSecret=hsm,seal.pkcs11.pinSecret=hsm-pin,seal.pkcs11.moduleVolume.hostPath.path=/opt/vendor/lib",
		"--set", "seal.pkcs11.token=kek,seal.pkcs11.key=root,seal.pkcs11.options.mechanism=RSA_OAEP,seal.shares.enabled=true",
		"--set", "seal.pkcs11.env.VENDOR_CONF=/etc/trstctl-pkcs11/vendor.conf")
	pod := at(t, all["StatefulSet/trstctl"], "spec", "template", "spec")
	node := named(t, at(t, pod, "containers"), "trstctl")
	require.Equal(t, object{"name": "pkcs11-module", "mountPath": "/opt/vendor/lib", "readOnly": true}, named(t, node["volumeMounts"], "pkcs11-module"))
	require.Equal(t, "/opt/vendor/lib", at(t, named(t, at(t, pod, "volumes"), "pkcs11-module"), "hostPath", "path"))
	require.Equal(t, "hsm", at(t, named(t, at(t, pod, "volumes"), "pkcs11-config"), "secret", "secretName"))
	sources := at(t, named(t, at(t, pod, "volumes"), "secrets"), "projected", "sources")
	require.Equal(t, []any{object{"secret": object{"name": "hsm-pin", "items": []any{object{"key": "pin", "path": "pin"}}}}}, sources)

	text := at(t, all["ConfigMap/trstctl"], "data", "trstctl-0.yaml").(string)
	var config object
	require.NoError(t, yaml.Unmarshal([]byte(text), &config))
	require.Equal(t, []any{object{"kind": "pkcs11", "module": "/opt/vendor/lib/p11.so", "token": "kek", "key": "root", "pin_file": "/run/trstctl/pin",
		"mechanism": "RSA_OAEP", "env": object{"VENDOR_CONF": "/etc/trstctl-pkcs11/vendor.conf"}}, object{"kind": "shamir"}}, config["seals"])
	valid(t, text)
}

func TestOptionsOfTheChart(t *testing.T) {
	all := render(t, "--set", "metrics.serviceMonitor.enabled=true,networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.team=ops",
		"--set", "antiAffinity=preferred,nodeIds.trstctl-1=trstctl-1b,config.limits.writes=7,storage.className=fast")
	require.Equal(t, "metrics", at(t, all["ServiceMonitor/trstctl"], "spec", "endpoints", 0, "port"))
	require.Equal(t, "nodes", at(t, all["Service/trstctl-nodes"], "metadata", "labels", "trstctl.io/service"))
	require.Equal(t, "nodes", at(t, all["ServiceMonitor/trstctl"], "spec", "selector", "matchLabels", "trstctl.io/service"))
	from := at(t, all["NetworkPolicy/trstctl"], "spec", "ingress", 2, "from", 0, "namespaceSelector", "matchLabels", "team")
	require.Equal(t, "ops", from)
	require.Equal(t, "fast", at(t, all["StatefulSet/trstctl"], "spec", "volumeClaimTemplates", 0, "spec", "storageClassName"))
	var config object
	text := at(t, all["ConfigMap/trstctl"], "data", "trstctl-1.yaml").(string)
	valid(t, text)
	require.NoError(t, yaml.Unmarshal([]byte(text), &config))
	require.Equal(t, "trstctl-1b", config["node"])
	require.Equal(t, 7, at(t, config, "limits", "writes"))
	affinity := at(t, all["StatefulSet/trstctl"], "spec", "template", "spec", "affinity", "podAntiAffinity")
	require.Contains(t, affinity, "preferredDuringSchedulingIgnoredDuringExecution")
}

func TestTheChartRefusesWhatCannotWork(t *testing.T) {
	for values, told := range map[string]string{
		"replicas=4":              "replicas",
		"replicas=1":              "replicas",
		"seal.file.enabled=false": "seal",
		"seal.file.secret=":       "secret",
		"seal.pkcs11.enabled=true,seal.pkcs11.pinSecret=p":          "token",
		"seal.pkcs11.enabled=true":                                  "pinSecret",
		"sealed=true":                                               "sealed",
		"metrics.serviceMonitor.enabled=true":                       "metricsFrom",
		"terminationGracePeriodSeconds=5":                           "terminationGracePeriodSeconds",
		"logLevel=loud":                                             "logLevel",
		"storage.size=20":                                           "size",
		"metrics.enabled=false,metrics.serviceMonitor.enabled=true": "metrics.enabled",
	} {
		_, err := helm(t, "--set", values)
		require.ErrorContains(t, err, told, values)
	}
}

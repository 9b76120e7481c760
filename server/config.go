package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/server/egress"
	"github.com/trstctl/trstctl/server/sink"
)

// Config is everything that an operator decides about a node. Each field can be overridden by an environment variable: its
// path in upper case with '_' for '.', after TRSTCTL_, as in TRSTCTL_API_LISTEN. TRSTCTL_SECRETS_KEK_FILE is seal.file.
type Config struct {
	Node    string        `koanf:"node"` // id, a lower-case DNS name; never used again once removed
	Data    string        `koanf:"data"` // directory, made when it does not exist
	API     Address       `koanf:"api"`
	Cluster ClusterConfig `koanf:"cluster"`
	Gossip  GossipConfig  `koanf:"gossip"`
	Seal    SealConfig    `koanf:"seal"`
	Seals   []SealEntry   `koanf:"seals"`
	Raft    RaftConfig    `koanf:"raft"`
	Secrets SecretsConfig `koanf:"secrets"`
	Transit TransitConfig `koanf:"transit"`
	Dynamic DynamicConfig `koanf:"dynamic"`
	PKI     PKIConfig     `koanf:"pki"`
	KMIP    KMIPConfig    `koanf:"kmip"`
	Metrics MetricsConfig `koanf:"metrics"`
	Limits  LimitsConfig  `koanf:"limits"`
	Disk    DiskConfig    `koanf:"disk"`
	Audit   AuditConfig   `koanf:"audit"`
	Backup  BackupConfig  `koanf:"backup"`
	Egress  EgressConfig  `koanf:"egress"`
	Log     LogConfig     `koanf:"log"`

	Autopilot AutopilotConfig `koanf:"autopilot"`
}

// Address is where a port listens and what others use to reach it.
type Address struct {
	Listen    string `koanf:"listen"`    // host:port
	Advertise string `koanf:"advertise"` // host:port; as listen when empty
}

// ClusterConfig is the port between nodes, default 127.0.0.1:8201.
type ClusterConfig struct {
	Listen    string   `koanf:"listen"`
	Advertise string   `koanf:"advertise"`
	Peers     []string `koanf:"peers"` // cluster ports of other nodes, to try when every known address has changed
}

// GossipConfig is discovery, default 127.0.0.1:8301 and off. Everything works without it.
type GossipConfig struct {
	Enabled   bool   `koanf:"enabled"`
	Listen    string `koanf:"listen"`
	Advertise string `koanf:"advertise"`
}

// SealConfig is the short way to name one seal of kind file.
type SealConfig struct {
	File string `koanf:"file"` // 32 bytes, mode 0600, made by `trstctl operator keygen`
}

// RaftConfig chooses the log store, "bolt" or "wal", and bounds the log. 0 stands for the default.
type RaftConfig struct {
	LogStore string `koanf:"log_store"`
	Snapshot int64  `koanf:"snapshot_mib"` // of log after which a snapshot is taken, default 64
	Trailing int64  `koanf:"trailing_mib"` // of log that are kept behind it for members that lag, default 256
}

// SecretsConfig switches the secret store's routes on.
type SecretsConfig struct {
	EnableAPI bool `koanf:"enable_api"`
}

// TransitConfig switches transit's routes on.
type TransitConfig struct {
	EnableAPI bool `koanf:"enable_api"`
}

// DynamicConfig switches the routes of dynamic secrets on.
type DynamicConfig struct {
	EnableAPI bool `koanf:"enable_api"`
}

// PKIConfig switches the routes of the PKI on, with which CRLs and OCSP answers are published on the API's port, and opens a port where they are in clear.
type PKIConfig struct {
	EnableAPI bool   `koanf:"enable_api"`
	Listen    string `koanf:"listen"` // host:port for CRLs and OCSP over HTTP, as certificates name them; empty, the default: not served

	EnableACME bool   `koanf:"enable_acme"`   // roles that have a directory give certificates to clients of ACME, on the API's port below /acme/
	Resolver   string `koanf:"acme_resolver"` // host:port of the DNS server that is asked about names to be proved; empty, the default: those that the machine asks
}

// KMIPConfig opens a port for KMIP, and switches the routes on that administer its clients.
type KMIPConfig struct {
	EnableAPI     bool     `koanf:"enable_api"`
	Listen        string   `koanf:"listen"`         // host:port, usually port 5696; empty, the default: KMIP is not served
	HTTPS         string   `koanf:"https"`          // host:port for POST /kmip with TTLV, XML or JSON; empty, the default: not served
	Names         []string `koanf:"names"`          // DNS names and IP addresses in the server's certificate; api.advertise's host when there are none
	LegacyCiphers bool     `koanf:"legacy_ciphers"` // TLS_RSA and CBC suites too, for appliances that know no others
	Requests      int      `koanf:"requests"`       // carried out at the same time, default 512; twice as many may wait a second; a tenant has three quarters
}

// MetricsConfig gives /metrics a listener of its own, without a token; empty: only on the API, with one.
type MetricsConfig struct {
	Listen string `koanf:"listen"`
}

// LimitsConfig bounds what callers may take; 0 stands for the default.
type LimitsConfig struct {
	AddressPerSecond int `koanf:"address_per_second"`
	TokenPerSecond   int `koanf:"token_per_second"`
	Reads            int `koanf:"reads"`
	Writes           int `koanf:"writes"`
	Uses             int `koanf:"uses"`
	Operator         int `koanf:"operator"`
	Bulk             int `koanf:"bulk"`
}

// DiskConfig is the space kept free, in MiB.
type DiskConfig struct {
	Reserve int64 `koanf:"reserve_mib"` // below it writes are refused, default 512
	Ballast int64 `koanf:"ballast_mib"` // a file that is given back when a start needs the space, default 256
}

// AutopilotConfig is what the leader does about members by itself. Each node has its own; the leader's counts.
type AutopilotConfig struct {
	// DeadAfter is the silence after which the leader removes a member for ever, at least 10m; 0, the default, for never. A voter is removed
	// only when three others remain.
	DeadAfter time.Duration `koanf:"dead_after"`
}

// AuditConfig bounds the node's journal of reads. Whole files of 64 MiB are removed, the oldest first, when either bound is passed.
type AuditConfig struct {
	Retention string        `koanf:"retention"` // a duration, default 2160h, which are 90 days; 0 keeps everything that max_mib allows
	Max       int64         `koanf:"max_mib"`   // default 4096; 0: no bound
	Sinks     []sink.Config `koanf:"sinks"`     // where it is carried on to
}

// LogConfig is the level: debug, info, warn or error.
type LogConfig struct {
	Level string `koanf:"level"`
}

const leastDeadAfter = 10 * time.Minute

func defaults() Config {
	return Config{
		API: Address{Listen: "127.0.0.1:8200"}, Cluster: ClusterConfig{Listen: "127.0.0.1:8201"}, Gossip: GossipConfig{Listen: "127.0.0.1:8301"},
		Raft: RaftConfig{LogStore: "bolt"}, Disk: DiskConfig{Reserve: 512, Ballast: 256}, Log: LogConfig{Level: "info"},
		Audit: AuditConfig{Retention: "2160h", Max: 4096},
	}
}

// LoadConfig reads path, applies the environment, and validates. Its errors name the key.
func LoadConfig(path string) (Config, error) {
	k := koanf.New(".")
	if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
		return Config{}, fmt.Errorf("read configuration %s: %w", path, err)
	}
	known := knownKeys()
	for _, key := range k.Keys() {
		if !slices.Contains(known, key) {
			return Config{}, fmt.Errorf("configuration %s: %q is not a key; the keys are %s", path, key, strings.Join(known, ", "))
		}
	}
	if err := k.Load(environment(known), nil); err != nil {
		return Config{}, fmt.Errorf("read configuration from the environment: %w", err)
	}
	c := defaults()
	if err := k.UnmarshalWithConf("", &c, strictly(&c)); err != nil {
		return Config{}, fmt.Errorf("configuration %s: %w", path, err)
	}
	c.complete()
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("configuration %s: %w", path, err)
	}
	return c, nil
}

// strictly refuses keys inside of lists that are not known: those outside have been looked at.
func strictly(into *Config) koanf.UnmarshalConf {
	return koanf.UnmarshalConf{Tag: "koanf", DecoderConfig: &mapstructure.DecoderConfig{DecodeHook: mapstructure.StringToTimeDurationHookFunc(), ErrorUnused: true, WeaklyTypedInput: true, Result: into, TagName: "koanf"}}
}

// environment maps TRSTCTL_API_LISTEN to api.listen by looking the key up: a name with '_' in it would be ambiguous otherwise.
func environment(known []string) koanf.Provider {
	return env.Provider(".", env.Opt{Prefix: "TRSTCTL_", TransformFunc: func(name, value string) (string, any) {
		if name == "TRSTCTL_SECRETS_KEK_FILE" {
			return "seal.file", value
		}
		for _, key := range known {
			if name == "TRSTCTL_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_")) {
				if key == "cluster.peers" || key == "egress.allow" || key == "kmip.names" {
					return key, strings.Split(value, ",")
				}
				return key, value
			}
		}
		return "", nil // TRSTCTL_TOKEN and the like are the client's
	}})
}

func (c *Config) complete() {
	c.Backup.complete()
	if c.KMIP.Requests == 0 {
		c.KMIP.Requests = 512
	}
	for _, a := range [][2]*string{{&c.API.Advertise, &c.API.Listen}, {&c.Cluster.Advertise, &c.Cluster.Listen}, {&c.Gossip.Advertise, &c.Gossip.Listen}} {
		if *a[0] == "" {
			*a[0] = *a[1]
		}
	}
}

// Validate checks all fields and reports every fault, each with its key.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if err := cluster.ValidNode(c.Node); err != nil {
		bad("node", "%v", err)
	}
	if c.Data == "" {
		bad("data", "name the data directory")
	}
	c.validateSeals(bad)
	for key, addr := range map[string]string{"api.listen": c.API.Listen, "api.advertise": c.API.Advertise, "cluster.listen": c.Cluster.Listen,
		"cluster.advertise": c.Cluster.Advertise, "gossip.listen": c.Gossip.Listen, "gossip.advertise": c.Gossip.Advertise} {
		if err := validAddress(addr, strings.HasSuffix(key, "advertise")); err != nil {
			bad(key, "%v", err)
		}
	}
	for _, p := range c.Cluster.Peers {
		if err := validAddress(p, true); err != nil {
			bad("cluster.peers", "%v", err)
		}
	}
	if c.Metrics.Listen != "" && validAddress(c.Metrics.Listen, false) != nil {
		bad("metrics.listen", "%q is not host:port", c.Metrics.Listen)
	}
	if c.KMIP.Listen != "" && validAddress(c.KMIP.Listen, false) != nil {
		bad("kmip.listen", "%q is not host:port", c.KMIP.Listen)
	}
	if c.KMIP.HTTPS != "" && validAddress(c.KMIP.HTTPS, false) != nil {
		bad("kmip.https", "%q is not host:port", c.KMIP.HTTPS)
	}
	if c.PKI.Listen != "" && validAddress(c.PKI.Listen, false) != nil {
		bad("pki.listen", "%q is not host:port", c.PKI.Listen)
	}
	if c.PKI.Resolver != "" && validAddress(c.PKI.Resolver, true) != nil {
		bad("pki.acme_resolver", "%q is not host:port", c.PKI.Resolver)
	}
	if c.PKI.EnableACME && !c.PKI.EnableAPI {
		bad("pki.enable_acme", "needs pki.enable_api")
	}
	if c.KMIP.Requests < 0 {
		bad("kmip.requests", "is not negative")
	}
	if err := c.serverNames().Check(); err != nil {
		bad("kmip.names", "%v", err)
	}
	if c.Raft.LogStore != "bolt" && c.Raft.LogStore != "wal" {
		bad("raft.log_store", "%q is neither bolt nor wal", c.Raft.LogStore)
	}
	if c.Raft.Snapshot < 0 || c.Raft.Trailing < 0 {
		bad("raft", "sizes are not negative")
	}
	if c.Disk.Reserve < 0 || c.Disk.Ballast < 0 {
		bad("disk", "sizes are not negative")
	}
	if d := c.Autopilot.DeadAfter; d != 0 && d < leastDeadAfter {
		bad("autopilot.dead_after", "%s is too short, a restart may take as long: at least %s, or 0 for never", d, leastDeadAfter)
	}
	if d, err := time.ParseDuration(c.Audit.Retention); err != nil || d < 0 {
		bad("audit.retention", "%q is not a duration such as 2160h", c.Audit.Retention)
	}
	if c.Audit.Max != 0 && c.Audit.Max < 128 {
		bad("audit.max_mib", "is 0 or at least 128: two files")
	}
	for i, s := range c.Audit.Sinks {
		if err := s.Validate(); err != nil {
			bad(fmt.Sprintf("audit.sinks.%d", i), "%v", err)
		}
	}
	c.Backup.validate(bad)
	if _, err := egress.Parse(c.Egress.Allow); err != nil {
		bad("egress.allow", "%v", err)
	}
	if _, err := c.level(); err != nil {
		bad("log.level", "%q is none of debug, info, warn, error", c.Log.Level)
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

func (c *Config) level() (l slog.Level, err error) { return l, l.UnmarshalText([]byte(c.Log.Level)) }

func validAddress(addr string, advertised bool) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" {
		return fmt.Errorf("%q is not host:port", addr)
	}
	if ip := net.ParseIP(host); advertised && (host == "" || ip != nil && ip.IsUnspecified()) {
		return fmt.Errorf("%q cannot be reached by others: name a host", addr)
	}
	return nil
}

// Socket is where the node listens for the operator of its machine.
func (c *Config) Socket() string { return filepath.Join(c.Data, "trstctl.sock") }

// knownKeys are the paths of all fields.
func knownKeys() []string {
	keys := keysOf(reflect.TypeFor[Config](), "")
	slices.Sort(keys)
	return keys
}

func keysOf(t reflect.Type, prefix string) []string {
	var keys []string
	for i := range t.NumField() {
		f := t.Field(i)
		if key := prefix + f.Tag.Get("koanf"); f.Type.Kind() == reflect.Struct {
			keys = append(keys, keysOf(f.Type, key+".")...)
		} else {
			keys = append(keys, key)
		}
	}
	return keys
}

// Logger is the node's log: JSON lines.
func (c *Config) Logger(to *os.File) *slog.Logger {
	l, err := c.level()
	if err != nil {
		l = slog.LevelInfo
	}
	return slog.New(slog.NewJSONHandler(to, &slog.HandlerOptions{Level: l}))
}

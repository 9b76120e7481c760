package server

import (
	"context"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/engines/backup"
	"github.com/trstctl/trstctl/engines/backup/s3"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/server/egress"
)

// BackupConfig has the leader take backups by itself, and try each of them. Every node has it, since any may lead.
type BackupConfig struct {
	Every   time.Duration `koanf:"every"`   // such as 1h; 0: none are taken
	Keep    int           `koanf:"keep"`    // how many; the last that passed its drill is kept beside them; default 48
	Dir     string        `koanf:"dir"`     // a directory, shared or of each node; either this or s3
	Scratch string        `koanf:"scratch"` // where drills load them, as large as the tables; default: the system's directory for temporary files
	S3      S3Config      `koanf:"s3"`
}

// S3Config is a bucket of anything that speaks S3.
type S3Config struct {
	Endpoint      string `koanf:"endpoint"` // https://host:port
	Bucket        string `koanf:"bucket"`
	Prefix        string `koanf:"prefix"` // of the keys
	Region        string `koanf:"region"` // default us-east-1
	AccessKeyFile string `koanf:"access_key_file"`
	SecretKeyFile string `koanf:"secret_key_file"`
}

// EgressConfig says where the node may connect to beside what is plainly outside.
type EgressConfig struct {
	Allow []string `koanf:"allow"` // addresses and networks: loopback and link-local are refused unless they stand here
}

const (
	leastEvery  = time.Minute
	defaultKeep = 48
)

func (c *BackupConfig) complete() {
	if c.Keep == 0 {
		c.Keep = defaultKeep
	}
	if c.S3.Region == "" {
		c.S3.Region = "us-east-1"
	}
}

func (c *BackupConfig) validate(bad func(key, format string, args ...any)) {
	bucket := c.S3.Endpoint != "" || c.S3.Bucket != ""
	if c.Every == 0 {
		if c.Dir != "" || bucket {
			bad("backup.every", "say how often, such as 1h")
		}
		return
	}
	if c.Every < leastEvery {
		bad("backup.every", "%s is too often: at least %s", c.Every, leastEvery)
	}
	if c.Keep < 1 {
		bad("backup.keep", "at least one is kept, not %d", c.Keep)
	}
	if (c.Dir == "") == !bucket {
		bad("backup", "name either a directory (dir) or a bucket (s3)")
	}
	if bucket {
		c.S3.validate(bad)
	}
}

func (c *S3Config) validate(bad func(key, format string, args ...any)) {
	if u, err := url.Parse(c.Endpoint); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
		bad("backup.s3.endpoint", "%q is not an address such as https://s3.example.net", c.Endpoint)
	}
	for key, value := range map[string]string{"bucket": c.Bucket, "access_key_file": c.AccessKeyFile, "secret_key_file": c.SecretKeyFile} {
		if value == "" {
			bad("backup.s3."+key, "is missing")
		}
	}
}

// schedule is nil when no backups are to be taken.
func (m *member) schedule(cfg Config, meters *meters) (*backup.Schedule, error) {
	if cfg.Backup.Every == 0 {
		return nil, nil
	}
	id := m.cluster.Identity()
	return backup.NewSchedule(backup.Plan{
		Cluster: id.Cluster, Node: id.Node, Every: cfg.Backup.Every, Keep: cfg.Backup.Keep, Scratch: cfg.Backup.Scratch,
		Target: cfg.Backup.target(m.egress), Keys: m.keys, Ledger: m.cluster.Ledger(), Events: registry,
		Present: m.present, Proof: func(v *fsm.View) error { return cluster.ProveKeys(v, m.keys) },
		Log: m.log,
	}), meters.registry.Register(backupGauges{m.cluster.Store(), cfg.Backup.Every})
}

func (c *BackupConfig) target(rules egress.Rules) backup.Target {
	if c.Dir != "" {
		return backup.Dir(c.Dir)
	}
	return s3.New(s3.Config{Endpoint: c.S3.Endpoint, Bucket: c.S3.Bucket, Prefix: c.S3.Prefix, Region: c.S3.Region,
		AccessKeyFile: c.S3.AccessKeyFile, SecretKeyFile: c.S3.SecretKeyFile, HTTP: rules.Client()})
}

// backupGauges show on every node how the scheduled backups are, as its state says.
type backupGauges struct {
	store *fsm.Store
	every time.Duration
}

// backupGauge is one metric: get returns false where it has no value yet.
type backupGauge struct {
	desc *prometheus.Desc
	get  func(backup.Summary) (float64, bool)
}

func backupGaugeOf(name, help string, get func(backup.Summary) (float64, bool)) backupGauge {
	return backupGauge{prometheus.NewDesc("trstctl_backup_"+name, help, nil, nil), get}
}

var allBackupGauges = []backupGauge{
	backupGaugeOf("kept", "Scheduled backups that are kept.", func(s backup.Summary) (float64, bool) { return float64(s.Kept), true }),
	backupGaugeOf("last_good_age_seconds", "Age of the youngest backup that has passed its drill; absent before the first.",
		func(s backup.Summary) (float64, bool) {
			return chaos.Now().Sub(s.Good.At.Std()).Seconds(), s.Good.At > 0
		}),
	backupGaugeOf("last_drill_ok", "1 when the last drill passed: the backup was read back, loaded, verified and opened.",
		func(s backup.Summary) (float64, bool) { v, _ := truth(s.Tried.Good); return v, s.Tried.Drilled > 0 }),
	backupGaugeOf("last_duration_seconds", "How long the last backup took.", func(s backup.Summary) (float64, bool) { return float64(s.Last.Taken.Millis) / 1000, s.Last.At > 0 }),
	backupGaugeOf("last_bytes", "Size of the last backup.", func(s backup.Summary) (float64, bool) { return float64(s.Last.Taken.Bytes), s.Last.At > 0 }),
	backupGaugeOf("drill_duration_seconds", "How long the last drill took.", func(s backup.Summary) (float64, bool) { return float64(s.Tried.Millis) / 1000, s.Tried.Drilled > 0 }),
}

var everyDesc = prometheus.NewDesc("trstctl_backup_every_seconds", "How often a backup is to be taken.", nil, nil)

// Describe and Collect implement prometheus.Collector.
func (g backupGauges) Describe(to chan<- *prometheus.Desc) {
	to <- everyDesc
	for _, m := range allBackupGauges {
		to <- m.desc
	}
}

func (g backupGauges) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.MustNewConstMetric(everyDesc, prometheus.GaugeValue, g.every.Seconds())
	v, err := g.store.View()
	if err != nil {
		return // the node is stopping
	}
	defer v.Close()
	all, err := backup.All(v)
	if err != nil {
		return // no figure is better than a wrong one; the alert on its absence tells
	}
	s := backup.Summarize(all)
	for _, m := range allBackupGauges {
		if value, has := m.get(s); has {
			to <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, value)
		}
	}
}

// present is a view that covers everything acknowledged before the call.
func (m *member) present(ctx context.Context) (*fsm.View, error) {
	if err := m.cluster.Await(ctx, cluster.Linearizable, 0, 0); err != nil {
		return nil, err
	}
	return m.cluster.Store().View()
}

// clusterPort reports whether a member listens there for the others. What cannot be read now is taken for one.
func (m *member) clusterPort(at netip.AddrPort) bool {
	v, err := m.cluster.Store().View()
	if err != nil {
		return true
	}
	defer v.Close()
	all, err := cluster.Members(v)
	for _, one := range all {
		if p, e := netip.ParseAddrPort(one.Cluster); e == nil && p == at {
			return true
		}
	}
	return err != nil
}

package app

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/s3"
	"github.com/trailbell/trailbell/internal/streams"
	"github.com/trailbell/trailbell/sigma"
)

// Config is everything that can be set. It is made by [DefaultConfig], changed
// by a file, by the environment and by flags, in this order, and then checked
// once by Validate.
type Config struct {
	// DataDir holds the store of the embedded server. Default:
	// $XDG_STATE_HOME/trailbell, else ~/.local/state/trailbell.
	DataDir string `yaml:"data_dir"`
	NATS    NATS   `yaml:"nats"`
	// HTTP is the address of /metrics, /healthz and /readyz; empty: none.
	HTTP       string     `yaml:"http"`
	Log        Log        `yaml:"log"`
	Streams    Streams    `yaml:"streams"`
	Lister     Lister     `yaml:"lister"`
	Fetcher    Fetcher    `yaml:"fetcher"`
	Decoder    Decoder    `yaml:"decoder"`
	Correlator Correlator `yaml:"correlator"`
	Forwarder  Forwarder  `yaml:"forwarder"`

	origin *origin // nil without a file
}

// NATS says which server to use.
type NATS struct {
	// URL of a server; empty: an embedded one.
	URL string `yaml:"url"`
	// Listen is where the embedded server listens for other programs.
	Listen string `yaml:"listen"`
	// SyncAlways makes the embedded server flush each message to the disk:
	// safe against power loss, about four times slower.
	SyncAlways bool `yaml:"sync_always"`
}

// Log says how to log. Logs go to stderr and never hold the content of a
// record.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // text, json
}

// Streams bound what the streams keep. On a server that is not embedded they
// hold for streams that do not exist yet.
type Streams struct {
	Keys       Size `yaml:"keys"`
	Batches    Size `yaml:"batches"`
	Events     Size `yaml:"events"`
	Matches    Size `yaml:"matches"`
	Alerts     Size `yaml:"alerts"`
	Dead       Size `yaml:"dead"`
	Partitions int  `yaml:"partitions"`
	Replicas   int  `yaml:"replicas"`
}

// least is the smallest size of a stream, which has to hold a few messages.
const least = 16 << 20

// within returns sizes of which the sum is at most total, in the same
// proportions, unless that makes streams too small to work with.
func (s Streams) within(total int64) Streams {
	sizes := []*Size{&s.Keys, &s.Batches, &s.Events, &s.Matches, &s.Alerts, &s.Dead}
	sum := Size(0)
	for _, z := range sizes {
		sum += *z
	}
	// Each gets the least, and they share the rest.
	share := max(float64(total-int64(len(sizes))*least), 0) / float64(sum)
	for _, z := range sizes {
		*z = min(*z, least+Size(float64(*z)*share))
	}
	return s
}

// Lister says what to watch.
type Lister struct {
	// Interval between two polls of a bucket.
	Interval Duration `yaml:"interval"`
	// LookBack is how long a file may take to appear and is still found.
	LookBack Duration `yaml:"look_back"`
	Buckets  []Bucket `yaml:"buckets"`
}

// Bucket is a bucket with CloudTrail logs.
type Bucket struct {
	s3.Bucket `yaml:",inline"`
	// Accounts and Regions to watch; empty: all there are.
	Accounts []string `yaml:"accounts"`
	Regions  []string `yaml:"regions"`
	// Since is the first day; default: today, UTC, less the look-back.
	Since Since `yaml:"since"`
}

// Fetcher bounds how objects are fetched.
type Fetcher struct {
	Workers   int  `yaml:"workers"`    // objects at a time
	Batch     Size `yaml:"batch"`      // a batch of records, decompressed
	MaxRecord Size `yaml:"max_record"` // a longer record is a dead letter
	MaxObject Size `yaml:"max_object"` // decompressed
}

// Decoder bounds how batches are decoded.
type Decoder struct {
	Workers int `yaml:"workers"` // batches at a time
}

// Correlator says which rules to run.
type Correlator struct {
	Workers int `yaml:"workers"` // batches at a time
	// Horizon is how far apart two events may arrive and still count
	// together.
	Horizon Duration `yaml:"horizon"`
	// Coalesce is the shortest time between two revisions of an alert.
	Coalesce Duration `yaml:"coalesce"`
	// MaxEvents bounds the events that the correlations remember, with their
	// values, their places in chains, and their groups.
	MaxEvents int      `yaml:"max_events"`
	Evidence  Evidence `yaml:"evidence"`
	Rules     Rules    `yaml:"rules"`
}

// Evidence bounds what an alert carries.
type Evidence struct {
	Records  int  `yaml:"records"`   // of CloudTrail, as they are
	Bytes    Size `yaml:"bytes"`     // of all records together
	EventIDs int  `yaml:"event_ids"` // of the records that count
}

// Limits are the same for those who keep them.
func (e Evidence) Limits() alert.Limits {
	return alert.Limits{Records: e.Records, RecordBytes: int(e.Bytes), EventIDs: e.EventIDs}
}

func defaultEvidence() Evidence {
	l := alert.DefaultLimits()
	return Evidence{Records: l.Records, Bytes: Size(l.RecordBytes), EventIDs: l.EventIDs}
}

// Rules says which rules to load.
type Rules struct {
	Shipped bool              `yaml:"shipped"` // the rules inside the binary
	Paths   []string          `yaml:"paths"`   // files or directory trees of Sigma YAML; in a file from its directory
	Disable []string          `yaml:"disable"` // ids or names
	Level   map[string]string `yaml:"level"`   // id or name: level
	// Placeholders are the values of %name% in rules with the modifier expand.
	Placeholders map[string][]string `yaml:"placeholders"`

	origin *origin // nil without a file
}

// Forwarder says where alerts go.
type Forwarder struct {
	Sinks []Sink `yaml:"sinks"`
}

// Sink is a place that alerts go to.
type Sink struct {
	Name   string `yaml:"name"`
	Type   string `yaml:"type"`   // stdout, file
	Path   string `yaml:"path"`   // file: the NDJSON file to append to
	Format string `yaml:"format"` // stdout: text, json
	Match  Match  `yaml:"match"`
}

// Match is a filter on alerts; an empty list lets everything pass.
type Match struct {
	Level []string `yaml:"level"`
	Rule  []string `yaml:"rule"` // ids or names
}

// DefaultConfig is what holds when nothing is said.
func DefaultConfig() Config {
	l := streams.DefaultLimits()
	cores := runtime.GOMAXPROCS(0)
	return Config{
		DataDir: stateDir(),
		NATS:    NATS{Listen: "127.0.0.1:4222"},
		HTTP:    "127.0.0.1:9464",
		Log:     Log{Level: "info", Format: "text"},
		Streams: Streams{
			Keys: Size(l.Keys), Batches: Size(l.Batches), Events: Size(l.Events), Matches: Size(l.Matches),
			Alerts: Size(l.Alerts), Dead: Size(l.Dead), Partitions: l.Partitions, Replicas: l.Replicas,
		},
		Lister:     Lister{Interval: Duration(5 * time.Minute), LookBack: Duration(48 * time.Hour)},
		Fetcher:    Fetcher{Workers: max(16, 4*cores), Batch: 512 << 10, MaxRecord: 1 << 20, MaxObject: 4 << 30},
		Decoder:    Decoder{Workers: cores},
		Correlator: Correlator{Workers: cores, Horizon: Duration(24 * time.Hour), Coalesce: Duration(10 * time.Second), MaxEvents: 500_000, Evidence: defaultEvidence(), Rules: Rules{Shipped: true}},
		Forwarder:  Forwarder{Sinks: []Sink{{Name: "screen", Type: "stdout", Format: "text"}}},
	}
}

// stateDir follows the XDG base directory specification.
func stateDir() string {
	if d := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "trailbell")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "" // CheckDisk asks for it, if it is needed at all
	}
	return filepath.Join(home, ".local", "state", "trailbell")
}

// Limits of the streams.
func (c Config) Limits() streams.Limits {
	s := c.Streams
	return streams.Limits{
		Keys: int64(s.Keys), Batches: int64(s.Batches), Events: int64(s.Events), Matches: int64(s.Matches),
		Alerts: int64(s.Alerts), Dead: int64(s.Dead), Partitions: s.Partitions, Replicas: s.Replicas,
	}
}

// invalid is a value that cannot be used.
type invalid struct{ key, text string }

// Validate says everything that is wrong, in the order of the keys, each with
// file and line when it comes from there, the key and what to write.
func (c Config) Validate() error {
	var errs []error
	for _, e := range c.invalid() {
		errs = append(errs, fmt.Errorf("%s%s: %s", c.origin.place(e), e.key, e.text))
	}
	return errors.Join(errs...)
}

func (c Config) invalid() []invalid {
	var all []invalid
	bad := func(key, format string, args ...any) {
		all = append(all, invalid{key, fmt.Sprintf(format, args...)})
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		bad("log.level", "%q is not a level; write debug, info, warn or error", c.Log.Level)
	}
	if !slices.Contains([]string{"text", "json"}, c.Log.Format) {
		bad("log.format", "%q is not a format; write text or json", c.Log.Format)
	}
	for key, n := range map[string]Size{"keys": c.Streams.Keys, "batches": c.Streams.Batches, "events": c.Streams.Events, "matches": c.Streams.Matches, "alerts": c.Streams.Alerts, "dead": c.Streams.Dead} {
		if n < least {
			bad("streams."+key, "%s is too small to hold a few messages; write at least 16MiB", n)
		}
	}
	if n := c.Streams.Partitions; n < 1 || n > 256 {
		bad("streams.partitions", "%d is not from 1 to 256", n)
	}
	if n := c.Streams.Replicas; n < 1 || n > 5 {
		bad("streams.replicas", "%d is not from 1 to 5", n)
	}
	if d := time.Duration(c.Lister.Interval); d < time.Second {
		bad("lister.interval", "%s is too often; write at least 1s", c.Lister.Interval)
	}
	if d := time.Duration(c.Lister.LookBack); d < time.Hour || d > 31*24*time.Hour {
		bad("lister.look_back", "%s is not from 1h to 31d", c.Lister.LookBack)
	}
	names := map[string]bool{}
	for i, b := range c.Lister.Buckets {
		key := fmt.Sprintf("lister.buckets[%d]", i)
		if err := b.Validate(); err != nil {
			bad(key, "%v", err)
		}
		if names[b.Name] {
			bad(key, "bucket %q is listed twice; list it once", b.Name)
		}
		names[b.Name] = true
	}
	for key, n := range map[string]int{"fetcher.workers": c.Fetcher.Workers, "decoder.workers": c.Decoder.Workers, "correlator.workers": c.Correlator.Workers} {
		if n < 1 || n > 1024 {
			bad(key, "%d is not from 1 to 1024", n)
		}
	}
	if n := c.Fetcher.Batch; n < 16<<10 || n > 4<<20 {
		bad("fetcher.batch", "%s is not from 16KiB to 4MiB", n)
	}
	if n := c.Fetcher.MaxRecord; n < 256<<10 || n > 4<<20 {
		bad("fetcher.max_record", "%s is not from 256KiB to 4MiB", n)
	}
	if n := c.Correlator.MaxEvents; n < 1000 {
		bad("correlator.max_events", "%d is too few; write at least 1000", n)
	}
	if n := c.Correlator.Evidence.Records; n < 0 || n > 1000 {
		bad("correlator.evidence.records", "%d is not from 0 to 1000", n)
	}
	if n := c.Correlator.Evidence.Bytes; n < 0 || n > 4<<20 {
		bad("correlator.evidence.bytes", "%s is not from 0B to 4MiB", n)
	}
	if n := c.Correlator.Evidence.EventIDs; n < 1 || n > 10_000 {
		bad("correlator.evidence.event_ids", "%d is not from 1 to 10000", n)
	}
	if d := time.Duration(c.Correlator.Horizon); d < time.Minute || d > 7*24*time.Hour {
		bad("correlator.horizon", "%s is not from 1m to 7d, which is how long MATCHES keeps its messages", c.Correlator.Horizon)
	}
	for rule, name := range c.Correlator.Rules.Level {
		if _, err := sigma.ParseLevel(name); err != nil {
			bad("correlator.rules.level."+rule, "%v", err)
		}
	}
	for name, values := range c.Correlator.Rules.Placeholders {
		if len(values) == 0 {
			bad("correlator.rules.placeholders."+name, "there are no values; write what %%%s%% stands for, as in [a, b]", name)
		}
	}
	sinks := map[string]bool{}
	for i, s := range c.Forwarder.Sinks {
		s.validate(sinks, func(field, format string, args ...any) {
			bad(fmt.Sprintf("forwarder.sinks[%d]%s", i, field), format, args...)
		})
	}
	slices.SortStableFunc(all, func(a, b invalid) int { return cmp.Compare(a.key, b.key) })
	return all
}

func (s Sink) validate(names map[string]bool, bad func(field, format string, args ...any)) {
	switch {
	case s.Name == "":
		bad(".name", "every sink needs a name: its progress is kept under it")
	case names[s.Name]:
		bad(".name", "%q is the name of another sink too", s.Name)
	}
	names[s.Name] = true
	switch s.Type {
	case "stdout":
		if s.Format != "" && s.Format != "text" && s.Format != "json" {
			bad(".format", "%q is not a format; write text or json", s.Format)
		}
	case "file":
		if s.Path == "" {
			bad(".path", "a file sink needs a path")
		}
	default:
		bad(".type", "%q is not a type of sink; there are stdout and file", s.Type)
	}
	for _, l := range s.Match.Level {
		if !slices.Contains([]string{"informational", "low", "medium", "high", "critical"}, l) {
			bad(".match.level", "%q is not a level; write informational, low, medium, high or critical", l)
		}
	}
}

package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trailbell/trailbell/internal/app"
	"github.com/trailbell/trailbell/internal/s3"
	"github.com/trailbell/trailbell/internal/screen"
)

// configFlags are the flags that change the configuration. A command takes the
// groups that it needs.
type configFlags struct {
	flags *pflag.FlagSet
	set   []func(*app.Config)

	level  string // of the log, when nobody says another
	file   string
	memory app.Size
	bucket s3.Bucket
	since  app.Since
}

func newConfigFlags(cmd *cobra.Command) *configFlags {
	return newConfigFlagsAt(cmd, app.DefaultConfig().Log.Level)
}

// newConfigFlagsAt is for a command that logs at another level by default.
func newConfigFlagsAt(cmd *cobra.Command, level string) *configFlags {
	f := &configFlags{flags: cmd.Flags(), level: level}
	f.withFile()
	f.flags.Var(&sizeFlag{&f.memory}, "memory-limit", "memory to stay below, as in 512MiB (default: GOMEMLIMIT, the container's, or 250MiB)")
	f.text("log-level", level, "debug, info, warn or error", func(c *app.Config, v string) { c.Log.Level = v })
	f.text("log-format", "text", "text or json; logs go to stderr", func(c *app.Config, v string) { c.Log.Format = v })
	return f
}

func (f *configFlags) withFile() *configFlags {
	f.flags.StringVar(&f.file, "config", "", "configuration file")
	return f
}

// text adds a flag that changes the configuration when it is given.
func (f *configFlags) text(name, value, usage string, set func(*app.Config, string)) {
	v := f.flags.String(name, value, usage)
	f.set = append(f.set, func(c *app.Config) {
		if f.flags.Changed(name) {
			set(c, *v)
		}
	})
}

func (f *configFlags) withHTTP() *configFlags {
	f.text("http", app.DefaultConfig().HTTP, `address of /metrics, /healthz and /readyz; "" for none`, func(c *app.Config, v string) { c.HTTP = v })
	return f
}

func (f *configFlags) withNATS() *configFlags {
	f.text("nats", "", "URL of a NATS server with JetStream", func(c *app.Config, v string) { c.NATS.URL = v })
	return f
}

func (f *configFlags) withStore() *configFlags {
	f.text("data-dir", app.DefaultConfig().DataDir, "where the embedded server keeps its store", func(c *app.Config, v string) { c.DataDir = v })
	f.text("nats-listen", app.DefaultConfig().NATS.Listen, "address of the embedded server for other programs", func(c *app.Config, v string) { c.NATS.Listen = v })
	return f
}

func (f *configFlags) withRules() *configFlags {
	paths := f.flags.StringArray("rules", nil, "file or directory of Sigma rules, in place of the shipped ones (repeatable)")
	f.set = append(f.set, func(c *app.Config) {
		if f.flags.Changed("rules") {
			c.Correlator.Rules.Shipped, c.Correlator.Rules.Paths = false, *paths
		}
	})
	return f
}

// withAccess adds how a bucket is reached.
func (f *configFlags) withAccess() *configFlags {
	f.flags.StringVar(&f.bucket.Profile, "profile", "", "profile of ~/.aws (default: the SDK's chain of credentials)")
	f.flags.StringVar(&f.bucket.Region, "region", "", "region of the bucket (default: found out)")
	f.flags.StringVar(&f.bucket.Endpoint, "endpoint", "", "URL of an S3 server other than AWS")
	return f
}

func (f *configFlags) withBucket() *configFlags {
	f.flags.StringVar(&f.bucket.Name, "bucket", "", "bucket with CloudTrail logs, in place of those of the configuration")
	f.flags.StringVar(&f.bucket.Prefix, "prefix", "", "what stands before AWSLogs/ in the bucket")
	f.withAccess()
	f.flags.Var(&f.since, "since", "first day: a date, or a time span such as 7d (default: today less the look-back)")
	f.set = append(f.set, func(c *app.Config) {
		if f.bucket.Name != "" {
			c.Lister.Buckets = []app.Bucket{{Bucket: f.bucket}}
		}
		for i := range c.Lister.Buckets {
			if !f.since.IsZero() {
				c.Lister.Buckets[i].Since = f.since
			}
		}
	})
	interval := app.DefaultConfig().Lister.Interval
	f.flags.Var(&interval, "interval", "time between two polls")
	f.set = append(f.set, func(c *app.Config) {
		if f.flags.Changed("interval") {
			c.Lister.Interval = interval
		}
	})
	return f
}

// load makes the configuration: defaults, file, environment and flags.
func (f *configFlags) load() (app.Config, error) {
	c := app.DefaultConfig()
	if err := f.aboutBucket(); err != nil {
		return c, err
	}
	c.Log.Level = f.level
	if f.file != "" {
		if err := c.ReadFile(f.file); err != nil {
			return c, err
		}
	}
	for _, set := range f.set {
		set(&c)
	}
	if err := c.Validate(); err != nil {
		return c, err
	}
	app.LimitMemory(int64(f.memory))
	return c, nil
}

// aboutBucket refuses flags that would change nothing: those about the bucket of
// --bucket when there is none.
func (f *configFlags) aboutBucket() error {
	if f.flags.Lookup("bucket") == nil || f.bucket.Name != "" {
		return nil
	}
	for _, name := range []string{"prefix", "profile", "region", "endpoint"} {
		if f.flags.Changed(name) {
			return fmt.Errorf("--%s is about the bucket of --bucket; name one, or write %s under lister.buckets in the configuration", name, name)
		}
	}
	return nil
}

// env is what the services are given from this process.
func env(cmd *cobra.Command, c app.Config) app.Env {
	return app.Env{
		Log: logger(cmd.ErrOrStderr(), c.Log), Out: cmd.OutOrStdout(), Err: cmd.ErrOrStderr(),
		Look: lookOf(cmd.OutOrStdout()),
	}
}

// lookOf is what w can show.
func lookOf(w io.Writer) screen.Look {
	if f, ok := w.(*os.File); ok {
		return screen.LookOf(f)
	}
	return screen.Look{}
}

func logger(w io.Writer, l app.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level)) // validated
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
	}
	if isTerminal(w) {
		return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: os.Getenv("NO_COLOR") != ""}))
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// sizeFlag makes a size a flag.
type sizeFlag struct{ size *app.Size }

func (f *sizeFlag) String() string {
	if f.size == nil || *f.size == 0 {
		return ""
	}
	return f.size.String()
}
func (f *sizeFlag) Set(s string) error { return f.size.UnmarshalText([]byte(s)) }
func (f *sizeFlag) Type() string       { return "size" }

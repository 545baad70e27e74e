// Package app puts the services together: from a configuration to a running
// process. It can be embedded: it handles no signals, ends no process and has
// no globals.
package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/trailbell/trailbell/internal/cloudtrail"
	"github.com/trailbell/trailbell/internal/natsserver"
	"github.com/trailbell/trailbell/internal/s3"
	"github.com/trailbell/trailbell/internal/streams"
	"github.com/trailbell/trailbell/services/lister"
	"github.com/trailbell/trailbell/sigma"
)

// Up runs all services until ctx ends. A bucket that refuses at the start is an
// error; later it is tried again. A disk that fills up stops the work, and it
// goes on when there is room: Env.Started is told again then.
func Up(ctx context.Context, c Config, env Env) error {
	a := newAssembly(c, env)
	if len(c.Lister.Buckets) == 0 {
		return errors.New("there is nothing to watch; name a bucket with --bucket, or under lister.buckets in a configuration file")
	}
	if err := a.loadRules(a.logRuleError); err != nil {
		return err
	}
	if err := a.probe(ctx); err != nil {
		return err
	}
	for pause := lookForRoom; ; {
		start := time.Now()
		err := a.up(ctx, Services)
		if _, full := errors.AsType[*natsserver.StoreError](err); !full {
			return err
		}
		a.Log.Error("the work stops until the store can be written", "error", err)
		if pause = min(2*pause, mostPause); time.Since(start) > mostPause {
			pause = lookForRoom
		}
		if !room(ctx, c, pause) {
			return nil
		}
		a.Log.Info("there is room; the work goes on")
		rules := a.rules
		a = newAssembly(c, env) // metrics and health begin anew with the server
		a.rules = rules
	}
}

const (
	// lookForRoom is how often it is seen whether a full disk has room again.
	lookForRoom = 2 * time.Second
	// mostPause bounds the pause between two tries on a disk that has room and
	// cannot be written all the same.
	mostPause = time.Minute
)

// room waits until the store fits on its disk, as at the start, and looks after
// each pause. It reports false when ctx ended.
func room(ctx context.Context, c Config, pause time.Duration) bool {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
		if _, err := CheckDisk(c.DataDir, c.Limits().Total()); err == nil {
			return true
		}
	}
}

// Service runs one service against the NATS server of the configuration until
// ctx ends.
func Service(ctx context.Context, name string, c Config, env Env) error {
	if c.NATS.URL == "" {
		return fmt.Errorf("%s needs a NATS server: --nats nats://HOST:4222 (`trailbell up` brings one of its own)", name)
	}
	a := newAssembly(c, env)
	switch name {
	case "lister":
		if len(c.Lister.Buckets) == 0 {
			return errors.New("there is nothing to watch; name a bucket with --bucket, or under lister.buckets in a configuration file")
		}
	case "correlator":
		if err := a.loadRules(a.logRuleError); err != nil {
			return err
		}
	}
	return a.up(ctx, []string{name})
}

func (a *assembly) up(ctx context.Context, services []string) error {
	b, err := openBus(ctx, a.config, a.Log)
	if err != nil {
		return err
	}
	defer b.close()
	a.bus = b
	running := Running{Metrics: a.registry, NATS: b.url}
	if a.Started != nil {
		nc, js, err := b.connect("observer")
		if err != nil {
			return err
		}
		defer nc.Close()
		running.JetStream = js
	}
	for _, name := range services {
		a.health.set(connectionOf(name), errors.New("not made yet"))
	}
	// From here on something runs that has to be waited for.
	g, ctx := errgroup.WithContext(ctx)
	running.HTTP, err = serveHTTP(ctx, a.config.HTTP, a.health, a.registry, g.Go)
	if err != nil {
		return err
	}
	a.banner(services, running.HTTP)
	if a.Started != nil {
		a.Started(running)
	}
	g.Go(func() error { return a.run(ctx, services) })
	g.Go(func() error { return b.watch(ctx) })
	return g.Wait()
}

// loadRules says what is wrong with the rules and goes on with those that are
// left.
func (a *assembly) loadRules(say func(error)) error {
	set, errs := LoadRules(a.config.Correlator)
	if set == nil {
		return errors.Join(errs...)
	}
	for _, err := range errs {
		say(err)
	}
	a.rules = set
	return nil
}

func (a *assembly) logRuleError(err error) {
	what := "rule not loaded"
	if _, ok := errors.AsType[*sigma.Error](err); !ok { // placed in the configuration
		what = "setting of rules has no effect"
	}
	a.Log.Error(what, "error", err)
}

// probe lists the top of each bucket, so that a mistake is said at once. A
// bucket without logs is none, since those of a new trail take some minutes;
// one that has them under another prefix is.
func (a *assembly) probe(ctx context.Context) error {
	for _, b := range a.config.Lister.Buckets {
		client, err := a.objects.client(ctx, b.Name)
		if err != nil {
			return err
		}
		top, err := firstAnswer(ctx, client, cloudtrail.Key{Prefix: slashed(b.Prefix)}.RootDir())
		if err != nil {
			return err
		}
		if len(top) > 0 {
			continue
		}
		_, _, err = lister.Discover(ctx, client, lister.Scope{Prefix: b.Prefix})
		if empty, ok := errors.AsType[*lister.Empty](err); ok && len(empty.Prefixes) > 0 {
			return fmt.Errorf("bucket %q: %w", b.Name, empty)
		}
	}
	return nil
}

// answerTime bounds the wait for the first answer of a bucket: somebody sits
// before a screen that says nothing yet.
const answerTime = 30 * time.Second

func firstAnswer(ctx context.Context, client *s3.Client, root string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return client.Folders(ctx, root)
}

func slashed(prefix string) string {
	if prefix == "" || strings.HasSuffix(prefix, "/") {
		return prefix
	}
	return prefix + "/"
}

// banner says what this process does and what to type next.
func (a *assembly) banner(services []string, http string) {
	line := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(a.Err, "%-9s %s\n", name, fmt.Sprintf(format, args...))
	}
	now := time.Now()
	if a.bus.server != nil {
		line("store", "%s", a.config.DataDir)
	}
	for _, s := range services {
		switch s {
		case "lister":
			for _, b := range a.config.Lister.Buckets {
				since := a.config.Lister.Watch(b, now).Start(now)
				line("watching", "s3://%s/%s from %s, every %s; files up to %s late",
					b.Name, slashed(b.Prefix), since.Format(time.DateOnly), a.config.Lister.Interval, a.config.Lister.LookBack)
			}
		case "correlator":
			line("rules", "%s", rulesLine(a.rules))
		}
	}
	line("NATS", "%s", natsLine(a.bus))
	if http != "" {
		line("metrics", "http://%s/metrics", http)
	}
	if a.bus.url != "" {
		line("try", "nats sub -s %s '%s'", streams.Redact(a.bus.url), streams.AllAlerts)
	}
}

func natsLine(b *bus) string {
	if b.url == "" {
		return "embedded, not listening"
	}
	return streams.Redact(b.url)
}

func rulesLine(s *sigma.Set) string {
	line := fmt.Sprintf("%d rules and %d correlations", len(s.Rules()), len(s.Correlations()))
	if n := len(s.Skipped()); n > 0 {
		line += fmt.Sprintf(" (%d more are not for CloudTrail)", n)
	}
	return line
}

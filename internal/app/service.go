package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/trailbell/trailbell/internal/lease"
	"github.com/trailbell/trailbell/internal/screen"
	"github.com/trailbell/trailbell/services/correlator"
	"github.com/trailbell/trailbell/services/decoder"
	"github.com/trailbell/trailbell/services/fetcher"
	"github.com/trailbell/trailbell/services/forwarder"
	"github.com/trailbell/trailbell/services/forwarder/file"
	"github.com/trailbell/trailbell/services/forwarder/stdout"
	"github.com/trailbell/trailbell/services/lister"
	"github.com/trailbell/trailbell/sigma"
)

// Services in the order in which a record meets them.
var Services = []string{"lister", "fetcher", "decoder", "correlator", "forwarder"}

// Env is what a run of the program is given from outside.
type Env struct {
	Log  *slog.Logger
	Out  io.Writer   // alerts
	Err  io.Writer   // everything else that a person reads
	Look screen.Look // of Out
	// Sinks, when not nil, take the place of those of the configuration.
	Sinks []forwarder.Route
	// Timing of the leases.
	Timing lease.Timing
	// Polled is told of each poll of a bucket; it may be nil.
	Polled func(bucket string, r lister.Report, err error)
	// Started is told when the streams are there, before the services start;
	// it may be nil. What it is given is good until the services have ended.
	Started func(Running)
}

// Running is a process at work, for those who want to look at it.
type Running struct {
	JetStream jetstream.JetStream
	Metrics   prometheus.Gatherer
	// NATS and HTTP are the addresses of the server and of the metrics; empty
	// when there are none.
	NATS, HTTP string
}

// Records is how many records the rules of this process have seen. One that
// came twice counts twice.
func (r Running) Records() int { return int(counter(r.Metrics, recordsMetric)) }

const (
	recordsMetric   = "trailbell_correlator_records_total"
	forgottenMetric = "trailbell_correlator_evicted_total"
)

// assembly is a process: some of the services, and what they share.
//
//	           bus (embedded or another NATS)
//	  ________________|_______________________
//	 |        |         |          |          |     a connection each
//	lister  fetcher  decoder  correlator  forwarder
//	   \______/                   |          |
//	    objects                 rules      routes
//
//	health, registry -> HTTP
type assembly struct {
	Env
	config   Config
	bus      *bus
	objects  *objects
	rules    *sigma.Set // nil without a correlator
	registry *prometheus.Registry
	health   *health
	holder   string
}

func newAssembly(c Config, env Env) *assembly {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if env.Timing == (lease.Timing{}) {
		env.Timing = lease.DefaultTiming()
	}
	if env.Polled == nil {
		env.Polled = func(string, lister.Report, error) {}
	}
	return &assembly{Env: env, config: c, objects: newObjects(c), registry: r, health: newHealth(), holder: holder()}
}

// holder names this process among those that want the same leases.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), hex.EncodeToString(b[:]))
}

// run runs services until ctx ends or one fails, each with a connection of its
// own.
func (a *assembly) run(ctx context.Context, services []string) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, name := range services {
		g.Go(func() error {
			nc, js, err := a.bus.connect(name)
			if err != nil {
				return err
			}
			defer nc.Close()
			a.health.watch(connectionOf(name), func() error {
				if nc.IsConnected() {
					return nil
				}
				return errors.New("lost")
			})
			if err := a.service(ctx, name, js); err != nil && ctx.Err() == nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// connectionOf names the connection of a service in what /readyz says.
func connectionOf(service string) string { return "NATS connection of " + service }

func (a *assembly) service(ctx context.Context, name string, js jetstream.JetStream) error {
	log := a.Log.With("service", name)
	c := a.config
	switch name {
	case "lister":
		watches, err := a.watches(ctx, time.Now())
		if err != nil {
			return err
		}
		return lister.Run(ctx, js, watches, a.holder, a.Timing, a.registry, log)
	case "fetcher":
		o := fetcher.Options{SliceBytes: int(c.Fetcher.Batch), MaxRecord: int(c.Fetcher.MaxRecord), MaxObject: int64(c.Fetcher.MaxObject)}
		return fetcher.Run(ctx, js, a.objects, o, c.Fetcher.Workers, a.registry, log)
	case "decoder":
		return decoder.Run(ctx, js, c.Decoder.Workers, a.registry, log)
	case "correlator":
		o := correlator.Options{
			Workers: c.Correlator.Workers,
			Horizon: time.Duration(c.Correlator.Horizon), Coalesce: time.Duration(c.Correlator.Coalesce),
			MaxEvents: c.Correlator.MaxEvents, Limits: c.Correlator.Evidence.Limits(),
			Ready: a.windowsReady,
		}
		return correlator.Run(ctx, js, a.rules, o, a.holder, a.Timing, a.registry, log)
	case "forwarder":
		routes, stop, err := a.routes()
		if err != nil {
			return err
		}
		defer stop()
		return forwarder.Run(ctx, js, routes, a.holder, a.Timing, a.registry, log)
	}
	return fmt.Errorf("there is no service %q", name)
}

// windowsReady says whether the windows of our partitions are there.
func (a *assembly) windowsReady(yes bool) {
	var err error
	if !yes {
		err = errors.New("being rebuilt")
	}
	a.health.set("windows", err)
}

// watches are the buckets that the lister polls.
func (a *assembly) watches(ctx context.Context, now time.Time) ([]lister.Watch, error) {
	var all []lister.Watch
	for _, b := range a.config.Lister.Buckets {
		source, err := a.objects.client(ctx, b.Name)
		if err != nil {
			return nil, err
		}
		part := "bucket " + b.Name
		all = append(all, lister.Watch{
			Config: a.config.Lister.Watch(b, now), Source: source, Interval: time.Duration(a.config.Lister.Interval),
			Polled: func(r lister.Report, err error) {
				a.Polled(b.Name, r, err)
				if _, empty := errors.AsType[*lister.Empty](err); empty {
					err = nil // a new trail: whoever waits for us to be ready would wait for its first file
				}
				a.health.set(part, err)
			},
		})
	}
	return all, nil
}

// Watch is how the lister of a bucket is configured.
func (l Lister) Watch(b Bucket, now time.Time) lister.Config {
	c := lister.Config{
		Bucket:   b.Name,
		Scope:    lister.Scope{Prefix: b.Prefix, Accounts: b.Accounts, Regions: b.Regions},
		LookBack: time.Duration(l.LookBack),
	}
	if !b.Since.IsZero() {
		c.Since = b.Since.Time(now)
	}
	return c
}

// routes are the sinks of the forwarder. Stop closes them.
func (a *assembly) routes() (routes []forwarder.Route, stop func(), err error) {
	if a.Sinks != nil {
		return a.Sinks, func() {}, nil
	}
	var closers []io.Closer
	for _, s := range a.config.Forwarder.Sinks {
		r := forwarder.Route{Name: s.Name, Match: forwarder.Match{Levels: s.Match.Level, Rules: s.Match.Rule}}
		switch {
		case s.Type == "file":
			f := file.New(s.Path)
			closers = append(closers, f)
			r.Sink = f
		case s.Format == "json":
			r.Sink = stdout.NewJSON(a.Out)
		default:
			r.Sink = stdout.NewText(a.Out, a.Look)
		}
		routes = append(routes, r)
	}
	return routes, func() {
		for _, c := range slices.Backward(closers) {
			_ = c.Close() // everything delivered has been written
		}
	}, nil
}

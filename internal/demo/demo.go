package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/trailbell/trailbell/internal/app"
	"github.com/trailbell/trailbell/internal/s3"
	"github.com/trailbell/trailbell/internal/screen"
	"github.com/trailbell/trailbell/internal/streams"
	"github.com/trailbell/trailbell/services/forwarder"
	"github.com/trailbell/trailbell/services/lister"
)

const (
	// DefaultRecords take two seconds on two cores.
	DefaultRecords = 30_000

	// patience is how long the demo waits for the records to come through. A
	// person who has been promised 20 s gets the summary before, whatever it
	// says.
	patience = 17 * time.Second

	// interval is the shortest that a lister may have.
	interval = time.Second

	bucket = "trailbell-demo"
	sink   = "demo"
)

// keys are not checked by the server, but a client has to have some.
var keys = s3.Keys{Access: "trailbell-demo", Secret: "not-a-secret"}

// Options of a demo.
type Options struct {
	// Seed decides which trail it is.
	Seed uint64
	// Records of the trail, planted ones included; DefaultRecords when 0.
	Records int
	// Now is when the trail ends.
	Now time.Time
	// Keep goes on after the summary, until the context ends.
	Keep bool
	// Out gets the alerts and the summary, in the given look.
	Out  io.Writer
	Look screen.Look
	Log  *slog.Logger
}

// Result is what a demo has come to.
type Result struct {
	// Objects and Records that went through, of those of the trail.
	Objects, OfObjects, Records, OfRecords int
	// Bytes of the objects, compressed.
	Bytes int64
	// Took is from the start of the services until the first wave was through:
	// all objects but one. Rate is its records a second.
	Took time.Duration
	Rate float64
	// Levels counts the alerts that stand, by the level of their rule.
	Levels map[string]int
	// Findings are what was planted, by attack and rule, in that order.
	Findings []Finding
	// Surprises are alerts that nothing was planted for, a line each.
	Surprises []string
	// Dead is how many inputs could not be processed.
	Dead int
}

// Good reports whether everything went through, all that was planted was found
// and nothing else rang.
func (r *Result) Good() bool {
	for _, f := range r.Findings {
		if f.Found < f.Planted {
			return false
		}
	}
	return len(r.Surprises) == 0 && r.Dead == 0 && r.through()
}

// through reports whether the whole trail went through. A record that came
// twice is counted twice.
func (r *Result) through() bool { return r.Objects >= r.OfObjects && r.Records >= r.OfRecords }

// Run shows the demo. It leaves nothing behind, however it ends. When the
// context ends before the summary the error is the context's; afterwards, with
// Keep, the result stands.
func Run(ctx context.Context, o Options) (Result, error) {
	if o.Records == 0 {
		o.Records = DefaultRecords
	}
	s, err := newScenario(o.Seed, o.Records, o.Now)
	if err != nil {
		return Result{}, fmt.Errorf("demo: %w", err)
	}
	store, err := openStore(s.first)
	if err != nil {
		return Result{}, fmt.Errorf("demo: %w", err)
	}
	defer store.close()
	dir, err := os.MkdirTemp("", "trailbell-demo-")
	if err != nil {
		return Result{}, fmt.Errorf("demo: %w; set TMPDIR to a directory with room", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	d := &demo{Options: o, scenario: s, store: store, tally: newTally(o.Out, o.Look), running: make(chan app.Running, 1)}
	services, stop := context.WithCancel(ctx)
	defer stop()
	g, playing := errgroup.WithContext(ctx)
	g.Go(func() error {
		err := app.Up(services, config(dir, store.url), d.env())
		if services.Err() != nil {
			return nil // asked to end
		}
		return err
	})
	g.Go(func() error {
		defer stop()
		return d.play(playing)
	})
	err = g.Wait()
	return d.result, err
}

// config is that of `up`, with everything in one place and nothing fixed.
func config(dir, endpoint string) app.Config {
	c := app.DefaultConfig()
	c.DataDir = dir
	c.NATS.Listen, c.HTTP = "127.0.0.1:0", "127.0.0.1:0"
	// The store has to fit into the directory for temporary files.
	c.Streams.Keys, c.Streams.Batches, c.Streams.Events = 16<<20, 64<<20, 256<<20
	c.Streams.Matches, c.Streams.Alerts, c.Streams.Dead = 32<<20, 64<<20, 16<<20
	c.Lister.Interval = app.Duration(interval)
	c.Lister.Buckets = []app.Bucket{{Bucket: s3.Bucket{Name: bucket, Endpoint: endpoint, Keys: &keys}}}
	c.Correlator.Coalesce = app.Duration(500 * time.Millisecond)
	return c
}

// demo is a run.
type demo struct {
	Options
	scenario *scenario
	store    *store
	tally    *tally
	running  chan app.Running
	listed   atomic.Int64 // objects that the lister has published
	result   Result
}

func (d *demo) env() app.Env {
	return app.Env{
		Log: d.Log, Out: d.Out, Look: d.Look,
		Err:     io.Discard, // the banner of up: the demo has its own
		Sinks:   []forwarder.Route{{Name: sink, Sink: d.tally}},
		Polled:  func(_ string, r lister.Report, _ error) { d.listed.Add(int64(r.New)) },
		Started: func(r app.Running) { d.running <- r },
	}
}

// play brings the trail in two waves and says what came of it.
func (d *demo) play(ctx context.Context) error {
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var run app.Running
	select {
	case run = <-d.running:
	case <-ctx.Done():
		return ctx.Err()
	}
	start := time.Now()
	d.print(d.introduction())
	through, err := d.wait(patient, run, len(d.scenario.first))
	if err != nil {
		return err
	}
	d.result.Took = time.Since(start)
	d.result.Rate = float64(run.Records()) / d.result.Took.Seconds()
	if through {
		if err := d.store.put(d.scenario.late); err != nil {
			return err
		}
		d.print(d.lateness())
		if _, err := d.wait(patient, run, len(d.scenario.first)+1); err != nil {
			return err
		}
	}
	if err := d.conclude(ctx, run); err != nil {
		return err
	}
	d.print(d.summary())
	if d.Keep {
		d.print(d.invitation(run))
		<-ctx.Done()
	}
	return nil
}

// wait returns when so many objects have come out at the far end, or false
// when patience is over.
func (d *demo) wait(ctx context.Context, run app.Running, objects int) (bool, error) {
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := false, error(nil)
		if d.listed.Load() >= int64(objects) {
			done, err = app.Drained(ctx, run.JetStream, []string{sink})
		}
		switch {
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return false, nil
		case ctx.Err() != nil:
			return false, ctx.Err()
		case err != nil || done:
			return done, err
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// conclude fills in the result.
func (d *demo) conclude(ctx context.Context, run app.Running) error {
	r := &d.result
	r.Objects, r.OfObjects = int(d.listed.Load()), len(d.scenario.first)+1
	r.Records, r.OfRecords = run.Records(), d.Records
	r.Bytes = d.scenario.bytes
	dead, err := run.JetStream.Stream(ctx, streams.Dead)
	if err != nil {
		return fmt.Errorf("look at stream %s: %w", streams.Dead, err)
	}
	r.Dead = int(dead.CachedInfo().State.Msgs)
	r.Levels, r.Findings, r.Surprises = d.tally.judge(d.scenario.planted)
	return nil
}

func (d *demo) print(text string) {
	_, _ = io.WriteString(d.Out, text) // a screen that is gone is noticed by the shell
}

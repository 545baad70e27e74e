package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/trailbell/trailbell/internal/directory"
	"github.com/trailbell/trailbell/internal/s3"
	"github.com/trailbell/trailbell/internal/screen"
	"github.com/trailbell/trailbell/internal/stage"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
	"github.com/trailbell/trailbell/services/forwarder"
	"github.com/trailbell/trailbell/services/lister"
)

// ScanOptions say what to scan.
type ScanOptions struct {
	// Paths are directories, files and s3://BUCKET/PREFIX.
	Paths []string
	// Since and Until bound a scan of S3 by the delivery of the files.
	Since, Until time.Time
	// Bucket says how to reach the buckets among Paths: profile, region,
	// endpoint.
	Bucket s3.Bucket
	// Yes scans more than MaxObjects objects of S3.
	Yes bool
	// JSON prints one alert a line instead of text.
	JSON bool
	// Progress is told how far the scan is; it may be nil.
	Progress func(done, total int)
}

// MaxObjects is how many objects of S3 are scanned without being asked for
// explicitly: each costs a request.
const MaxObjects = 10_000

// ScanResult is what a scan has come to.
type ScanResult struct {
	Objects, Records, Alerts, Dead int
	// Forgotten is how many events the windows had no room for, as MaxEvents
	// counts them: what came after them was judged as if they had not happened.
	Forgotten int
	Bytes     int64
	Took      time.Duration
}

// Scan runs the services on a throw-away server to the end of the input, and
// prints the final revision of each alert in the order of time.
func Scan(ctx context.Context, c Config, o ScanOptions, env Env) (ScanResult, error) {
	inputs, err := openInputs(ctx, &c, o)
	if err != nil {
		return ScanResult{}, err
	}
	// A scan ends: its first alerts need not wait, and the last ones should
	// not either.
	c.Correlator.Coalesce = Duration(500 * time.Millisecond)
	report := newReport()
	env.Sinks = []forwarder.Route{{Name: "report", Sink: report}}
	env.Log = without(env.Log, stage.DeadLetterLog) // they are named at the end
	a := newAssembly(c, env)
	if err := a.loadRules(a.printRuleError); err != nil {
		return ScanResult{}, err
	}
	if err := estimate(ctx, inputs, o, env); err != nil {
		return ScanResult{}, err
	}
	dir, err := os.MkdirTemp("", "trailbell-scan-")
	if err != nil {
		return ScanResult{}, fmt.Errorf("scan: %w; set TMPDIR to a directory with room", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	a.config.DataDir, a.config.NATS, a.config.HTTP = dir, NATS{}, ""
	// Temporary files are often in memory, and a scan of some files should not
	// ask for gigabytes.
	if room, err := CheckDisk(dir, c.Limits().Total()); err != nil {
		a.config.Streams = c.Streams.within(room - reserve)
	}
	s := scan{assembly: a, ScanOptions: o, inputs: inputs, report: report}
	return s.run(ctx)
}

// printRuleError is for a person, who reads what a broken rule quotes.
func (a *assembly) printRuleError(err error) {
	_, _ = fmt.Fprintln(a.Err, "trailbell: "+screen.Safe(err.Error()))
}

type scan struct {
	*assembly
	ScanOptions
	inputs []input
	report *report
}

func (s *scan) run(ctx context.Context) (ScanResult, error) {
	start := time.Now()
	b, err := openBus(ctx, s.config, s.Log)
	if err != nil {
		return ScanResult{}, err
	}
	defer b.close()
	s.bus = b
	nc, js, err := b.connect("scan")
	if err != nil {
		return ScanResult{}, err
	}
	defer nc.Close()

	var result ScanResult
	g, runCtx := errgroup.WithContext(ctx)
	serviceCtx, stopServices := context.WithCancel(runCtx)
	defer stopServices()
	g.Go(func() error { return s.assembly.run(serviceCtx, Services[1:]) })
	g.Go(func() error {
		if err := b.watch(serviceCtx); err != nil {
			return fmt.Errorf("scan: %w, or set TMPDIR to a directory that has some", err)
		}
		return nil
	})
	g.Go(func() error {
		defer stopServices()
		listed, err := s.list(runCtx, js)
		if err != nil {
			return err
		}
		result.Objects, result.Bytes = listed.New, listed.Bytes
		return s.wait(runCtx, js, listed.New)
	})
	if err := g.Wait(); err != nil {
		return result, err
	}
	if err := ctx.Err(); err != nil {
		return result, err
	}
	result.Took = time.Since(start)
	result.Records = int(counter(s.registry, recordsMetric))
	result.Forgotten = int(counter(s.registry, forgottenMetric))
	if result.Dead, err = s.sayDead(ctx, js); err != nil {
		return result, err
	}
	result.Alerts, err = s.report.print(ctx, js, s.Out, s.Look, s.JSON)
	return result, err
}

// list is the lister of a scan: each input once.
func (s *scan) list(ctx context.Context, js jetstream.JetStream) (lister.Report, error) {
	publish := lister.Publisher(stage.NewSource(js, "lister", stage.NewMetrics(s.registry, "lister", streams.Keys), s.Log))
	var total lister.Report
	for _, in := range s.inputs {
		r, err := in.list(ctx, publish)
		total.Add(r)
		if err != nil {
			return total, err
		}
	}
	if total.New == 0 {
		why := "no file ends in " + strings.Join(directory.Extensions, ", ")
		if !s.Since.IsZero() || !s.Until.IsZero() {
			why = "no log was delivered between --since and --until"
		}
		return total, fmt.Errorf("there is nothing to scan in %s: %s", strings.Join(s.Paths, ", "), why)
	}
	return total, nil
}

// wait returns when everything listed has come out at the far end.
func (s *scan) wait(ctx context.Context, js jetstream.JetStream, total int) error {
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := Drained(ctx, js, []string{"report"})
		if err != nil {
			return err
		}
		if s.Progress != nil {
			if keys, err := js.Stream(ctx, streams.Keys); err == nil {
				s.Progress(max(total-int(keys.CachedInfo().State.Msgs), 0), total)
			}
		}
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// sayDead names everything that could not be processed.
func (s *scan) sayDead(ctx context.Context, js jetstream.JetStream) (int, error) {
	dead, err := js.Stream(ctx, streams.Dead)
	if err != nil {
		return 0, fmt.Errorf("look at stream %s: %w", streams.Dead, err)
	}
	n := 0
	for next := uint64(1); ; n++ {
		m, err := dead.GetMsg(ctx, next, jetstream.WithGetMsgSubject(streams.AllDead))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return n, nil
		}
		if err != nil {
			return n, fmt.Errorf("read stream %s: %w", streams.Dead, err)
		}
		var d trailbellv1.DeadLetter
		if err := proto.Unmarshal(m.Data, &d); err != nil {
			return n, fmt.Errorf("message %d of stream %s: %w", m.Sequence, streams.Dead, err)
		}
		_, _ = fmt.Fprintln(s.Err, DeadLine(&d))
		next = m.Sequence + 1
	}
}

// DeadLine is a dead letter for a person: one line, whatever the key holds.
func DeadLine(d *trailbellv1.DeadLetter) string {
	where := d.GetObject().GetKey()
	if b := d.GetObject().GetBucket(); b != directory.Bucket && b != "" {
		where = "s3://" + b + "/" + where
	}
	if d.Offset != nil {
		where += fmt.Sprintf(" at byte %d", d.GetOffset())
	}
	if where == "" {
		where = fmt.Sprintf("message %d of %s", d.GetSequence(), d.GetStream())
	}
	return screen.Safe(fmt.Sprintf("dead: %s: %s: %s", d.GetStage(), where, d.GetReason()))
}

// input is one of the paths.
type input struct {
	remote bool
	list   func(context.Context, lister.Publish) (lister.Report, error)
}

// openInputs looks at every path before anything is started. Buckets are added
// to the configuration, so that the fetcher can reach them.
func openInputs(ctx context.Context, c *Config, o ScanOptions) ([]input, error) {
	var all []input
	c.Lister.Buckets = nil
	for _, path := range o.Paths {
		rest, ok := strings.CutPrefix(path, "s3://")
		if !ok {
			source, err := directory.Open(path)
			if err != nil {
				return nil, err
			}
			all = append(all, input{list: func(ctx context.Context, publish lister.Publish) (lister.Report, error) {
				return lister.ScanFiles(ctx, source, directory.Bucket, "", publish)
			}})
			continue
		}
		b := o.Bucket
		b.Name, b.Prefix, _ = strings.Cut(rest, "/")
		if b.Name == "" {
			return nil, fmt.Errorf("%s: there is no bucket in it; write s3://NAME or s3://NAME/PREFIX", path)
		}
		client, err := s3.Open(ctx, b)
		if err != nil {
			return nil, err
		}
		c.Lister.Buckets = append(c.Lister.Buckets, Bucket{Bucket: b})
		all = append(all, input{remote: true, list: func(ctx context.Context, publish lister.Publish) (lister.Report, error) {
			return scanBucket(ctx, client, b, o, publish)
		}})
	}
	if len(c.Lister.Buckets) == 0 && (!o.Since.IsZero() || !o.Until.IsZero()) {
		// Files may have been laid out in any way, so that nothing tells when
		// they were delivered.
		return nil, errors.New("--since and --until are for s3:// paths; files are scanned whole")
	}
	return all, nil
}

// scanBucket lists a bucket by its layout; without a layout, and without a
// range that would need one, it lists what there is.
func scanBucket(ctx context.Context, client *s3.Client, b s3.Bucket, o ScanOptions, publish lister.Publish) (lister.Report, error) {
	span := lister.Range{Since: o.Since, Until: o.Until}
	r, err := lister.Scan(ctx, client, b.Name, lister.Scope{Prefix: b.Prefix}, span, publish)
	empty, ok := errors.AsType[*lister.Empty](err)
	if !ok {
		return r, err
	}
	if span != (lister.Range{}) {
		return r, noTrail(b.Name, empty)
	}
	files, err := lister.ScanFiles(ctx, client, b.Name, b.Prefix, publish)
	if err == nil && files.New == 0 {
		err = noTrail(b.Name, empty)
	}
	return files, err
}

// noTrail says what to try instead of a PATH without logs: another PATH, where
// the error of a watched bucket names flags.
func noTrail(bucket string, e *lister.Empty) error {
	path := "s3://" + bucket + "/"
	text := "there are no logs of CloudTrail below " + path + e.Root
	switch {
	case len(e.Prefixes) > 0:
		var paths []string
		for _, prefix := range e.Prefixes {
			paths = append(paths, path+prefix)
		}
		return errors.New(text + "; try " + strings.Join(paths, " or "))
	case len(e.Folders) > 0:
		some := strings.Join(e.Folders[:min(len(e.Folders), 3)], ", ")
		return fmt.Errorf("%s; folders in the bucket are %s: if the logs are in one of them, write %sFOLDER", text, some, path)
	}
	return errors.New(text + "; the bucket has no folders at all")
}

// estimate says what a scan of S3 will cost before it starts.
func estimate(ctx context.Context, inputs []input, o ScanOptions, env Env) error {
	var total lister.Report
	remote := false
	for _, in := range inputs {
		if !in.remote {
			continue
		}
		remote = true
		r, err := in.list(ctx, nil)
		if err != nil {
			return err
		}
		total.Add(r)
	}
	if !remote {
		return nil
	}
	_, _ = fmt.Fprintf(env.Err, "S3: %s objects, %s, about %s requests\n",
		humanize.Comma(int64(total.New)), humanize.Bytes(uint64(total.Bytes)), humanize.Comma(int64(total.New+2*total.Requests)))
	if total.New > MaxObjects && !o.Yes {
		return fmt.Errorf("%s objects are more than %s; narrow the scan with --since and --until, or say --yes",
			humanize.Comma(int64(total.New)), humanize.Comma(MaxObjects))
	}
	return nil
}

package acceptance_test

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailbell/trailbell/internal/cloudtrail"
	"github.com/trailbell/trailbell/internal/generator"
	"github.com/trailbell/trailbell/internal/s3"
)

var soak = flag.Duration("soak", 10*time.Second, "how long to feed an endless trail; from 10m on memory has to be flat")

const (
	// pace is in how much time the feed goes through an hour of the trail.
	pace = 10 * time.Second
	// hourly is how many records the trail has an hour: 1000 a second of the soak.
	hourly = 10_000
	// judged is the shortest soak that says whether memory is flat.
	judged = 10 * time.Minute
	// memoryLimit is that of the runtime, as by default. The program's own pages
	// are resident beside what it bounds.
	memoryLimit, beside = 250 << 20, 60 << 20
)

// endless is a trail without an end, hour by hour. Some of its objects arrive
// late, and some twice.
type endless struct {
	t      *testing.T
	client *s3.Client
	random *rand.Rand
	begin  time.Time

	grown   []*generator.Trail
	queue   []generator.Object // the rest of the hour
	each    time.Duration      // between two objects of it
	next    time.Time
	waiting []waiting
	put     int // objects
}

// waiting is an object that is held back.
type waiting struct {
	due    time.Time
	object generator.Object
}

// grow lays out the next hour.
func (e *endless) grow() {
	e.t.Helper()
	hour := len(e.grown)
	start := e.begin.Add(time.Duration(hour) * time.Hour)
	trail, err := generator.New(generator.Options{
		Seed: uint64(hour), Records: hourly, Start: start, End: start.Add(time.Hour),
		Accounts: []string{"111122223333", "444455556666", "777788889999", "123456789012", "210987654321"}, Regions: []string{"eu-west-1", "us-east-1"},
		// Every hour the same, so that no address guesses in one hour and signs
		// in in the next, which is an attack that the trail does not know of.
		Attacks: generator.Attacks(),
	})
	if err != nil {
		e.t.Fatal(err)
	}
	e.grown = append(e.grown, trail)
	e.queue = slices.Collect(trail.Objects())
	e.each = pace / time.Duration(len(e.queue))
}

// feed puts what is due.
func (e *endless) feed(now time.Time) {
	e.t.Helper()
	for ; !e.next.After(now); e.next = e.next.Add(e.each) {
		if len(e.queue) == 0 {
			e.grow()
		}
		o := e.queue[0]
		e.queue = e.queue[1:]
		later := func(most time.Duration) time.Time { return now.Add(time.Duration(e.random.Int64N(int64(most)))) }
		if e.random.IntN(10) == 0 {
			e.waiting = append(e.waiting, waiting{later(time.Minute), copyOf(e.t, o)})
		}
		if e.random.IntN(20) == 0 {
			e.waiting = append(e.waiting, waiting{later(20 * time.Second), o})
			continue
		}
		e.store(o)
	}
	e.waiting = slices.DeleteFunc(e.waiting, func(w waiting) bool {
		if w.due.After(now) {
			return false
		}
		e.store(w.object)
		return true
	})
}

// finish puts what is left of the hour and all that is held back.
func (e *endless) finish() {
	e.t.Helper()
	for _, o := range e.queue {
		e.store(o)
	}
	for _, w := range e.waiting {
		e.store(w.object)
	}
}

func (e *endless) store(o generator.Object) {
	e.t.Helper()
	if err := e.client.Put(e.t.Context(), o.Key, o.Body); err != nil {
		e.t.Fatal(err)
	}
	e.put++
}

// copyOf is the same records in an object of another name.
func copyOf(t *testing.T, o generator.Object) generator.Object {
	t.Helper()
	k, err := cloudtrail.ParseKey(o.Key)
	if err != nil {
		t.Fatal(err)
	}
	suffix := []byte(k.Suffix)
	slices.Reverse(suffix)
	k.Suffix = string(suffix)
	o.Key = k.String()
	return o
}

// sample is how a process is at a time.
type sample struct {
	at                                         time.Duration
	resident, heap, goroutines, groups, events float64
	store                                      int64
}

func (s sample) String() string {
	return fmt.Sprintf("%6s resident %3.0f MiB, heap %3.0f MiB, %3.0f goroutines, store %4d MiB, %5.0f groups, %6.0f events",
		s.at.Round(time.Second), s.resident/(1<<20), s.heap/(1<<20), s.goroutines, s.store>>20, s.groups, s.events)
}

// look takes a sample; false if the process does not say.
func look(ctx context.Context, address, dir string, at time.Duration) (sample, bool) {
	m, err := metrics(ctx, address)
	if err != nil {
		return sample{}, false
	}
	s := sample{
		at: at, resident: m["process_resident_memory_bytes"], heap: m["go_memstats_heap_alloc_bytes"], goroutines: m["go_goroutines"],
		groups: m["trailbell_correlator_groups"], events: m["trailbell_correlator_events"],
	}
	// What is removed while we look is not counted.
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if i, err := d.Info(); err == nil {
				s.store += i.Size()
			}
		}
		return nil
	})
	return s, true
}

// median of what samples say in the nth quarter of a time.
func median(samples []sample, all time.Duration, quarter int, of func(sample) float64) float64 {
	var values []float64
	for _, s := range samples {
		if int(4*s.at/all) == quarter {
			values = append(values, of(s))
		}
	}
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// TestSoak runs `up` on a trail without an end, in which some files are late and
// some come twice, beside a correlator that comes and goes. `up` is killed once,
// at the beginning. What rang has to be what was planted, and memory has to be
// flat:
//
//	go test ./internal/acceptance -run Soak -v -soak 1h -timeout 2h
func TestSoak(t *testing.T) {
	client, dir, store := serve(t), t.TempDir(), t.TempDir()
	hours := *soak/pace + 2
	now := time.Now().UTC().Truncate(time.Minute)
	feed := &endless{
		t: t, client: client, random: rand.New(rand.NewPCG(*killSeed, 0)),
		begin: now.Add(-time.Duration(hours) * time.Hour),
	}
	archive := filepath.Join(dir, "alerts.ndjson")
	nats := freeAddress(t)
	// Small enough to be full before a long soak is judged, and large enough for
	// the records of one attack, which arrive within a minute, while `up` owns all
	// partitions: then it has room for those of 90 seconds. What the logs hold counts,
	// too, since the server reads all of MATCHES for whoever takes a partition over.
	configuration := configure(t, dir, fmt.Sprintf(`lister: {interval: 5s, look_back: %s}
data_dir: %s
streams: {events: 64MiB, matches: 16MiB}
correlator: {max_events: 12000, rules: {disable: %s}}
forwarder: {sinks: [{name: archive, type: file, path: %s}]}
`, (hours+24)*time.Hour, store, tooDense, archive))
	env := environment(t)
	upMetrics := freeAddress(t)
	startUp := func() *process {
		p := start(t, program(t, built.trailbell), env, "up", "--config", configuration, "--bucket", bucketName,
			"--endpoint", client.Endpoint(), "--since", feed.begin.Format(time.DateOnly),
			"--nats-listen", nats, "--http", upMetrics, "--memory-limit", "250MiB")
		eventually(t, "up is up", func(ctx context.Context) bool {
			if p.ended() {
				t.Fatalf("up ended by itself with %v:\n%s", p.err, p.stderr)
			}
			_, err := metrics(ctx, upMetrics)
			return err == nil
		})
		return p
	}
	up := startUp()
	guest := service(t, "correlator", nats, configuration)
	guest.process = guest.run()

	began := time.Now()
	feed.next = began
	var samples []sample
	var peak sample
	due := struct{ up, guest, sample time.Time }{began.Add(*soak / 8), began.Add(*soak / 3), began}
	for now := began; now.Sub(began) < *soak; now = time.Now() {
		feed.feed(now)
		if up.ended() {
			t.Fatalf("up ended by itself with %v:\n%s", up.err, up.stderr)
		}
		if !due.up.IsZero() && now.After(due.up) {
			t.Log("kill -9 up")
			up.kill()
			up = startUp()
			due.up = time.Time{}
		}
		if now.After(due.guest) {
			if feed.random.IntN(2) == 0 {
				guest.kill()
			} else {
				guest.stop(t)
			}
			guest.process = guest.run()
			due.guest = now.Add(20*time.Second + time.Duration(feed.random.Int64N(int64(40*time.Second))))
		}
		if now.After(due.sample) {
			due.sample = now.Add(max(*soak/400, time.Second))
			if s, ok := look(t.Context(), upMetrics, store, now.Sub(began)); ok {
				samples = append(samples, s)
				t.Log(s)
				if s.resident > peak.resident {
					peak = s
				}
			}
		}
		wait(t, 20*time.Millisecond)
	}
	feed.finish()
	guest.stop(t)

	js := connect(t, nats)
	want := planted(feed.grown...)
	alerts := settle(t, js, feed.put, func(alerts [][]byte) bool { return len(living(t, alerts)) == len(want) })
	up.stop(t)
	checkRevisions(t, alerts)
	if diff := cmp.Diff(want, asPlanted(living(t, alerts))); diff != "" {
		t.Errorf("what rang is not what was planted (-planted +rang):\n%s", diff)
	}
	checkArchive(t, archive, alerts)

	t.Logf("%d objects, %d alerts; peak: %s", feed.put, len(want), peak)
	if peak.resident > memoryLimit+beside {
		t.Errorf("%.0f MiB were resident, with a limit of %d MiB", peak.resident/(1<<20), memoryLimit>>20)
	}
	for what, of := range map[string]func(sample) float64{
		"resident memory": func(s sample) float64 { return s.resident },
		"heap":            func(s sample) float64 { return s.heap },
		"goroutines":      func(s sample) float64 { return s.goroutines },
	} {
		before, after := median(samples, *soak, 1, of), median(samples, *soak, 3, of)
		t.Logf("median of %s: %.0f in the second quarter, %.0f in the last", what, before, after)
		if *soak >= judged && after > 1.15*before {
			t.Errorf("%s grew from %.0f to %.0f", what, before, after)
		}
	}
}

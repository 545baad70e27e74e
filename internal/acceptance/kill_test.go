package acceptance_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailbell/trailbell/internal/generator"
	"github.com/trailbell/trailbell/internal/s3"
	"github.com/trailbell/trailbell/internal/streams"
)

var (
	kills    = flag.Int("kills", 14, "how many processes to kill at random, about one a second")
	killSeed = flag.Uint64("kill-seed", 7, "which trail, and whom to kill and when")
)

// partitions of the windows, by default.
const partitions = 16

// takeover bounds how long a partition is without an owner, as is promised. It
// takes about 12 s, and longer where much else is going on.
const takeover = 30 * time.Second

// bruteForce is an episode that cannot ring before all of its records are there.
func bruteForce(t *testing.T, trail *generator.Trail) generator.Planted {
	t.Helper()
	for _, p := range trail.Planted() {
		if p.Rule == "console_brute_force" {
			return p
		}
	}
	t.Fatal("no brute force is planted")
	return generator.Planted{}
}

// objectOf is the object that holds a record.
func objectOf(t *testing.T, objects []generator.Object, eventID string) generator.Object {
	t.Helper()
	for _, o := range objects {
		z, err := gzip.NewReader(bytes.NewReader(o.Body))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(eventID)) {
			return o
		}
	}
	t.Fatalf("no object holds %s", eventID)
	return generator.Object{}
}

// fleet is the services, each in processes of its own, beside a NATS server.
type fleet struct {
	t       *testing.T
	js      jetstream.JetStream
	members []*member
}

// member is a program that is started again after it was killed.
type member struct {
	name    string
	metrics string // their address
	run     func() *process
	*process
}

// start adds a member.
func (f *fleet) start(m *member) {
	m.process = m.run()
	f.members = append(f.members, m)
}

// service makes a member of one service.
func service(t *testing.T, name, nats, configuration string, args ...string) *member {
	metrics, env := freeAddress(t), environment(t)
	args = append([]string{name, "--config", configuration, "--nats", "nats://" + nats, "--http", metrics}, args...)
	return &member{name: name, metrics: metrics, run: func() *process {
		return start(t, program(t, built.trailbell), env, args...)
	}}
}

// named returns the members that have one of several names.
func (f *fleet) named(names ...string) []*member {
	var some []*member
	for _, m := range f.members {
		if slices.Contains(names, m.name) {
			some = append(some, m)
		}
	}
	return some
}

// killAtRandom kills members with one of several names, about one a second, and
// starts them again at once. All get their turn.
func (f *fleet) killAtRandom(random *rand.Rand, times int, names ...string) {
	f.t.Helper()
	var turn []*member
	for range times {
		wait(f.t, time.Duration(500+random.IntN(800))*time.Millisecond)
		if len(turn) == 0 {
			turn = f.named(names...)
			random.Shuffle(len(turn), func(i, j int) { turn[i], turn[j] = turn[j], turn[i] })
		}
		victim := turn[0]
		turn = turn[1:]
		if victim.name == "nats" {
			// A service that has not come as far as to have its streams ends
			// without a server, and whoever runs it starts it again. Here all
			// that end by themselves are a failure.
			f.up()
		}
		f.t.Logf("kill -9 %s", victim.name)
		victim.kill()
		victim.process = victim.run()
	}
}

// up waits until all services have found what they need.
func (f *fleet) up() {
	f.t.Helper()
	for _, m := range f.members {
		if m.metrics != "" {
			eventually(f.t, m.name+" is up", func(ctx context.Context) bool {
				_, err := metrics(ctx, m.metrics)
				return err == nil
			})
		}
	}
}

// owned returns how many partitions a correlator owns; none if it does not say.
func owned(ctx context.Context, m *member) int {
	all, err := metrics(ctx, m.metrics)
	if err != nil {
		return 0
	}
	return int(all["trailbell_correlator_partitions"])
}

// spread waits until members own all partitions, each some, and returns those
// who own most first.
func (f *fleet) spread(correlators []*member) []*member {
	f.t.Helper()
	began := time.Now()
	var have map[*member]int
	within(f.t, takeover, "all partitions have an owner", func(ctx context.Context) bool {
		have = map[*member]int{}
		sum, idle := 0, false
		for _, m := range correlators {
			have[m] = owned(ctx, m)
			sum, idle = sum+have[m], idle || have[m] == 0
		}
		return sum == partitions && !idle
	})
	most := slices.SortedStableFunc(slices.Values(correlators), func(a, b *member) int { return have[b] - have[a] })
	f.t.Logf("%d correlators own all partitions after %s", len(correlators), time.Since(began).Round(100*time.Millisecond))
	return most
}

// TestKilledInTheMiddle runs the services as processes while objects arrive in
// the bucket of a real S3 server. They are killed again and again, and so is the
// NATS server; of four correlators one dies, and another one sleeps for longer
// than its leases and wakes up as one of two owners. Last comes an object that
// sorts earlier than others and has a record that a brute force cannot ring
// without. What rang has to be what was planted, and what a scan in peace finds.
func TestKilledInTheMiddle(t *testing.T) {
	random := rand.New(rand.NewPCG(*killSeed, 0))
	end := time.Now().UTC().Truncate(time.Minute)
	trail, err := generator.New(generator.Options{
		Seed: *killSeed, Records: 100_000, RecordsPerFile: 150, Start: end.Add(-40 * time.Hour), End: end,
		Organization: "o-exampleorg", Accounts: []string{"111122223333", "444455556666", "777788889999"}, Regions: []string{"eu-west-1", "us-east-1"},
		Attacks: generator.Attacks(),
	})
	if err != nil {
		t.Fatal(err)
	}
	objects := slices.Collect(trail.Objects())
	late := objectOf(t, objects, bruteForce(t, trail).EventIDs[2])
	objects = slices.DeleteFunc(objects, func(o generator.Object) bool { return o.Key == late.Key })
	client := serve(t)

	dir := t.TempDir()
	archive := filepath.Join(dir, "alerts.ndjson")
	configuration := configure(t, dir, fmt.Sprintf(`lister: {interval: 1s}
correlator: {coalesce: 1s, rules: {paths: [%s], disable: %s}}
forwarder: {sinks: [{name: archive, type: file, path: %s}]}
`, everydayRules(t), tooDense, archive))
	nats := freeAddress(t)
	f := &fleet{t: t}
	f.start(&member{name: "nats", run: func() *process { return startNATS(t, nats, dir) }})
	f.js = connect(t, nats)
	for _, name := range []string{"lister", "fetcher", "fetcher"} {
		f.start(service(t, name, nats, configuration, "--bucket", bucketName, "--endpoint", client.Endpoint()))
	}
	for _, name := range []string{"decoder", "correlator", "correlator", "correlator", "forwarder"} {
		f.start(service(t, name, nats, configuration))
	}
	f.spread(f.named("correlator"))

	// The trail flows all the time.
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		span := time.Duration(*kills)*time.Second + 15*time.Second
		for _, o := range objects {
			if err := client.Put(t.Context(), o.Key, o.Body); err != nil {
				t.Error(err)
				return
			}
			wait(t, span/time.Duration(len(objects)))
		}
	}()
	t.Cleanup(func() { <-fed })

	f.killAtRandom(random, *kills/2, "nats", "lister", "fetcher", "decoder", "forwarder")
	f.start(service(t, "correlator", nats, configuration))
	most := f.spread(f.named("correlator"))
	dead, asleep, rest := most[0], most[1], most[2:]
	dead.kill()
	asleep.pause(t)
	f.spread(rest)
	asleep.resume(t)
	dead.process = dead.run()
	f.killAtRandom(random, *kills-*kills/2, "fetcher", "decoder", "correlator")

	<-fed
	if err := client.Put(t.Context(), late.Key, late.Body); err != nil {
		t.Fatal(err)
	}
	// What a killed process had been handed comes again after a minute. So as
	// not to wait it comes at once, with what is at work just now.
	for stream, durable := range map[string]string{streams.Keys: streams.FetcherDurable, streams.Batches: streams.DecoderDurable, streams.Events: streams.MatcherDurable} {
		if _, err := f.js.ResetConsumer(t.Context(), stream, durable); err != nil {
			t.Fatal(err)
		}
	}
	settling := time.Now()
	peace := living(t, scan(t, client, configuration))
	alerts := settle(t, f.js, len(objects)+1, func(alerts [][]byte) bool { return len(living(t, alerts)) == len(peace) })
	t.Logf("all is done %s after the last object", time.Since(settling).Round(100*time.Millisecond))
	for _, m := range f.members[1:] {
		m.stop(t)
	}

	checkRevisions(t, alerts)
	if diff := cmp.Diff(peace, living(t, alerts)); diff != "" {
		t.Errorf("what rang is not what a scan finds (-scan +rang):\n%s", diff)
	}
	if diff := cmp.Diff(planted(trail), asPlanted(peace)); diff != "" {
		t.Errorf("a scan found something else than what was planted (-planted +found):\n%s", diff)
	}
	checkArchive(t, archive, alerts)
	if letters, err := size(t.Context(), f.js, streams.Dead); err != nil || letters != 0 {
		t.Errorf("%d dead letters, %v", letters, err)
	}
	t.Logf("%d alerts in %d revisions", len(peace), len(alerts))
}

// tooDense are shipped rules for which the trails of these tests have too much in
// too little time: their programs read more secrets than one should.
const tooDense = "[secret_read, many_secrets_read]"

// configure writes a configuration file.
func configure(t *testing.T, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, "trailbell.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// everydayRules is the path of rules that ring for what is not planted.
func everydayRules(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("testdata/everyday.yml")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// scan scans the bucket and returns the alerts.
func scan(t *testing.T, client *s3.Client, configuration string) [][]byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, built.trailbell), "scan", "s3://"+bucketName,
		"--config", configuration, "--endpoint", client.Endpoint(), "--since", "2d", "--format", "json")
	cmd.Env = environment(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("scan: %v\n%s", err, &stderr)
	}
	t.Logf("scan: %s", bytes.TrimSpace(stderr.Bytes()))
	return bytes.Split(bytes.TrimSuffix(out, []byte("\n")), []byte("\n"))
}

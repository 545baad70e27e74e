package acceptance_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/generator"
	"github.com/trailbell/trailbell/internal/s3"
)

// said is what an alert says that has to be the same in every run.
type said struct {
	Rule        string
	First, Last time.Time
	Events      string
}

func sorted(all []said) []said {
	slices.SortFunc(all, func(a, b said) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return all
}

// living returns what the final revisions say, of alerts one a line.
func living(t *testing.T, ndjson []byte) []said {
	t.Helper()
	last := map[string]alert.Alert{}
	lines := bufio.NewScanner(bytes.NewReader(ndjson))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		a, err := alert.Parse(lines.Bytes())
		if err != nil {
			t.Fatalf("not an alert: %v: %s", err, lines.Bytes())
		}
		if a.Revision >= last[a.ID].Revision {
			last[a.ID] = a
		}
	}
	var all []said
	for a := range maps.Values(last) {
		if a.State.Living() {
			all = append(all, said{a.Rule.Name, a.FirstSeen, a.LastSeen, strings.Join(a.EventIDs, " ")})
		}
	}
	return sorted(all)
}

func planted(trail *generator.Trail) []said {
	var all []said
	for _, p := range trail.Planted() {
		all = append(all, said{p.Rule, p.First, p.Last, strings.Join(p.EventIDs, " ")})
	}
	return sorted(all)
}

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

// TestKilledInTheMiddle runs `up` on a bucket of a real S3 server, kills it
// again and again while objects arrive, and compares with what was planted, and
// with a scan of the same bucket. The last object sorts earlier than others and
// has a record that a brute force cannot ring without.
func TestKilledInTheMiddle(t *testing.T) {
	end := time.Now().UTC().Truncate(time.Minute)
	trail, err := generator.New(generator.Options{
		Seed: 7, Records: 20_000, Start: end.Add(-3 * time.Hour), End: end,
		Organization: "o-exampleorg", Accounts: []string{"111122223333", "444455556666"}, Regions: []string{"eu-west-1", "us-east-1"},
		Attacks: generator.Attacks(),
	})
	if err != nil {
		t.Fatal(err)
	}
	objects := slices.Collect(trail.Objects())
	client := serve(t)
	put := func(objects ...generator.Object) {
		for _, o := range objects {
			if err := client.Put(t.Context(), o.Key, o.Body); err != nil {
				t.Fatal(err)
			}
		}
	}
	late := objectOf(t, objects, bruteForce(t, trail).EventIDs[2])
	rest := slices.DeleteFunc(slices.Clone(objects), func(o generator.Object) bool { return o.Key == late.Key })

	dir := t.TempDir()
	archive := filepath.Join(dir, "alerts.ndjson")
	configuration := filepath.Join(dir, "trailbell.yaml")
	text := fmt.Sprintf("data_dir: %s\nforwarder:\n  sinks:\n    - {name: archive, type: file, path: %s}\n", filepath.Join(dir, "store"), archive)
	if err := os.WriteFile(configuration, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	up := func() *process {
		return start(t, program(t, built.trailbell), environment(t), "up", "--config", configuration,
			"--bucket", bucketName, "--endpoint", client.Endpoint(), "--interval", "1s",
			"--nats-listen", "127.0.0.1:0", "--http", "")
	}
	random := rand.New(rand.NewPCG(7, 7))
	for part := range slices.Chunk(rest, len(rest)/6+1) {
		p := up()
		put(part...)
		wait(t, time.Duration(200+random.IntN(800))*time.Millisecond)
		p.kill()
	}
	p := up()
	put(late)
	want := planted(trail)
	eventually(t, "all planted attacks ring", func(context.Context) bool {
		b, err := os.ReadFile(archive)
		return err == nil && bytes.HasSuffix(b, []byte("\n")) && len(living(t, b)) >= len(want)
	})
	p.stop(t)
	b, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, living(t, b)); diff != "" {
		t.Errorf("up rang something else than what was planted (-planted +rung):\n%s", diff)
	}

	if diff := cmp.Diff(want, living(t, scan(t, client))); diff != "" {
		t.Errorf("a scan found something else than what was planted (-planted +found):\n%s", diff)
	}
}

// scan scans the bucket and returns the alerts.
func scan(t *testing.T, client *s3.Client) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, built.trailbell), "scan", "s3://"+bucketName,
		"--endpoint", client.Endpoint(), "--since", "2d", "--format", "json")
	cmd.Env = environment(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("scan: %v\n%s", err, &stderr)
	}
	return out
}

// wait lets the processes run for a while: the moment of a kill is what is
// random here.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

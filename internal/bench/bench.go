package bench

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/trailbell/trailbell/internal/app"
	"github.com/trailbell/trailbell/internal/generator"
	"github.com/trailbell/trailbell/internal/seeder"
)

// Large and Small are how many records the files of the two trails have. The
// bar is about the large ones, where the records cost and not the files.
const (
	Large = 2000
	Small = 50
)

// Options of a benchmark.
type Options struct {
	// Records of each trail.
	Records int
	// Rounds is how often each measurement is made; the one in the middle by
	// its CPU counts. What else the machine does spoils single ones.
	Rounds int
	// Child makes the command that calls Measure with a kind, a directory and
	// the path of a profile, which may be empty.
	Child func(ctx context.Context, kind Kind, dir, profile string) *exec.Cmd
	// Profile is where the CPU profile of the last scan of the large files
	// goes; empty: none.
	Profile string
	// Doing is told what comes next.
	Doing func(what string)
}

// The same trails in every run and on every machine.
const seed = 1

var (
	start = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	end   = start.AddDate(0, 0, 7)
)

// Run grows the trails and measures. Nothing of it is left behind.
func Run(ctx context.Context, o Options) (Report, error) {
	set, errs := app.LoadRules(app.DefaultConfig().Correlator)
	if len(errs) > 0 {
		return Report{}, errors.Join(errs...)
	}
	report := newReport(len(set.Rules()), len(set.Correlations()))
	for _, perFile := range []int{Large, Small} {
		profile := o.Profile
		if perFile != Large {
			profile = ""
		}
		t, err := measure(ctx, o, perFile, profile)
		if err != nil {
			return Report{}, fmt.Errorf("files of %d: %w", perFile, err)
		}
		report.Trails = append(report.Trails, t)
	}
	report.Bars = bars(report.Trails[0])
	return report, nil
}

// measure grows a trail and measures the floor and the scan of it.
func measure(ctx context.Context, o Options, perFile int, profile string) (Trail, error) {
	dir, err := os.MkdirTemp("", "trailbell-bench-")
	if err != nil {
		return Trail{}, fmt.Errorf("%w; set TMPDIR to a directory with room", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	logs := filepath.Join(dir, "logs")

	o.Doing(fmt.Sprintf("growing %d records in files of %d", o.Records, perFile))
	grown, err := generator.New(generator.Options{
		Seed: seed, Records: o.Records, RecordsPerFile: perFile, Start: start, End: end, Attacks: generator.Attacks(),
	})
	if err != nil {
		return Trail{}, err
	}
	sown, err := seeder.Sow(ctx, grown, seeder.Dir(logs))
	if err != nil {
		return Trail{}, err
	}
	t := Trail{
		RecordsPerFile: perFile, Objects: sown.Objects, Records: sown.Records, Bytes: sown.Bytes, Content: sown.Content,
		Planted: len(grown.Planted()),
	}
	var floors, scans []Sample
	for round := range max(o.Rounds, 1) {
		o.Doing(fmt.Sprintf("measuring the floor and the scan, round %d", round+1))
		floor, err := o.sample(ctx, Floor, logs, "")
		if err != nil {
			return Trail{}, err
		}
		scan, err := o.sample(ctx, Scan, logs, profile)
		if err != nil {
			return Trail{}, err
		}
		if err := t.check(floor, scan); err != nil {
			return Trail{}, err
		}
		floors, scans = append(floors, floor), append(scans, scan)
	}
	t.Floor, t.Scan = t.cost(median(floors)), t.cost(median(scans))
	t.Ratio = t.Scan.Micros / t.Floor.Micros
	return t, nil
}

// median is the sample in the middle, by CPU.
func median(samples []Sample) Sample {
	samples = slices.SortedFunc(slices.Values(samples), func(a, b Sample) int { return cmp.Compare(a.CPU, b.CPU) })
	return samples[len(samples)/2]
}

// sample runs a child.
func (o Options) sample(ctx context.Context, kind Kind, dir, profile string) (Sample, error) {
	child := o.Child(ctx, kind, dir, profile)
	var out, said bytes.Buffer
	child.Stdout, child.Stderr = &out, &said
	// What a child that is killed leaves behind goes with the trail.
	child.Env = append(child.Environ(), "TMPDIR="+filepath.Dir(dir))
	if err := child.Run(); err != nil {
		if ctx.Err() != nil {
			return Sample{}, ctx.Err()
		}
		return Sample{}, fmt.Errorf("measuring the %s: %w: %s", kind, err, bytes.TrimSpace(said.Bytes()))
	}
	var s Sample
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		return Sample{}, fmt.Errorf("measuring the %s: it said %s", kind, strconv.Quote(out.String()))
	}
	return s, nil
}

// check makes sure that what was measured is the work that it is said to be: a
// scan that loses half of the records is fast.
func (t Trail) check(floor, scan Sample) error {
	switch {
	case floor.Objects != t.Objects || floor.Content != t.Content:
		return fmt.Errorf("the floor read %d objects of %d and %d bytes of %d", floor.Objects, t.Objects, floor.Content, t.Content)
	case scan.Objects != t.Objects || scan.Records != t.Records || scan.Dead != 0:
		return fmt.Errorf("the scan read %d objects of %d and %d records of %d, and %d could not be processed",
			scan.Objects, t.Objects, scan.Records, t.Records, scan.Dead)
	case scan.Alerts != t.Planted:
		return fmt.Errorf("the scan rang %d alerts, and %d were planted", scan.Alerts, t.Planted)
	}
	return nil
}

package bench

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/trailbell/trailbell/internal/app"
	"github.com/trailbell/trailbell/internal/screen"
)

// TestMain is a child of a benchmark when it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == "measure" {
		env := app.Env{Log: slog.New(slog.DiscardHandler), Out: os.Stdout, Err: os.Stderr}
		if err := Measure(context.Background(), Kind(os.Args[2]), os.Args[3], os.Args[4], env); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func options(t *testing.T) Options {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Records: 3000, Rounds: 1,
		Child: func(ctx context.Context, kind Kind, dir, profile string) *exec.Cmd {
			return exec.CommandContext(ctx, program, "measure", string(kind), dir, profile)
		},
		Doing: func(what string) { t.Log(what) },
	}
}

func TestAReportHasEveryFigure(t *testing.T) {
	o := options(t)
	o.Profile = filepath.Join(t.TempDir(), "scan.pprof")
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Rules == 0 || r.Correlations == 0 || r.Go == "" || r.System == "" || r.Cores == 0 || len(r.Bars) != 3 {
		t.Errorf("%+v", r)
	}
	if len(r.Trails) != 2 || r.Trails[0].RecordsPerFile != Large || r.Trails[1].RecordsPerFile != Small {
		t.Fatalf("trails %+v", r.Trails)
	}
	for _, trail := range r.Trails {
		if trail.Records != o.Records || trail.Bytes == 0 || trail.Content <= trail.Bytes || trail.Planted == 0 {
			t.Errorf("%+v", trail)
		}
		for name, c := range map[string]Cost{"floor": trail.Floor, "scan": trail.Scan} {
			if c.Seconds <= 0 || c.CPU <= 0 || c.Rate <= 0 || c.Micros <= 0 || c.Peak < 1<<20 {
				t.Errorf("files of %d, %s: %+v", trail.RecordsPerFile, name, c)
			}
		}
		if trail.Ratio <= 1 {
			t.Errorf("files of %d: the pipeline takes %.2f of the floor that it contains", trail.RecordsPerFile, trail.Ratio)
		}
	}
	if large, small := r.Trails[0].Objects, r.Trails[1].Objects; large >= small {
		t.Errorf("%d large files and %d small ones", large, small)
	}
	if info, err := os.Stat(o.Profile); err != nil || info.Size() == 0 {
		t.Errorf("profile: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "trailbell-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %s %v", left, err)
	}

	text := r.Text(screen.Look{})
	for _, want := range []string{"3,000 records", "files of 2,000", "files of 50", "floor: CPU a record", "scan: peak memory", "The bar"} {
		if !strings.Contains(text, want) {
			t.Errorf("the table does not say %q:\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

func TestAScanThatDoesNotDoItsWorkIsNoMeasurement(t *testing.T) {
	trail := Trail{Objects: 2, Records: 10, Content: 100, Planted: 3}
	floor := Sample{Objects: 2, Content: 100}
	scan := Sample{Objects: 2, Records: 10, Alerts: 3}
	if err := trail.check(floor, scan); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(floor, scan *Sample){
		"the floor skipped an object": func(f, _ *Sample) { f.Objects-- },
		"the floor read too little":   func(f, _ *Sample) { f.Content-- },
		"the scan skipped an object":  func(_, s *Sample) { s.Objects-- },
		"the scan lost a record":      func(_, s *Sample) { s.Records-- },
		"the scan missed an alert":    func(_, s *Sample) { s.Alerts-- },
		"something went to DEAD":      func(_, s *Sample) { s.Dead++ },
	} {
		f, s := floor, scan
		spoil(&f, &s)
		if trail.check(f, s) == nil {
			t.Errorf("%s, and it counts", name)
		}
	}
}

func TestTheSampleInTheMiddleCounts(t *testing.T) {
	if got := median([]Sample{{CPU: 9}, {CPU: 1}, {CPU: 2}}); got.CPU != 2 {
		t.Errorf("median %v, want 2", got.CPU)
	}
}

func TestBarsAreMetAtTheirBounds(t *testing.T) {
	at := Trail{Ratio: 10, Scan: Cost{Rate: 40_000, Peak: 400e6}}
	for _, b := range bars(at) {
		if !b.Met {
			t.Errorf("%s %v: %v does not meet it", b.Name, b.Bound, b.Value)
		}
	}
	beyond := Trail{Ratio: 10.1, Scan: Cost{Rate: 39_999, Peak: 400e6 + 1}}
	for _, b := range bars(beyond) {
		if b.Met {
			t.Errorf("%s %v: %v meets it", b.Name, b.Bound, b.Value)
		}
	}
}

func TestAChildThatFailsSaysWhy(t *testing.T) {
	o := options(t)
	_, err := o.sample(t.Context(), "nonsense", t.TempDir(), "")
	if err == nil || !strings.Contains(err.Error(), `there is no measurement "nonsense"`) {
		t.Errorf("error %v", err)
	}
	o.Child = func(ctx context.Context, _ Kind, _, _ string) *exec.Cmd {
		return exec.CommandContext(ctx, "echo", "no JSON")
	}
	if _, err := o.sample(t.Context(), Floor, t.TempDir(), ""); err == nil || !strings.Contains(err.Error(), `it said "no JSON\n"`) {
		t.Errorf("error %v", err)
	}
}

func TestTheHighWaterMarkIsReadInKilobytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "status")
	for text, want := range map[string]int64{
		"VmPeak:\t  999 kB\nVmHWM:\t   12 kB\nVmRSS:\t    3 kB\n": 12 << 10,
		"VmRSS:\t    3 kB\n":  0,
		"VmHWM:\t nonsense\n": 0,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := highWater(path); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	if got := highWater(filepath.Join(t.TempDir(), "none")); got != 0 {
		t.Errorf("no such file: %d", got)
	}
	if bytes := peak(); bytes < 1<<20 {
		t.Errorf("this process has had %d bytes at most", bytes)
	}
}

package file_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/services/forwarder"
	"github.com/trailbell/trailbell/services/forwarder/file"
)

func open(t *testing.T, path string) *file.Sink {
	t.Helper()
	s := file.New(path)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func deliver(t *testing.T, s *file.Sink, id string) {
	t.Helper()
	if err := s.Deliver(t.Context(), delivery(id, 10)); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, path, content string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(content); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// line is what a delivery leaves in the file.
func line(id string) string { return string(delivery(id, 10).JSON) + "\n" }

func want(t *testing.T, path, text string) {
	t.Helper()
	if diff := cmp.Diff(text, content(t, path)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", filepath.Base(path), diff)
	}
}

func TestAlertsAreAppendedOneALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	s := file.New(path)
	deliver(t, s, "a")
	deliver(t, s, "b")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	deliver(t, open(t, path), "c")
	want(t, path, line("a")+line("b")+line("c"))
}

func TestNothingIsCreatedBeforeTheFirstAlert(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	if err := file.New(path).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat: %v, want no file", err)
	}
}

func TestWhatStandsBehindTheLastNewline(t *testing.T) {
	pretty := "{\n  \"id\": \"x\"\n}"
	tests := map[string]struct{ before, kept string }{
		"nothing":                                {"", ""},
		"whole lines":                            {line("a"), line("a")},
		"half an alert is removed":               {line("a") + line("b")[:20], line("a")},
		"also the smallest part of one":          {line("a") + "{", line("a")},
		"also if there is nothing else":          {line("b")[:20], ""},
		"an alert that lacks its newline stays":  {strings.TrimSuffix(line("a"), "\n"), line("a")},
		"text of others stays":                   {"a note", "a note\n"},
		"half an object of others stays":         {`{"time":"12:0`, `{"time":"12:0` + "\n"},
		"a file that is laid out in lines stays": {pretty, pretty + "\n"},
		"a list stays":                           {`[{"id":"`, `[{"id":"` + "\n"},
		"a line beyond any alert stays":          {`{"id":"` + strings.Repeat("x", 9<<20), `{"id":"` + strings.Repeat("x", 9<<20) + "\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "alerts.ndjson")
			put(t, path, tt.before)
			deliver(t, open(t, path), "z")
			if got := content(t, path); got != tt.kept+line("z") {
				t.Errorf("%q became %q", abbreviated(tt.before), abbreviated(got))
			}
		})
	}
}

func abbreviated(s string) string { return s[:min(len(s), 200)] }

// The rule for what is ours rests on how an alert's JSON begins.
func TestAlertsBeginAsTheSinkBelieves(t *testing.T) {
	data, err := (alert.Alert{ID: "x", Revision: 1}).JSON()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	put(t, path, string(data[:len(data)/2]))
	deliver(t, open(t, path), "z")
	want(t, path, line("z"))
}

func TestAnotherThatIsKilledWhileWritingDoesNotSpoilOurLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	s := open(t, path)
	deliver(t, s, "a")
	put(t, path, line("b")[:15])
	deliver(t, s, "c")
	want(t, path, line("a")+line("c"))
}

func TestTheLogIsRotated(t *testing.T) {
	moves := map[string]func(path string) error{
		"renamed":   func(path string) error { return os.Rename(path, path+".1") },
		"removed":   os.Remove,
		"truncated": func(path string) error { return os.Truncate(path, 0) },
	}
	for name, move := range moves {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "alerts.ndjson")
			s := open(t, path)
			deliver(t, s, "a")
			if err := move(path); err != nil {
				t.Fatal(err)
			}
			deliver(t, s, "b")
			want(t, path, line("b"))
			if name == "renamed" {
				want(t, path+".1", line("a"))
			}
		})
	}
}

// Whatever happens, a file holds every byte of others and every alert that was
// delivered, each on a line of its own.
func TestNoHistoryLosesAnAlert(t *testing.T) {
	dir := t.TempDir()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		path := filepath.Join(dir, fmt.Sprint(runs))
		sinks := []*file.Sink{file.New(path), file.New(path)}
		var model []string // lines
		next := 0
		appendTo := func(s string) {
			f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.WriteString(s)
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
		}
		write := func(t *rapid.T) {
			s := sinks[rapid.IntRange(0, 1).Draw(t, "sink")]
			d := delivery(fmt.Sprint(next), rapid.IntRange(1, 200).Draw(t, "size"))
			next++
			if err := s.Deliver(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			model = append(model, string(d.JSON))
		}
		t.Repeat(map[string]func(*rapid.T){
			"deliver": write,
			"die while writing": func(t *rapid.T) {
				d := delivery("lost", 50)
				appendTo(string(d.JSON[:rapid.IntRange(1, len(d.JSON)-1).Draw(t, "written")]))
				write(t) // whoever comes next
			},
			"others append": func(t *rapid.T) {
				text := rapid.SampledFrom([]string{"note", `{"a":1}`, "[1,"}).Draw(t, "text")
				appendTo(text)
				model = append(model, text)
				write(t)
			},
			"restart": func(t *rapid.T) {
				i := rapid.IntRange(0, 1).Draw(t, "sink")
				if err := sinks[i].Close(); err != nil {
					t.Fatal(err)
				}
				sinks[i] = file.New(path)
			},
			"": func(t *rapid.T) {
				data, err := os.ReadFile(path)
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
				want := strings.Join(append(model[:len(model):len(model)], ""), "\n")
				if diff := cmp.Diff(want, string(data)); diff != "" {
					t.Fatalf("(-want +got):\n%s", diff)
				}
			},
		})
		for _, s := range sinks {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestProcessesShareAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var (
		writers []*exec.Cmd
		halfway io.Reader
	)
	for i := range 4 {
		c := exec.CommandContext(t.Context(), exe)
		c.Env = append(os.Environ(), appendTo+"="+path, fmt.Sprintf("%s=w%d", writerID, i))
		c.Stderr = os.Stderr
		if i == 0 {
			if halfway, err = c.StdoutPipe(); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		writers = append(writers, c)
	}
	// The first one is killed in the middle of its work, and starts again.
	if _, err := halfway.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := writers[0].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = writers[0].Wait()
	if err := write(path, "w0", 300, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, c := range writers[1:] {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	seen, next := map[string]bool{}, map[string]int{}
	for l := range bytes.Lines([]byte(content(t, path))) {
		var a struct{ ID string }
		if err := json.Unmarshal(l, &a); err != nil {
			t.Fatalf("a broken line: %v: %q", err, abbreviated(string(l)))
		}
		seen[a.ID] = true
		writer, _, _ := strings.Cut(a.ID, "-")
		if writer != "w0" && a.ID != fmt.Sprintf("%s-%d", writer, next[writer]) {
			t.Fatalf("%s came instead of %s-%d", a.ID, writer, next[writer])
		}
		next[writer]++
	}
	if len(seen) != 4*300 {
		t.Errorf("%d alerts, want %d", len(seen), 4*300)
	}
}

// The limit is one of the whole process, in which the test framework writes
// files of its own at any time: so it is another process that has it.
func TestALineThatDoesNotFitIsTakenBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), exe)
	c.Env = append(os.Environ(), overfill+"="+path)
	if said, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	want(t, path, line("a")+line("b"))
}

func TestErrorsSayWhatToTry(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "plain"), "x\n")
	tests := []struct{ name, path, want string }{
		{"a full disk", "/dev/full", "alerts file /dev/full: write /dev/full: no space left on device; make room"},
		{"no directory", filepath.Join(dir, "none", "a"), "no such file or directory; create its directory"},
		{"a directory", dir, "is a directory; set the path of the sink to a file"},
		{"a file that nobody may write", "/proc/sys/kernel/ostype", "permission denied; let the user of this process write to it"},
		{"below a file", filepath.Join(dir, "plain", "a"), "not a directory; set the path of the sink to a file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := open(t, tt.path).Deliver(t.Context(), delivery("a", 10))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.path) {
				t.Errorf("Deliver returned %v, want %q", err, tt.want)
			}
		})
	}
}

func TestADirectoryThatIsCreatedLaterIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "later", "alerts.ndjson")
	s := open(t, path)
	if err := s.Deliver(t.Context(), delivery("a", 10)); err == nil {
		t.Fatal("delivered into nothing")
	}
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	deliver(t, s, "a")
	want(t, path, line("a"))
}

// A lock that somebody holds delays us, and we write when it is free.
func TestALockedFileIsWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	other, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := syscall.Flock(int(other.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	done := make(chan error, 1)
	go func() { done <- s.Deliver(t.Context(), delivery("a", 10)) }()
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if err := syscall.Flock(int(other.Fd()), syscall.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	want(t, path, line("a"))
}

var _ forwarder.Sink = (*file.Sink)(nil)

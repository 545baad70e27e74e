package demo

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is any time: the demo's own trail ends there. It lies close to midnight,
// where the day of a file and that of its events differ.
func now() time.Time { return time.Now().UTC().Truncate(24 * time.Hour).Add(3 * time.Minute) }

// terminal is an output that says when something was written to it.
type terminal struct {
	mu      sync.Mutex
	text    bytes.Buffer
	waiting map[string]chan struct{}
}

func (s *terminal) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.text.Write(p)
	for what, shown := range s.waiting {
		if strings.Contains(s.text.String(), what) {
			close(shown)
			delete(s.waiting, what)
		}
	}
	return n, err
}

// shown is closed when a text appears on the screen.
func (s *terminal) shown(what string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		s.waiting = map[string]chan struct{}{}
	}
	s.waiting[what] = make(chan struct{})
	return s.waiting[what]
}

func (s *terminal) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// options are those of a small demo that leaves its files below the test's
// directory, and what shows its log.
func options(t *testing.T) (Options, *terminal) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	out := &terminal{}
	return Options{Seed: 3, Records: 2000, Now: now(), Out: out, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))}, out
}

func leftBehind(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestTheDemoFindsWhatItPlanted(t *testing.T) {
	o, out := options(t)
	// What the user has set up for AWS is not looked at.
	t.Setenv("AWS_PROFILE", "does-not-exist")
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Good() || r.Records != 2000 || r.Rate <= 0 {
		t.Errorf("%+v\n%s", r, out)
	}
	found := map[string]int{}
	for _, f := range r.Findings {
		found[f.Rule] += f.Found
	}
	want := map[string]int{
		"console_login_failure": 12, "console_brute_force": 1, "console_brute_force_account": 2,
		"console_login_success": 2, "console_login_without_mfa": 1, "root_console_login_without_mfa": 1, "root_activity": 2,
		"run_instances": 1, "terminate_instances": 1, "trail_tampering": 1, "security_group_open_to_world": 2,
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error("found (-want +got)\n" + diff)
	}
	text := out.String()
	late := strings.Index(text, "One file arrives late")
	brute := strings.Index(text, "Console brute force from one address")
	if late < 0 || brute < late {
		t.Errorf("the brute force rang without the file that completes it:\n%s", text)
	}
	for _, want := range []string{"26 alerts: 1 critical, ", "nothing else rang", "trailbell check --bucket my-trail"} {
		if !strings.Contains(text, want) {
			t.Errorf("the screen does not say %q:\n%s", want, text)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if n := len([]rune(line)); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if files := leftBehind(t); len(files) > 0 {
		t.Errorf("left behind: %s", files)
	}
}

func TestADemoThatIsKeptAnswersUntilItIsStopped(t *testing.T) {
	o, out := options(t)
	o.Keep = true
	invited := out.shown("Running until Ctrl-C")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	asked := make(chan error, 1)
	go func() {
		<-invited
		asked <- ask(out)
		stop()
	}()
	r, err := Run(ctx, o)
	if err != nil || !r.Good() {
		t.Errorf("%+v, error %v", r, err)
	}
	if err := <-asked; err != nil {
		t.Error(err)
	}
	if files := leftBehind(t); len(files) > 0 {
		t.Errorf("left behind: %s", files)
	}
}

// ask looks at the URLs that are on the screen.
func ask(out *terminal) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, word := range strings.Fields(out.String()) {
		if !strings.HasPrefix(word, "http://") {
			continue
		}
		answer, err := client.Get(word)
		if err != nil {
			return err
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return errors.New(word + ": " + answer.Status)
		}
	}
	return nil
}

func TestADemoCanBeStoppedAtAnyMoment(t *testing.T) {
	for _, moment := range []string{"trailbell demo", "Console login failure", "One file arrives late"} {
		t.Run(moment, func(t *testing.T) {
			o, out := options(t)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			shown := out.shown(moment)
			var stopped time.Time
			done := make(chan struct{})
			go func() {
				defer close(done)
				<-shown
				stopped = time.Now()
				stop()
			}()
			_, err := Run(ctx, o)
			<-done
			if took := time.Since(stopped); took > 20*time.Second {
				t.Errorf("it took %s to stop", took)
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			if files := leftBehind(t); len(files) > 0 {
				t.Errorf("left behind: %s", files)
			}
		})
	}
}

func TestTheBucketOfTheDemoIsReadOnly(t *testing.T) {
	s, err := openStore(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	request, err := http.NewRequest(http.MethodPut, s.url+"/"+bucket+"/key", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("writing is answered with %s", answer.Status)
	}
}

package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trailbell/trailbell/internal/natsserver/natstest"
)

// watched is a process whose endpoints are asked.
type watched struct {
	t    *testing.T
	http string
	stop func()
	done chan error
}

// watch starts a process and waits until it listens.
func watch(t *testing.T, env Env, run func(context.Context, Env) error) *watched {
	t.Helper()
	started := make(chan Running, 1)
	env.Started = func(r Running) { started <- r }
	ctx, stop := context.WithCancel(t.Context())
	w := &watched{t: t, stop: stop, done: make(chan error, 1)}
	go func() { w.done <- run(ctx, env) }()
	select {
	case r := <-started:
		w.http = r.HTTP
	case err := <-w.done:
		t.Fatalf("it ended with %v", err)
	case <-time.After(patience):
		t.Fatal("it has not started")
	}
	return w
}

// get asks an endpoint.
func (w *watched) get(path string) (int, string) {
	w.t.Helper()
	r, err := http.Get("http://" + w.http + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

// until asks an endpoint until it answers with a status and a body that holds
// a text.
func (w *watched) until(path string, status int, text string) {
	w.t.Helper()
	deadline := time.After(patience)
	for {
		got, body := w.get(path)
		if got == status && strings.Contains(body, text) {
			return
		}
		select {
		case <-deadline:
			w.t.Fatalf("GET %s: %d %s; want %d and %q", path, got, body, status, text)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// end stops the process, which must go well.
func (w *watched) end() {
	w.t.Helper()
	w.stop()
	select {
	case err := <-w.done:
		if err != nil {
			w.t.Errorf("it ended with %v", err)
		}
	case <-time.After(patience):
		w.t.Fatal("it does not end")
	}
}

func upOn(c Config) func(context.Context, Env) error {
	return func(ctx context.Context, env Env) error { return Up(ctx, c, env) }
}

func TestAProcessSaysHowItIs(t *testing.T) {
	s := newStore(t)
	c := s.config()
	c.HTTP = "127.0.0.1:0"
	w := watch(t, testEnv(&memory{}), upOn(c))
	for _, metric := range []string{
		`trailbell_lister_polls_total{bucket="trail"}`, `trailbell_stage_messages_total{result="done",stage="decoder"} 0`,
		"trailbell_correlator_records_total 0", "go_goroutines", "process_cpu_seconds_total",
	} {
		w.until("/metrics", http.StatusOK, metric)
	}
	// The bucket has no trail yet, which is no reason to wait.
	w.until("/readyz", http.StatusOK, "ready")
	w.until("/healthz", http.StatusOK, "ok")
	if status, _ := w.get("/"); status != http.StatusNotFound {
		t.Errorf("/ answers %d", status)
	}

	if err := s.backend.DeleteBucket(bucket); err != nil {
		t.Fatal(err)
	}
	w.until("/readyz", http.StatusServiceUnavailable, "bucket trail: ")
	if status, _ := w.get("/healthz"); status != http.StatusOK {
		t.Errorf("/healthz says %d while a bucket is gone: whoever restarts us by it would do so in vain", status)
	}
	if err := s.backend.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	w.until("/readyz", http.StatusOK, "ready")
	w.end()
}

func TestAProcessIsNotReadyWithoutNATS(t *testing.T) {
	server := natstest.Start(t, natstest.Limits())
	c := DefaultConfig()
	c.NATS.URL, c.HTTP = server.URL(), "127.0.0.1:0"
	w := watch(t, testEnv(&memory{}), func(ctx context.Context, env Env) error { return Service(ctx, "decoder", c, env) })
	w.until("/readyz", http.StatusOK, "ready")
	server.Stop()
	w.until("/readyz", http.StatusServiceUnavailable, "NATS connection of decoder: lost")
	w.end()
}

func TestAProcessIsNotReadyWhileWindowsAreRebuilt(t *testing.T) {
	a := newAssembly(DefaultConfig(), Env{})
	for _, yes := range []bool{true, false, false, true} {
		a.windowsReady(yes)
		want := "<nil>"
		if !yes {
			want = "windows: being rebuilt"
		}
		if got := fmt.Sprint(a.health.check()); got != want {
			t.Errorf("with windows that are there: %v, it says %q, want %q", yes, got, want)
		}
	}
}

func TestNobodyListensWhenHTTPIsOff(t *testing.T) {
	c := newStore(t).config()
	c.HTTP = ""
	var said bytes.Buffer
	env := testEnv(&memory{})
	env.Err = &said
	w := watch(t, env, upOn(c))
	if w.http != "" {
		t.Errorf("it listens on %s", w.http)
	}
	w.end()
	lines := strings.Split(said.String(), "\n")
	if slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "metrics") }) {
		t.Errorf("it names an address of metrics:\n%s", &said)
	}
}

func TestAnAddressThatIsTakenIsSaid(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	c := newStore(t).config()
	c.HTTP = taken.Addr().String()
	err = Up(t.Context(), c, testEnv(&memory{}))
	if err == nil || !strings.Contains(err.Error(), c.HTTP) || !strings.Contains(err.Error(), "--http") {
		t.Errorf("got %v", err)
	}
}

// TestAVisitorDoesNotSpoilTheEnd: a connection on which nothing was asked yet,
// as load balancers and browsers hold, outlasts the patience of a shutdown.
func TestAVisitorDoesNotSpoilTheEnd(t *testing.T) {
	c := newStore(t).config()
	c.HTTP = "127.0.0.1:0"
	w := watch(t, testEnv(&memory{}), upOn(c))
	visitor, err := net.Dial("tcp", w.http)
	if err != nil {
		t.Fatal(err)
	}
	defer visitor.Close()
	w.get("/healthz") // the visitor, who came before, has been let in
	w.end()
}

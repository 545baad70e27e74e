package acceptance_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is a program that runs beside the test.
type process struct {
	cmd    *exec.Cmd
	stderr *bytes.Buffer // to be read when done
	done   chan struct{}
	err    error // how it ended
}

func start(t *testing.T, path string, env []string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(path, args...), stderr: &bytes.Buffer{}, done: make(chan struct{})}
	p.cmd.Env = env
	p.cmd.Stderr = p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends it as kill -9 does, and waits for it. It may be called again.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.done
}

// stop ends it as a service manager does.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.signal(t, os.Interrupt)
	select {
	case <-p.done:
		if p.err != nil {
			t.Errorf("%s ended with %v:\n%s", p.cmd, p.err, p.stderr)
		}
	case <-time.After(patience):
		t.Fatalf("%s did not end", p.cmd)
	}
}

// pause stops it where it is, as a machine does that sleeps, until resume.
func (p *process) pause(t *testing.T) { t.Helper(); p.signal(t, syscall.SIGSTOP) }

func (p *process) resume(t *testing.T) { t.Helper(); p.signal(t, syscall.SIGCONT) }

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !p.ended() {
		t.Fatal(err)
	}
	if p.ended() {
		t.Fatalf("%s ended by itself with %v:\n%s", p.cmd, p.err, p.stderr)
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// metrics reads what a process says about itself, by name and labels.
func metrics(ctx context.Context, address string) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	all := map[string]float64{}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		line := lines.Text()
		i := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || i < 0 {
			continue
		}
		if all[line[:i]], err = strconv.ParseFloat(line[i+1:], 64); err != nil {
			return nil, fmt.Errorf("metric %q: %w", line, err)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no metrics")
	}
	return all, nil
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func(context.Context) bool) {
	t.Helper()
	within(t, patience, what, ok)
}

// within waits until ok, and no longer than the limit.
func within(t *testing.T, limit time.Duration, what string, ok func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf("in vain, for %s: %s", limit, what)
		case <-tick.C:
		}
	}
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

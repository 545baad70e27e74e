package acceptance_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/trailbell/trailbell/internal/s3"
)

// versitygw is the S3 server of the tests, as in the Makefile.
const versitygw = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"

// patience bounds every wait; the first build of the S3 server is the longest.
const patience = 2 * time.Minute

// built are the programs under test, made once.
var built struct {
	trailbell, versitygw func() (string, error)
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "trailbell-acceptance-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	build := func(name string, args ...string) func() (string, error) {
		return sync.OnceValues(func() (string, error) {
			cmd := exec.Command("go", args...)
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOBIN="+dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				return "", fmt.Errorf("go %v: %w\n%s", args, err, out)
			}
			return filepath.Join(dir, name), nil
		})
	}
	built.trailbell = build("trailbell", "install", "github.com/trailbell/trailbell/cmd/trailbell")
	built.versitygw = build("versitygw", "install", versitygw)
	return m.Run()
}

func program(t *testing.T, build func() (string, error)) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// process is a program that runs beside the test.
type process struct {
	cmd    *exec.Cmd
	stderr *bytes.Buffer
	done   chan error
}

func start(t *testing.T, path string, env []string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(path, args...), stderr: &bytes.Buffer{}, done: make(chan error, 1)}
	p.cmd.Env = env
	p.cmd.Stderr = p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(p.kill)
	return p
}

// kill ends it as kill -9 does, and waits for it. It may be called again.
func (p *process) kill() {
	if p.done == nil {
		return
	}
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.done
	p.done = nil
}

// stop ends it as a service manager does.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.done:
		if err != nil {
			t.Errorf("%s ended with %v:\n%s", p.cmd.Path, err, p.stderr)
		}
		p.done = nil
	case <-time.After(patience):
		t.Fatalf("%s did not end", p.cmd.Path)
	}
}

const (
	bucketName = "my-trail"
	accessKey  = "AKIDEXAMPLE"
	secretKey  = "secret-of-the-tests"
)

// environment of a fresh machine with credentials for the S3 server.
func environment(t *testing.T) []string {
	t.Helper()
	home := t.TempDir()
	return []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"),
		"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey, "AWS_REGION=us-east-1",
	}
}

// serve runs the S3 server and makes the bucket.
func serve(t *testing.T) *s3.Client {
	t.Helper()
	address := freeAddress(t)
	// Without --nometa a part of an object is in extended attributes, which
	// not every temporary directory has.
	start(t, program(t, built.versitygw), os.Environ(),
		"--port", address, "--access", accessKey, "--secret", secretKey, "--quiet",
		"posix", "--sidecar", t.TempDir(), t.TempDir())
	client, err := s3.Open(t.Context(), s3.Bucket{
		Name: bucketName, Endpoint: "http://" + address, Region: "us-east-1",
		Keys: &s3.Keys{Access: accessKey, Secret: secretKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the S3 server takes a bucket", func(ctx context.Context) bool {
		return client.Create(ctx) == nil
	})
	return client
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
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf("in vain: %s", what)
		case <-tick.C:
		}
	}
}

package acceptance_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailbell/trailbell/internal/s3"
	"github.com/trailbell/trailbell/internal/streams"
)

// The servers of the tests: versitygw as in the Makefile, nats-server in the
// version of go.mod.
const (
	versitygw  = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
	natsServer = "github.com/nats-io/nats-server/v2"
)

// patience bounds every wait; the first build of the S3 server is the longest.
const patience = 2 * time.Minute

// built are the programs under test, made once.
var built struct {
	trailbell, versitygw, natsServer func() (string, error)
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "trailbell-acceptance-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	build := func(name, of string) func() (string, error) {
		return sync.OnceValues(func() (string, error) {
			cmd := exec.Command("go", "install", of)
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOBIN="+dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				return "", fmt.Errorf("go install %s: %w\n%s", of, err, out)
			}
			return filepath.Join(dir, name), nil
		})
	}
	built.trailbell = build("trailbell", "github.com/trailbell/trailbell/cmd/trailbell")
	built.versitygw = build("versitygw", versitygw)
	built.natsServer = build("nats-server", natsServer)
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

// startNATS runs a NATS server with the configuration of deploy/ and a store that
// outlives it.
func startNATS(t *testing.T, address, dir string) *process {
	t.Helper()
	text, err := os.ReadFile("../../deploy/nats.conf")
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("store_dir: /data"), fmt.Appendf(nil, "store_dir: %q", dir), 1)
	configuration := filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(configuration, text, 0o600); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	_, monitor, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, program(t, built.natsServer), os.Environ(),
		"--config", configuration, "--addr", host, "--port", port, "--http_port", monitor)
	eventually(t, "the NATS server listens", func(context.Context) bool {
		if p.ended() {
			t.Fatalf("%s ended by itself with %v:\n%s", p.cmd, p.err, p.stderr)
		}
		c, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
	return p
}

// connect opens a connection to a NATS server that lasts as long as the test,
// whatever becomes of the server.
func connect(t *testing.T, address string) jetstream.JetStream {
	t.Helper()
	nc, js, err := streams.Connect("nats://"+address, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return js
}

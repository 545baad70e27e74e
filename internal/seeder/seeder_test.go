package seeder

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"go.uber.org/goleak"

	"github.com/trailbell/trailbell/internal/generator"
	"github.com/trailbell/trailbell/internal/s3"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func grow(t *testing.T) *generator.Trail {
	t.Helper()
	day := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	trail, err := generator.New(generator.Options{Records: 800, Start: day, End: day.AddDate(0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return trail
}

func TestADirectoryHasTheTrailAsABucketWould(t *testing.T) {
	dir := t.TempDir()
	trail := grow(t)
	sown, err := Sow(t.Context(), trail, Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	var want Sown
	for o := range trail.Objects() {
		want.Objects++
		want.Records += o.Records
		want.Bytes += int64(len(o.Body))
		want.Content += int64(o.Bytes)
		got, err := os.ReadFile(filepath.Join(dir, o.Key))
		if err != nil || !bytes.Equal(got, o.Body) {
			t.Errorf("%s: other content, error %v", o.Key, err)
		}
	}
	if diff := cmp.Diff(want, sown); diff != "" || sown.Records != 800 {
		t.Error(diff)
	}
}

func TestADirectoryIsNotLeft(t *testing.T) {
	for _, key := range []string{"../a", "/a", "a/../../b", ""} {
		if err := Dir(t.TempDir()).Put(t.Context(), key, nil); err == nil {
			t.Errorf("key %q was written", key)
		}
	}
}

// failing fails at a put and counts those behind it.
type failing struct{ puts chan string }

var errFull = errors.New("the disk is full")

func (f failing) Put(_ context.Context, key string, _ []byte) error {
	f.puts <- key
	return errFull
}

func TestSowEndsAtAnError(t *testing.T) {
	trail := grow(t)
	target := failing{make(chan string, 1000)}
	sown, err := Sow(t.Context(), trail, target)
	if !errors.Is(err, errFull) || sown != (Sown{}) {
		t.Errorf("%+v, error %v", sown, err)
	}
	total := 0
	for range trail.Objects() {
		total++
	}
	if n := len(target.puts); n == 0 || n > total {
		t.Errorf("%d of %d were put", n, total)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Sow(canceled, trail, Dir(t.TempDir())); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: error %v", err)
	}
}

func TestGuardKeepsMadeUpLogsOutOfAWS(t *testing.T) {
	for endpoint, aws := range map[string]bool{
		"https://s3.eu-west-1.amazonaws.com":                   true,
		"https://S3.AmazonAWS.com:443":                         true,
		"https://s3.cn-north-1.amazonaws.com.cn":               true,
		"https://bucket.s3.dualstack.us-east-1.amazonaws.com/": true,
		"https://s3.us-east-1.api.aws":                         true,
		"http://127.0.0.1:7070":                                false,
		"http://s3:7070":                                       false,
		"https://notamazonaws.com":                             false,
		"https://s3.amazonaws.com.example.org":                 false,
	} {
		err := Guard(endpoint)
		if (err != nil) != aws {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

var quick = Patience{Limit: 2 * time.Minute, Step: time.Millisecond}

func open(t *testing.T, endpoint string) *s3.Client {
	t.Helper()
	client, err := s3.Open(t.Context(), s3.Bucket{Name: "trail", Endpoint: endpoint, Keys: &s3.Keys{Access: "a", Secret: "s"}})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// A connection that is kept would be a goroutine that is left.
func unkept(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		next.ServeHTTP(w, r)
	})
}

func TestReachMakesTheBucketWhenItIsTold(t *testing.T) {
	server := httptest.NewServer(unkept(gofakes3.New(s3mem.New(), gofakes3.WithLogger(gofakes3.DiscardLog())).Server()))
	defer server.Close()
	client := open(t, server.URL)
	waiting := func(err error) { t.Errorf("waits: %v", err) }
	if err := Reach(t.Context(), client, false, quick, waiting); s3.KindOf(err) != s3.NoBucket {
		t.Errorf("a bucket that is not there: %v", err)
	}
	for range 2 {
		if err := Reach(t.Context(), client, true, quick, waiting); err != nil {
			t.Errorf("making it: %v", err)
		}
	}
	if err := Reach(t.Context(), client, false, quick, waiting); err != nil {
		t.Errorf("a bucket that is there: %v", err)
	}
	if sown, err := Sow(t.Context(), grow(t), client); err != nil || sown.Records != 800 {
		t.Errorf("%+v, error %v", sown, err)
	}
}

func TestReachWaitsForAServerThatComesUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	var late *httptest.Server
	defer func() {
		if late != nil {
			late.Close()
		}
	}()
	told := 0
	err = Reach(t.Context(), open(t, "http://"+address), true, quick, func(why error) {
		told++
		if s3.KindOf(why) != s3.Unreachable {
			t.Errorf("waits because of: %v", why)
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		late = httptest.NewUnstartedServer(unkept(gofakes3.New(s3mem.New(), gofakes3.WithLogger(gofakes3.DiscardLog())).Server()))
		late.Listener.Close()
		late.Listener = l
		late.Start()
	})
	if err != nil || told != 1 {
		t.Errorf("told %d times, error %v", told, err)
	}
}

func TestReachGivesUpInTheEnd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	err = Reach(t.Context(), open(t, "http://"+address), true, Patience{Limit: 50 * time.Millisecond, Step: time.Millisecond}, func(error) {})
	if s3.KindOf(err) != s3.Unreachable || !strings.Contains(err.Error(), address) || !strings.Contains(err.Error(), "(waited 50ms)") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = Reach(ctx, open(t, "http://"+address), true, quick, func(error) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: error %v", err)
	}
}

package fetcher_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/stage"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
	"github.com/trailbell/trailbell/services/fetcher"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 2 * time.Minute

// objects is a bucket in memory. It fails in pairs: a body that breaks off, and
// an error instead of a body, each once an object.
type objects struct {
	mu     sync.Mutex
	bodies map[string][]byte
	refuse map[string]error // at the first attempt
	cut    map[string]int   // at the first attempt, after so many bytes
	opened map[string]int
	closed map[string]int
}

func (o *objects) Open(_ context.Context, bucket, key string) (io.ReadCloser, int64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if bucket != "b" {
		return nil, 0, fmt.Errorf("asked for bucket %q", bucket)
	}
	o.opened[key]++
	body, ok := o.bodies[key]
	switch {
	case !ok:
		return nil, 0, fmt.Errorf("%s: %w", key, fs.ErrNotExist)
	case o.opened[key] == 1 && o.refuse[key] != nil:
		o.closed[key]++
		return nil, 0, o.refuse[key]
	}
	var r io.Reader = bytes.NewReader(body)
	if n, ok := o.cut[key]; ok && o.opened[key] == 1 {
		r = io.MultiReader(io.LimitReader(r, int64(n)), broken{})
	}
	return &body1{Reader: r, close: func() { o.mu.Lock(); defer o.mu.Unlock(); o.closed[key]++ }}, int64(len(body)), nil
}

type body1 struct {
	io.Reader
	close func()
}

func (b *body1) Close() error { b.close(); return nil }

// broken is a connection that has gone.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset by peer") }

func zip(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func record(i int) string {
	return fmt.Sprintf(`{"eventTime":"2026-11-24T10:00:00Z","eventID":"id-%d","note":"%s"}`, i, strings.Repeat("x", 200))
}

func file(n int) string {
	var rs []string
	for i := range n {
		rs = append(rs, record(i))
	}
	return `{"Records":[` + strings.Join(rs, ",\n") + `]}`
}

// run fetches everything in o and returns the batches and dead letters by key.
func run(t *testing.T, o *objects, options fetcher.Options, keys ...string) (map[string][]*trailbellv1.RecordBatch, map[string][]*trailbellv1.DeadLetter) {
	t.Helper()
	o.opened, o.closed = map[string]int{}, map[string]int{}
	server := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, server)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- fetcher.Run(ctx, js, o, options, 2, prometheus.NewRegistry(), natstest.Quiet)
	}()
	source := stage.NewSource(js, "lister", stage.NewMetrics(prometheus.NewRegistry(), "lister", streams.Keys), natstest.Quiet)
	var refs []stage.Publication
	for _, k := range keys {
		ref, err := proto.Marshal(&trailbellv1.ObjectRef{Bucket: "b", Key: k, Account: "111122223333", Region: "eu-west-1"})
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, stage.Publication{Stream: streams.Keys, Subject: streams.KeysSubject("b"), ID: streams.ObjectID("b", k), Data: ref})
	}
	if err := source.Publish(t.Context(), refs); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(patience)
	for natstest.Messages(t, js, streams.Keys) > 0 {
		select {
		case err := <-done:
			t.Fatalf("Run ended with %v", err)
		case <-deadline:
			t.Fatal("KEYS is not empty yet")
		case <-time.After(5 * time.Millisecond):
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run ended with %v", err)
	}
	for key, n := range o.opened {
		if o.closed[key] != n && o.bodies[key] != nil {
			t.Errorf("%s was opened %d times and closed %d times", key, n, o.closed[key])
		}
	}
	batches, dead := map[string][]*trailbellv1.RecordBatch{}, map[string][]*trailbellv1.DeadLetter{}
	each(t, js, streams.Batches, streams.BatchesSubject("111122223333", "eu-west-1"), func(data []byte) {
		b := &trailbellv1.RecordBatch{}
		if err := proto.Unmarshal(data, b); err != nil {
			t.Fatal(err)
		}
		batches[b.GetObject().GetKey()] = append(batches[b.GetObject().GetKey()], b)
	})
	each(t, js, streams.Dead, streams.AllDead, func(data []byte) {
		d := &trailbellv1.DeadLetter{}
		if err := proto.Unmarshal(data, d); err != nil {
			t.Fatal(err)
		}
		dead[d.GetObject().GetKey()] = append(dead[d.GetObject().GetKey()], d)
	})
	return batches, dead
}

func each(t *testing.T, js jetstream.JetStream, stream, subject string, visit func([]byte)) {
	t.Helper()
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	for next := uint64(1); ; {
		m, err := s.GetMsg(t.Context(), next, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		visit(m.Data)
		next = m.Sequence + 1
	}
}

// records of batches, each once, checked against the object.
func records(t *testing.T, object string, batches []*trailbellv1.RecordBatch) []string {
	t.Helper()
	var all []string
	for _, b := range batches {
		data, err := s2.Decode(nil, b.GetRecords())
		if err != nil {
			t.Fatal(err)
		}
		if got := object[b.GetOffset() : b.GetOffset()+uint64(b.GetSize())]; got != string(data) {
			t.Errorf("the slice at %d is not what stands there in the object", b.GetOffset())
		}
		for i, start := range b.GetStarts() {
			all = append(all, string(data[start:start+b.GetLengths()[i]]))
		}
	}
	return all
}

func TestAnObjectBecomesSlicesOfWholeRecords(t *testing.T) {
	text := file(100)
	batches, dead := run(t, &objects{bodies: map[string][]byte{"k": zip(t, text)}}, fetcher.Options{SliceBytes: 4 << 10}, "k")
	if len(batches["k"]) < 5 {
		t.Errorf("%d batches, want several", len(batches["k"]))
	}
	got := records(t, text, batches["k"])
	for i := range 100 {
		if i >= len(got) || got[i] != record(i) {
			t.Fatalf("record %d is missing or out of order; there are %d", i, len(got))
		}
	}
	if len(dead) > 0 {
		t.Errorf("dead letters: %v", dead)
	}
}

func TestWhatIsBrokenIsDeadAndTheRestGoesOn(t *testing.T) {
	whole := zip(t, file(50))
	for name, c := range map[string]struct {
		body    []byte
		reason  string
		records int
	}{
		"not gzip and not JSON":     {[]byte("hello"), "not JSON", 0},
		"empty":                     {[]byte{}, "empty", 0},
		"truncated gzip":            {whole[:len(whole)-20], "gzip", -1},
		"a digest":                  {zip(t, `{"digestStartTime":"2026-11-24T10:00:00Z","logFiles":[]}`), "digest", 0},
		"a record that is too long": {zip(t, `{"Records":[`+record(1)+`,{"a":"`+strings.Repeat("y", 2<<20)+`"},`+record(2)+`]}`), "more than", 2},
		"garbage behind":            {zip(t, file(3)+"garbage"), "follows", 3},
	} {
		t.Run(name, func(t *testing.T) {
			batches, dead := run(t, &objects{bodies: map[string][]byte{"bad": c.body, "good": zip(t, file(1))}}, fetcher.Options{}, "bad", "good")
			if len(dead["bad"]) != 1 || !strings.Contains(dead["bad"][0].GetReason(), c.reason) || dead["bad"][0].GetObject().GetBucket() != "b" {
				t.Errorf("dead letters %v, want one about %q", dead["bad"], c.reason)
			}
			n := 0
			for _, b := range batches["bad"] {
				n += len(b.GetStarts())
			}
			if c.records >= 0 && n != c.records {
				t.Errorf("%d records came through, want %d", n, c.records)
			}
			if len(batches["good"]) != 1 || len(dead["good"]) != 0 {
				t.Errorf("the object beside it: %d batches, %d dead letters", len(batches["good"]), len(dead["good"]))
			}
		})
	}
}

func TestAnObjectThatIsGoneIsDead(t *testing.T) {
	_, dead := run(t, &objects{bodies: map[string][]byte{}}, fetcher.Options{}, "gone")
	if len(dead["gone"]) != 1 {
		t.Errorf("dead letters: %v", dead)
	}
}

func TestAConnectionThatBreaksIsTriedAgain(t *testing.T) {
	text := file(200)
	body := zip(t, text)
	o := &objects{
		bodies: map[string][]byte{"cut": body, "refused": body},
		cut:    map[string]int{"cut": len(body) / 2},
		refuse: map[string]error{"refused": errors.New("connection refused")},
	}
	batches, dead := run(t, o, fetcher.Options{SliceBytes: 4 << 10}, "cut", "refused")
	for _, key := range []string{"cut", "refused"} {
		if got := records(t, text, batches[key]); len(got) != 200 {
			t.Errorf("%s: %d records, want each of the 200 once", key, len(got))
		}
	}
	if len(dead) > 0 {
		t.Errorf("dead letters: %v", dead)
	}
}

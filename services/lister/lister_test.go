package lister_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"go.uber.org/goleak"

	"github.com/trailbell/trailbell/internal/directory"
	"github.com/trailbell/trailbell/internal/s3"
	"github.com/trailbell/trailbell/services/lister"

	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	_ lister.Source = (*s3.Client)(nil)
	_ lister.Source = (*directory.Source)(nil)
)

// The whole way over S3's protocol, with the real client.
func TestABucketIsPolledOverS3(t *testing.T) {
	backend := s3mem.New()
	if err := backend.CreateBucket("trail"); err != nil {
		t.Fatal(err)
	}
	put := func(key string) {
		if _, err := backend.PutObject("trail", key, map[string]string{}, bytes.NewReader([]byte("x")), 1, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 1500 {
		put(log(alice, "eu-west-1", day(23), fmt.Sprintf("m%04d", i)))
	}
	put(log(bob, "us-east-1", day(24), "a"))
	put(log(bob, "us-east-1", day(2), "long ago"))

	var requests atomic.Int64
	fake := gofakes3.New(backend).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.Header().Set("Connection", "close")
		fake.ServeHTTP(w, r)
	}))
	defer server.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "A")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "S")
	client, err := s3.Open(t.Context(), s3.Bucket{Name: "trail", Endpoint: server.URL})
	if err != nil {
		t.Fatal(err)
	}

	r := newReader()
	l := lister.New(lister.Config{Bucket: "trail"}, client, newStore(t), r.publish)
	report, err := l.Poll(t.Context(), tuesday)
	if err != nil {
		t.Fatal(err)
	}
	// AWSLogs/ and two accounts, then two pages and one.
	if report.New != 1501 || report.Trails != 2 || report.Requests != 6 || requests.Load() != 6 {
		t.Errorf("report %+v, %d requests", report, requests.Load())
	}
	late := log(alice, "eu-west-1", day(23), "a late one that sorts first")
	put(late)
	r.refs = nil
	if _, err := l.Poll(t.Context(), tuesday.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	same(t, "late", r.keys(), late)
}

// Whatever the store holds, a poll reads it or says that it cannot.
func FuzzState(f *testing.F) {
	const dir = "AWSLogs/" + alice + "/CloudTrail/eu-west-1/"
	f.Add([]byte(`{"bucket":"trail","dir":"`+dir+`","from":"2026/11/22","window":"2026/11/22","days":["2026/11/24"]}`), []byte("12345678"))
	f.Add([]byte(`{"from":"2026/11/20","window":"2026/11/22","days":null,"history":{"from":"2026/11/01","after":"`+dir+`2026/11/03/x"}}`), []byte{})
	f.Add([]byte(`{"from":"","window":"0000/00/00"}`), []byte("123"))
	f.Add([]byte(`[]`), bytes.Repeat([]byte("x"), 70_000))
	f.Fuzz(func(t *testing.T, head, known []byte) {
		key := log(alice, "eu-west-1", day(24), "a")
		b, s, r := newBucket(key), newStore(t), newReader()
		config := lister.Config{Bucket: "trail", PageKeys: 1}
		// Learn the names from a run, then put something else there.
		if _, err := lister.New(config, b, s, r.publish).Poll(t.Context(), tuesday); err != nil {
			t.Fatal(err)
		}
		for name, value := range s.values {
			if json.Valid(value) && !bytes.Contains(value, []byte(`"root"`)) {
				s.values[name] = head
			} else if !json.Valid(value) {
				s.values[name] = known
			}
		}
		l := lister.New(config, b, s, r.publish)
		_, err := l.Poll(t.Context(), tuesday)
		if err == nil {
			_, _, err = l.History(t.Context(), 100)
		}
		if err != nil {
			return
		}
		// What was read is written back in a form that can be read.
		if _, err := lister.New(config, b, s, r.publish).Poll(t.Context(), tuesday); err != nil {
			t.Errorf("after a good poll: %v", err)
		}
	})
}

func ExampleScan() {
	bucket := newBucket(
		"AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/23/111122223333_CloudTrail_eu-west-1_20261123T2355Z_k8PxqN3vRt5Lw2Za.json.gz",
		"AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/24/111122223333_CloudTrail_eu-west-1_20261124T0005Z_Zw0b7QmLd2XyT4cE.json.gz",
	)
	since := lister.Range{Since: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)}
	estimate, err := lister.Scan(context.Background(), bucket, "trail", lister.Scope{}, since, nil)
	fmt.Println(estimate.New, "objects,", estimate.Bytes, "bytes,", estimate.Requests, "requests", err)
	// Output: 1 objects, 100 bytes, 3 requests <nil>
}

// A poll at which nothing is new: what a bucket costs all day long.
func BenchmarkPollWithoutNews(b *testing.B) {
	const n = 50_000
	bucket := newBucket()
	for i := range n {
		bucket.put(log(alice, "eu-west-1", day(22+i%3), fmt.Sprint(i)))
	}
	// The listing itself is not what is measured.
	listed := listedBucket{newBucket(log(alice, "eu-west-1", day(22), "a")), nil}
	for page := range bucket.Objects(b.Context(), "", "") {
		listed.pages = append(listed.pages, page)
	}
	publish := func(context.Context, []*trailbellv1.ObjectRef) error { return nil }
	l := lister.New(lister.Config{Bucket: "trail"}, listed, newStore(b), publish)
	if _, err := l.Poll(b.Context(), tuesday); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if report, err := l.Poll(b.Context(), tuesday); err != nil || report.New != 0 {
			b.Fatal(report, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/key")
}

package lister_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailbell/trailbell/internal/directory"
	"github.com/trailbell/trailbell/services/lister"
)

func TestAScanListsARangeByDelivery(t *testing.T) {
	keys := month(24)
	digest := strings.ReplaceAll(log(alice, "eu-west-1", day(10), "d"), "CloudTrail", "CloudTrail-Digest")
	at := func(d, hour, minute int) time.Time { return time.Date(2026, 11, d, hour, minute, 0, 0, time.UTC) }
	for _, test := range []struct {
		name  string
		span  lister.Range
		scope lister.Scope
		want  []string
	}{
		{"everything", lister.Range{}, lister.Scope{}, keys},
		{"since a day", lister.Range{Since: at(20, 0, 0)}, lister.Scope{}, keys[19:]},
		{"until a day", lister.Range{Until: at(3, 0, 0)}, lister.Scope{}, keys[:2]},
		{"from a day to another", lister.Range{Since: at(3, 0, 0), Until: at(5, 0, 0)}, lister.Scope{}, keys[2:4]},
		{"the minute of delivery is inside at the beginning", lister.Range{Since: at(3, 9, 30), Until: at(4, 9, 30)}, lister.Scope{}, keys[2:3]},
		{"a minute later it is not", lister.Range{Since: at(3, 9, 31), Until: at(4, 9, 31)}, lister.Scope{}, keys[3:4]},
		{"a day given as a prefix", lister.Range{}, lister.Scope{Prefix: "AWSLogs/" + alice + "/CloudTrail/eu-west-1/2026/11/07"}, keys[6:7]},
		{"nothing", lister.Range{Since: at(28, 0, 0)}, lister.Scope{}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, r := newBucket(append(keys, digest)...), newReader()
			b.page = 3
			estimate, err := lister.Scan(t.Context(), b, "trail", test.scope, test.span, nil)
			if err != nil {
				t.Fatal(err)
			}
			if estimate.New != len(test.want) || estimate.Bytes != int64(100*len(test.want)) || estimate.Requests != b.requests {
				t.Errorf("estimate %+v for %d objects and %d requests", estimate, len(test.want), b.requests)
			}
			report, err := lister.Scan(t.Context(), b, "trail", test.scope, test.span, r.publish)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(estimate, report); diff != "" {
				t.Errorf("the scan is not as estimated: %s", diff)
			}
			same(t, "published", r.keys(), test.want...)
		})
	}
}

func TestAScanEndsWithItsPublisher(t *testing.T) {
	r := newReader()
	r.after = 0
	if _, err := lister.Scan(t.Context(), newBucket(month(3)...), "trail", lister.Scope{}, lister.Range{}, r.publish); !errors.Is(err, errFault) {
		t.Errorf("error %v", err)
	}
}

func TestFilesAreScannedInAnyLayout(t *testing.T) {
	root := t.TempDir()
	write := func(name string) {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	key := log(alice, "eu-west-1", day(24), "a")
	write(key)
	write(strings.ReplaceAll(key, "CloudTrail", "CloudTrail-Digest"))
	write("copied/" + alice + "_CloudTrail-Insight_eu-west-1_20261124T0930Z_a.json.gz")
	write("copied/records.ndjson")
	source, err := directory.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	r := newReader()
	report, err := lister.ScanFiles(t.Context(), source, directory.Bucket, "", r.publish)
	if err != nil {
		t.Fatal(err)
	}
	want := lister.Report{Requests: 1, Listed: 4, New: 2, Bytes: 4, Ignored: 2, Newest: day(24)}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Error(diff)
	}
	if len(r.refs) != 2 {
		t.Fatalf("published %v", r.keys())
	}
	logRef, plain := r.refs[0], r.refs[1]
	if logRef.Account != alice || logRef.Bucket != "file" || !logRef.Delivered.AsTime().Equal(day(24)) {
		t.Errorf("the log: %v", logRef)
	}
	if plain.Account != "" || plain.Region != "" || plain.Delivered != nil || !strings.HasSuffix(plain.Key, "copied/records.ndjson") {
		t.Errorf("the file: %v", plain)
	}
}

package alert_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trailbell/trailbell/internal/alert"
)

func TestJSONComesBack(t *testing.T) {
	for _, want := range []alert.Alert{correlation(), detection()} {
		data, err := want.JSON()
		if err != nil {
			t.Fatal(err)
		}
		got, err := alert.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-written +read):\n%s", diff)
		}
	}
}

func TestJSONHasNoNullLists(t *testing.T) {
	data, err := alert.Alert{}.JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"event_ids":[]`, `"records":[]`, `"objects":[]`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("no %s in %s", want, data)
		}
	}
}

func TestJSONLeavesRecordsReadable(t *testing.T) {
	a := detection()
	record := `{"requestParameters":{"policy":"<a> & \"b\""}}`
	a.AddRecord([]byte(record), object, limits)
	data, err := a.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), record) {
		t.Errorf("the record is not as it was in %s", data)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{``, `[]`, `{}`, `{"id":"x"}`, `{"id":"x","revision":-1}`, `{"id":1,"revision":1}`} {
		if a, err := alert.Parse([]byte(in)); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", in, a)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, a := range []alert.Alert{correlation(), detection()} {
		data, err := a.JSON()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"id":"x","revision":1,"records":[null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := alert.Parse(data)
		if err != nil {
			return
		}
		again, err := a.JSON()
		if err != nil {
			t.Fatalf("an alert that was read cannot be written: %v", err)
		}
		if _, err := alert.Parse(again); err != nil {
			t.Fatalf("an alert that was written cannot be read: %v", err)
		}
	})
}

func TestIDs(t *testing.T) {
	if got := alert.DetectionID("rule", "event"); len(got) != 32 {
		t.Errorf("DetectionID = %q, want 32 digits", got)
	}
	if alert.DetectionID("ab", "c") == alert.DetectionID("a", "bc") {
		t.Error("parts run together")
	}
	if got := alert.CorrelationID("group", "event"); len(got) != len("group-")+16 || !strings.HasPrefix(got, "group-") {
		t.Errorf("CorrelationID = %q, want group- and 16 digits", got)
	}
	// Ids are stored for 90 days and must survive an upgrade.
	if got, want := alert.DetectionID("rule", "event"), "d93b0d4baf6ed46a8e8cda54a7f2adea"; got != want {
		t.Errorf("DetectionID = %q, was %q", got, want)
	}
}

func TestHeaders(t *testing.T) {
	a := correlation()
	a.Rule.ID = "müller/50% \"x\""
	want := map[string]string{
		"ce-specversion":     "1.0",
		"ce-id":              a.ID + "/2",
		"ce-source":          "/trailbell/rules/m%25C3%25BCller%252F50%2525%2520%2522x%2522",
		"ce-type":            "com.github.trailbell.alert.correlation",
		"ce-subject":         a.ID,
		"ce-time":            "2026-11-24T12:00:00Z",
		"ce-datacontenttype": "application/json",
	}
	if diff := cmp.Diff(want, a.Headers()); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

var limits = alert.DefaultLimits()

func TestAddRecordKeepsTheLimits(t *testing.T) {
	record := func(size int) []byte { return fmt.Appendf(nil, `{"x":%q}`, strings.Repeat("x", size-8)) }

	t.Run("20 records", func(t *testing.T) {
		var a alert.Alert
		for i := range limits.Records {
			if !a.AddRecord(record(100), object, limits) {
				t.Fatalf("record %d was refused", i+1)
			}
		}
		if a.AddRecord(record(100), object, limits) || len(a.Records) != limits.Records {
			t.Error("record 21 was taken")
		}
		if len(a.Objects) != 1 {
			t.Errorf("one object is listed %d times", len(a.Objects))
		}
	})
	t.Run("256 KiB", func(t *testing.T) {
		var a alert.Alert
		if !a.AddRecord(record(limits.RecordBytes-100), object, limits) || !a.AddRecord(record(100), object, limits) {
			t.Fatal("what fits exactly was refused")
		}
		if a.AddRecord(record(10), object, limits) {
			t.Error("a record above the limit was taken")
		}
	})
	t.Run("valid JSON", func(t *testing.T) {
		var a alert.Alert
		if a.AddRecord([]byte(`{"x":`), object, limits) || len(a.Records)+len(a.Objects) != 0 {
			t.Error("half a record was taken")
		}
	})
	t.Run("valid UTF-8", func(t *testing.T) {
		var a alert.Alert
		a.AddRecord([]byte("{\"x\":\"\xff\"}"), object, limits)
		if want := []json.RawMessage{json.RawMessage("{\"x\":\"\uFFFD\"}")}; !slices.EqualFunc(want, a.Records, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
			t.Errorf("records = %q", a.Records)
		}
	})
}

func TestClipEventIDs(t *testing.T) {
	long := strings.Repeat("x", alert.MaxEventIDBytes/2)
	tests := []struct {
		name  string
		all   []string
		limit int
		want  []string
	}{
		{"all fit", []string{"a", "b"}, 2, []string{"a", "b"}},
		{"the first and the last", []string{"a", "b", "c", "d", "e"}, 4, []string{"a", "b", "d", "e"}},
		{"of an odd number one more of the first", []string{"a", "b", "c", "d", "e"}, 3, []string{"a", "b", "e"}},
		{"bytes count as JSON writes them", []string{"a", "b" + strings.Repeat("\x01", alert.MaxEventIDBytes/11), "c", "d" + strings.Repeat("\xff", alert.MaxEventIDBytes/11), "e"}, 9,
			[]string{"a", "b" + strings.Repeat("\x01", alert.MaxEventIDBytes/11), "e"}},
		{"bytes count as well", []string{"a", "b" + long, "c", "d" + long, "e"}, 9, []string{"a", "b" + long, "e"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, alert.ClipEventIDs(tt.all, tt.limit)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestClippingTwiceIsClippingOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOf(rapid.String()).Draw(t, "ids")
		limit := rapid.IntRange(1, 10).Draw(t, "limit")
		once := alert.ClipEventIDs(all, limit)
		if len(once) > limit {
			t.Fatalf("%d ids, limit %d", len(once), limit)
		}
		if diff := cmp.Diff(once, alert.ClipEventIDs(once, limit)); diff != "" {
			t.Fatal(diff)
		}
	})
}

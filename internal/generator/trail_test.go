package generator

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/trailbell/trailbell/internal/cloudtrail"
)

var (
	start = time.Date(2026, 3, 9, 6, 0, 0, 0, time.UTC)
	end   = time.Date(2026, 3, 9, 18, 0, 0, 0, time.UTC)
)

func grow(t testing.TB, options Options) *Trail {
	t.Helper()
	if options.Start.IsZero() {
		options.Start, options.End = start, end
	}
	trail, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	return trail
}

// read takes an object apart with the code that reads real ones.
func read(t testing.TB, o Object) (records [][]byte, hot []cloudtrail.Hot) {
	t.Helper()
	content, err := cloudtrail.Open(bytes.NewReader(o.Body), cloudtrail.OpenOptions{})
	if err != nil {
		t.Fatalf("%s: %v", o.Key, err)
	}
	defer content.Close()
	cutter := cloudtrail.NewCutter(content, cloudtrail.CutterOptions{Bad: func(b cloudtrail.BadRecord) error {
		return fmt.Errorf("bad record at %d: %s", b.Offset, b.Reason)
	}})
	for {
		slice, err := cutter.Next()
		if err == io.EOF {
			return records, hot
		}
		if err != nil {
			t.Fatalf("%s: %v", o.Key, err)
		}
		for i := range slice.Starts {
			record := bytes.Clone(slice.Record(i))
			h, err := cloudtrail.Decode(record, cloudtrail.Origin{Bucket: "b", Key: o.Key, Offset: slice.Offset + uint64(slice.Starts[i])})
			if err != nil {
				t.Fatalf("%s: record %d: %v\n%s", o.Key, i, err, record)
			}
			records, hot = append(records, record), append(hot, h)
		}
	}
}

// TestTrailLooksLikeARealOne: the figures were measured over real logs.
func TestTrailLooksLikeARealOne(t *testing.T) {
	trail := grow(t, Options{
		Seed: 1, Records: 60_000,
		Accounts: []string{"111122223333", "444455556666"}, Regions: []string{"eu-west-1", "us-east-1"},
	})
	var (
		sizes, files                    []int
		readOnly, failed, null, named   int
		plain, packed, unsorted, oldest int
		deepest                         int
		services, names, identities     = map[string]int{}, map[string]int{}, map[string]int{}
	)
	for o := range trail.Objects() {
		records, hot := read(t, o)
		if len(records) != o.Records {
			t.Fatalf("%s: %d records, and %d are said", o.Key, len(records), o.Records)
		}
		key, err := cloudtrail.ParseKey(o.Key)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, o.Records)
		plain += o.Bytes
		packed += len(o.Body)
		if !slices.IsSortedFunc(hot, func(a, b cloudtrail.Hot) int { return int(a.Time - b.Time) }) {
			unsorted++
		}
		for i, record := range records {
			h := hot[i]
			if string(h.Account) != key.Account || string(h.Region) != key.Region {
				t.Fatalf("%s: a record of %s in %s", o.Key, h.Account, h.Region)
			}
			age := int(key.Delivered.Sub(time.UnixMilli(h.Time)).Seconds())
			if age < 0 {
				t.Fatalf("%s: an event of %s", o.Key, time.UnixMilli(h.Time).UTC())
			}
			oldest = max(oldest, age)
			sizes = append(sizes, len(record))
			r := gjson.ParseBytes(record)
			if r.Get("readOnly").Bool() {
				readOnly++
			}
			if r.Get("errorCode").Exists() {
				failed++
			}
			if r.Get("responseElements").Type == gjson.Null {
				null++
			}
			if strings.HasSuffix(r.Get("sourceIPAddress").Str, ".amazonaws.com") {
				named++
			}
			services[string(h.Source)]++
			names[string(h.Name)]++
			identities[r.Get("userIdentity.type").Str]++
			depth := deep(record)
			deepest = max(deepest, depth)
		}
	}
	n := len(sizes)
	if n != 60_000 {
		t.Errorf("%d records, want 60000", n)
	}
	slices.Sort(sizes)
	slices.Sort(files)
	for _, tt := range []struct {
		what     string
		got      float64
		from, to float64
	}{
		{"mean size of a record", mean(sizes), 1261 * 0.97, 1261 * 1.03},
		{"median size", float64(sizes[n/2]), 1174 * 0.95, 1174 * 1.05},
		{"99th percentile of the sizes", float64(sizes[n*99/100]), 2303 * 0.93, 2303 * 1.07},
		{"read only, share", share(readOnly, n), 0.78, 0.82},
		{"with an errorCode, share", share(failed, n), 0.09, 0.11},
		{"responseElements null, share", share(null, n), 0.87, 0.91},
		{"sourceIPAddress that is a service, share", share(named, n), 0.11, 0.13},
		{"mean of the records in a file", mean(files), 47, 59},
		{"median of the records in a file", float64(files[len(files)/2]), 16, 24},
		{"most records in a file", float64(files[len(files)-1]), 350, 394},
		{"files that are not in order, share", share(unsorted, len(files)), 0.52, 0.68},
		{"compression", share(plain, packed), 8.6 * 0.93, 8.6 * 1.07},
		{"greatest age of an event in s", float64(oldest), 880, 900},
		{"greatest depth", float64(deepest), 11, 12},
		{"distinct services", float64(len(services)), 18, 40},
		{"distinct calls", float64(len(names)), 40, 100},
		{"kinds of identity", float64(len(identities)), 3, 3},
	} {
		if tt.got < tt.from || tt.got > tt.to {
			t.Errorf("%s: got %.4g, want %.4g to %.4g", tt.what, tt.got, tt.from, tt.to)
		}
	}
}

func mean(of []int) float64 {
	sum := 0
	for _, n := range of {
		sum += n
	}
	return share(sum, len(of))
}

func share(part, whole int) float64 { return float64(part) / float64(whole) }

// deep is how deep a record is nested, itself counted.
func deep(record []byte) int {
	depth, most, inside := 0, 0, false
	for i, c := range record {
		switch {
		case c == '"' && record[i-1] != '\\':
			inside = !inside
		case inside:
		case c == '{' || c == '[':
			depth++
			most = max(most, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return most
}

// fingerprint is the hash of all bytes of a trail.
func fingerprint(trail *Trail) string {
	h := sha256.New()
	for o := range trail.Objects() {
		fmt.Fprintln(h, o.Key, o.Records, o.Bytes, len(o.Body))
		h.Write(o.Body)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func TestTheSameOptionsGiveTheSameBytes(t *testing.T) {
	options := Options{Seed: 7, Records: 3000, Attacks: Attacks()}
	one, other := grow(t, options), grow(t, options)
	if diff := cmp.Diff(one.Planted(), other.Planted()); diff != "" {
		t.Errorf("planted (-one +other)\n%s", diff)
	}
	want := fingerprint(one)
	if got := fingerprint(other); got != want {
		t.Error("another trail of the same options has other bytes")
	}
	if got := fingerprint(one); got != want {
		t.Error("the same trail walked again has other bytes")
	}
	options.Seed = 8
	if fingerprint(grow(t, options)) == want {
		t.Error("another seed gives the same bytes")
	}
}

// TestPlantedIsThere: every planted record is in the trail once, where and when
// it is said to be, and no other record is of its kind.
func TestPlantedIsThere(t *testing.T) {
	trail := grow(t, Options{
		Seed: 3, Records: 5000, Attacks: Attacks(), Prefix: "audit", Organization: "o-exampleorgid",
		Accounts: []string{"111122223333", "444455556666"}, Regions: []string{"eu-west-1", "us-east-1", "ap-south-1"},
	})
	type place struct {
		object string
		record gjson.Result
	}
	found := map[string]place{}
	suspicious := map[string]bool{}
	for o := range trail.Objects() {
		if !strings.HasPrefix(o.Key, "audit/AWSLogs/o-exampleorgid/") {
			t.Fatalf("key %s", o.Key)
		}
		records, hot := read(t, o)
		for i, record := range records {
			r, id := gjson.ParseBytes(record), string(hot[i].Identity)
			if at, twice := found[id]; twice {
				t.Fatalf("%s is in %s and in %s", id, at.object, o.Key)
			}
			found[id] = place{o.Key, r}
			if suspect(r) {
				suspicious[id] = true
			}
		}
	}

	objects := map[Attack]map[string]bool{}
	byRule := map[string]int{}
	for _, p := range trail.Planted() {
		byRule[p.Rule]++
		if len(p.EventIDs) == 0 {
			t.Fatalf("%+v names no record", p)
		}
		var at []time.Time
		sources := map[string]bool{}
		for _, id := range p.EventIDs {
			e, ok := found[id]
			if !ok {
				t.Fatalf("%s, %s: record %s is not in the trail", p.Attack, p.Rule, id)
			}
			delete(suspicious, id)
			r := e.record
			at = append(at, r.Get("eventTime").Time())
			sources[r.Get("sourceIPAddress").Str] = true
			if r.Get("recipientAccountId").Str != p.Account || r.Get("awsRegion").Str != p.Region {
				t.Errorf("%s, %s: record %s is in another account or region", p.Attack, p.Rule, id)
			}
			if objects[p.Attack] == nil {
				objects[p.Attack] = map[string]bool{}
			}
			objects[p.Attack][e.object] = true
		}
		if !slices.IsSortedFunc(at, time.Time.Compare) || !at[0].Equal(p.First) || !at[len(at)-1].Equal(p.Last) {
			t.Errorf("%s, %s: the records are at %v, and %s to %s is said", p.Attack, p.Rule, at, p.First, p.Last)
		}
		if (p.SourceIP == "") != (len(sources) > 1) || p.SourceIP != "" && !sources[p.SourceIP] {
			t.Errorf("%s, %s: the records are from %v, and %q is said", p.Attack, p.Rule, slices.Collect(maps.Keys(sources)), p.SourceIP)
		}
	}
	if len(suspicious) > 0 {
		t.Errorf("%d records would ring and are not planted: %v", len(suspicious), suspicious)
	}
	for _, attack := range []Attack{BruteForce, BruteForceAtBorder, SlowFailures, BruteForceSpread} {
		if len(objects[attack]) < 3 {
			t.Errorf("%s is in %d objects, want 3", attack, len(objects[attack]))
		}
	}
	want := map[string]int{
		"console_login_failure": 22, "console_login_success": 3, "console_login_without_mfa": 2,
		"console_brute_force": 2, "console_brute_force_account": 3, "run_instances": 1, "terminate_instances": 1,
		"trail_tampering": 2, "trail_changed": 2, "root_activity": 2, "root_console_login_without_mfa": 1, "security_group_open_to_world": 2,
	}
	if diff := cmp.Diff(want, byRule); diff != "" {
		t.Errorf("alerts by rule (-want +got)\n%s", diff)
	}
}

// suspect reports whether a record is of a kind that shipped rules are about, put
// more broadly than they put it.
func suspect(r gjson.Result) bool {
	if r.Get("userIdentity.type").Str == "Root" || strings.Contains(r.Raw, `"0.0.0.0/0"`) || strings.Contains(r.Raw, `"::/0"`) {
		return true
	}
	switch r.Get("eventName").Str {
	case "ConsoleLogin", "RunInstances", "TerminateInstances", "StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors":
		return true
	}
	return false
}

func TestBruteForceIsAsLongAsItIsSaidToBe(t *testing.T) {
	for _, tt := range []struct {
		attack   Attack
		from, to time.Duration
		sources  int
	}{
		{BruteForce, 0, 360 * time.Second, 1},
		{BruteForceAtBorder, 360 * time.Second, 360 * time.Second, 1},
		{SlowFailures, 361 * time.Second, 361 * time.Second, 1},
		{BruteForceSpread, 0, 360 * time.Second, 5},
	} {
		for seed := range uint64(50) {
			trail := grow(t, Options{Seed: seed, Records: 100, Attacks: []Attack{tt.attack}})
			planted := trail.Planted()
			sources := map[string]bool{}
			for _, p := range planted[:5] {
				sources[p.SourceIP] = true
			}
			if d := planted[4].Last.Sub(planted[0].First); d < tt.from || d > tt.to || len(sources) != tt.sources {
				t.Errorf("%s, seed %d: %s long from %d addresses", tt.attack, seed, d, len(sources))
			}
		}
	}
}

func TestEveryNumberOfRecordsIsKept(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options Options
		objects int // -1: any
	}{
		{"none", Options{}, 0},
		{"one", Options{Records: 1}, 1},
		{"files of 50", Options{Records: 1030, RecordsPerFile: 50}, 21},
		{"files of 2000", Options{Records: 4000, RecordsPerFile: 2000}, 2},
		{"nothing but what is planted", Options{Records: 36, Attacks: Attacks()}, -1},
		{"planted among large files", Options{Records: 6000, RecordsPerFile: 2000, Attacks: Attacks()}, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			objects, records := 0, 0
			keys := map[string]bool{}
			var last time.Time
			for o := range grow(t, tt.options).Objects() {
				objects++
				records += o.Records
				keys[o.Key] = true
				key, err := cloudtrail.ParseKey(o.Key)
				if err != nil {
					t.Fatal(err)
				}
				if key.Delivered.Before(last) || key.Delivered.Before(start) || key.Delivered.After(end) {
					t.Errorf("an object delivered at %s behind one of %s", key.Delivered, last)
				}
				last = key.Delivered
			}
			if records != tt.options.Records || len(keys) != objects || tt.objects >= 0 && objects != tt.objects {
				t.Errorf("%d records in %d objects with %d keys, want %d in %d", records, objects, len(keys), tt.options.Records, tt.objects)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options Options
		want    string
	}{
		{"an end before the start", Options{Start: end, End: start}, "end"},
		{"a negative number", Options{Start: start, End: end, Records: -1}, "negative"},
		{"an account that is none", Options{Start: start, End: end, Accounts: []string{"12"}}, `"12"`},
		{"an attack that is none", Options{Start: start, End: end, Records: 9, Attacks: []Attack{"tea"}}, `"tea"`},
		{"fewer records than are planted", Options{Start: start, End: end, Records: 4, Attacks: []Attack{BruteForce}}, "4 records do not hold the 5"},
		{"too little time for one attack", Options{Start: start, End: start.Add(12 * time.Minute), Records: 9, Attacks: []Attack{BruteForce}}, "13 minutes"},
		{"too little time between attacks", Options{Start: start, End: start.Add(30 * time.Minute), Records: 9, Attacks: []Attack{StopLogging, BruteForce, BruteForce}}, "3 attacks on 1 accounts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(tt.options)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error about %q", err, tt.want)
			}
		})
	}
}

func BenchmarkObjects(b *testing.B) {
	for _, perFile := range []int{50, 2000} {
		b.Run(fmt.Sprintf("files of %d", perFile), func(b *testing.B) {
			const records = 20_000
			trail := grow(b, Options{Seed: 1, Records: records, RecordsPerFile: perFile, Start: start, End: end})
			b.ReportAllocs()
			for b.Loop() {
				bytes := 0
				for o := range trail.Objects() {
					bytes += o.Bytes
				}
				b.SetBytes(int64(bytes))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*records), "ns/record")
		})
	}
}

func ExampleTrail() {
	trail, err := New(Options{
		Seed: 1, Records: 500,
		Start:   time.Date(2026, 3, 9, 12, 0, 0, 0, time.UTC),
		End:     time.Date(2026, 3, 9, 13, 0, 0, 0, time.UTC),
		Attacks: []Attack{StopLogging},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	records := 0
	for o := range trail.Objects() {
		records += o.Records // and put o.Body under o.Key into a bucket
	}
	fmt.Println(records, "records")
	for _, p := range trail.Planted() {
		fmt.Println(p.Rule, p.Account, p.Region, p.SourceIP)
	}
	// Output:
	// 500 records
	// trail_tampering 111122223333 us-east-1 203.0.113.1
}

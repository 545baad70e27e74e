package cloudtrail

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func day(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

const logKey = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/09/111122223333_CloudTrail_eu-west-1_20260309T1455Z_k8PxqN3vRt5Lw2Za.json.gz"

func TestParseKey(t *testing.T) {
	log := Key{
		Account: "111122223333", Kind: KindLog, Region: "eu-west-1", Day: day(2026, 3, 9),
		Delivered: time.Date(2026, 3, 9, 14, 55, 0, 0, time.UTC), Suffix: "k8PxqN3vRt5Lw2Za",
	}
	with := func(change func(*Key)) Key {
		k := log
		change(&k)
		return k
	}
	for _, tt := range []struct {
		name string
		key  string
		want Key
	}{
		{"a trail of one account", logKey, log},
		{"a prefix", "team/audit/" + logKey, with(func(k *Key) { k.Prefix = "team/audit/" })},
		{"a prefix that itself holds AWSLogs", "AWSLogs/old/" + logKey, with(func(k *Key) { k.Prefix = "AWSLogs/old/" })},
		{"a prefix that is a slash", "/" + logKey, with(func(k *Key) { k.Prefix = "/" })},
		{
			"an organization trail",
			strings.Replace(logKey, "AWSLogs/", "AWSLogs/o-exampleorgid/", 1),
			with(func(k *Key) { k.Organization = "o-exampleorgid" }),
		},
		{
			"a region of the government cloud",
			strings.ReplaceAll(logKey, "eu-west-1", "us-gov-west-1"),
			with(func(k *Key) { k.Region = "us-gov-west-1" }),
		},
		{
			"an insight beside the logs",
			strings.ReplaceAll(strings.ReplaceAll(logKey, "/CloudTrail/", "/CloudTrail-Insight/"), "_CloudTrail_", "_CloudTrail-Insight_"),
			with(func(k *Key) { k.Kind = KindInsight }),
		},
		{
			"a digest of a trail with an underscore in its name",
			"AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/03/09/111122223333_CloudTrail-Digest_eu-west-1_my_trail_us-east-1_20260309T145531Z.json.gz",
			with(func(k *Key) {
				k.Kind = KindDigest
				k.Delivered = time.Date(2026, 3, 9, 14, 55, 31, 0, time.UTC)
				k.Suffix = "my_trail_us-east-1"
			}),
		},
		{
			"a file delivered a minute after midnight that lies in the day before",
			strings.Replace(logKey, "20260309T1455Z", "20260310T0001Z", 1),
			with(func(k *Key) { k.Delivered = time.Date(2026, 3, 10, 0, 1, 0, 0, time.UTC) }),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseKey(tt.key)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if got.String() != tt.key {
				t.Errorf("written back:\n got %s\nwant %s", got, tt.key)
			}
			if want := tt.want.Kind == KindLog; got.IsLog() != want {
				t.Errorf("IsLog: got %v, want %v", got.IsLog(), want)
			}
		})
	}
}

func TestParseKeySaysWhatIsWrong(t *testing.T) {
	for _, tt := range []struct {
		name string
		key  string
		want string // part of the error
	}{
		{"nothing", "", "account"},
		{"a file of somebody else", "holiday/photo.jpg", "account"},
		{"no folder AWSLogs", strings.Replace(logKey, "AWSLogs/", "logs/", 1), "AWSLogs"},
		{"AWSLogs only as the end of a name", "my" + logKey, "AWSLogs"},
		{"an account of 11 digits", strings.ReplaceAll(logKey, "111122223333", "11112222333"), "12 digits"},
		{"a folder of another service", strings.Replace(logKey, "/CloudTrail/", "/Config/", 1), `"Config"`},
		{"a kind that only begins like one", strings.Replace(logKey, "/CloudTrail/", "/CloudTrails/", 1), `"CloudTrails"`},
		{"no region", strings.Replace(logKey, "/eu-west-1/", "/Europe/", 1), `"Europe"`},
		{"the 30th of February", strings.Replace(logKey, "2026/03/09", "2026/02/30", 1), "2026/02/30"},
		{"not gzip by name", strings.TrimSuffix(logKey, ".gz"), ".json.gz"},
		{"another account in the file name", strings.Replace(logKey, "/111122223333_", "/444455556666_", 1), "111122223333_CloudTrail_eu-west-1_"},
		{"a stamp with seconds", strings.Replace(logKey, "T1455Z", "T145500Z", 1), "20260309T145500Z"},
		{"a 25th hour", strings.Replace(logKey, "T1455Z", "T2555Z", 1), "T2555Z"},
		{"no random part", strings.Replace(logKey, "_k8PxqN3vRt5Lw2Za", "", 1), "random part"},
		{"an organization in capitals", strings.Replace(logKey, "AWSLogs/", "AWSLogs/o-EXAMPLEORG/", 1), "AWSLogs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseKey(tt.key)
			if err == nil {
				t.Fatalf("no error, but %+v", got)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error does not name %q: %v", tt.want, err)
			}
		})
	}
}

func TestFolders(t *testing.T) {
	k := Key{Prefix: "audit", Organization: "o-exampleorgid", Account: "111122223333", Region: "eu-west-1", Day: day(2026, 3, 9)}
	for _, tt := range []struct{ name, got, want string }{
		{"root without anything", Key{}.RootDir(), "AWSLogs/"},
		{"root below a prefix with its slash", Key{Prefix: "audit/"}.RootDir(), "audit/AWSLogs/"},
		{"root", k.RootDir(), "audit/AWSLogs/o-exampleorgid/"},
		{"account", k.AccountDir(), "audit/AWSLogs/o-exampleorgid/111122223333/"},
		{"the logs, when no kind is said", k.KindDir(), "audit/AWSLogs/o-exampleorgid/111122223333/CloudTrail/"},
		{"the digests", Key{Account: "111122223333", Kind: KindDigest}.KindDir(), "AWSLogs/111122223333/CloudTrail-Digest/"},
		{"region", k.RegionDir(), "audit/AWSLogs/o-exampleorgid/111122223333/CloudTrail/eu-west-1/"},
		{"day", k.DayDir(), "audit/AWSLogs/o-exampleorgid/111122223333/CloudTrail/eu-west-1/2026/03/09/"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, tt.got, tt.want)
		}
	}
}

// FuzzParseKey: what is accepted is given back as it was, and names the folder
// that it lies in.
func FuzzParseKey(f *testing.F) {
	f.Add(logKey)
	f.Add("audit/" + logKey)
	f.Add("AWSLogs/o-exampleorgid/111122223333/CloudTrail-Digest/eu-west-1/2026/03/09/111122223333_CloudTrail-Digest_eu-west-1_t_us-east-1_20260309T145531Z.json.gz")
	f.Add("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/13/40/x.json.gz")
	f.Fuzz(func(t *testing.T, key string) {
		k, err := ParseKey(key)
		if err != nil {
			return
		}
		if k.String() != key {
			t.Errorf("written back:\n got %q\nwant %q", k, key)
		}
		if !strings.HasPrefix(key, k.DayDir()) {
			t.Errorf("%q does not lie in %q", key, k.DayDir())
		}
	})
}

func ExampleParseKey() {
	key := "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/09/111122223333_CloudTrail_eu-west-1_20260309T1455Z_k8PxqN3vRt5Lw2Za.json.gz"
	k, err := ParseKey(key)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(k.Account, k.Region, k.Delivered.Format(time.RFC3339), k.IsLog())
	// Output: 111122223333 eu-west-1 2026-03-09T14:55:00Z true
}

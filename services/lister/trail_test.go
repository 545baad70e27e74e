package lister_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/trailbell/trailbell/services/lister"
)

const organization = "o-exampleorgid"

func dirs(trails []lister.Trail) []string {
	var dirs []string
	for _, trail := range trails {
		dirs = append(dirs, trail.Dir)
	}
	return dirs
}

func TestTrailsAreFoundByTheirFolders(t *testing.T) {
	key := log(alice, "eu-west-1", day(24), "a")
	member := strings.Replace(key, "AWSLogs/", "AWSLogs/"+organization+"/", 1)
	const (
		west  = "AWSLogs/" + alice + "/CloudTrail/eu-west-1/"
		east  = "AWSLogs/" + alice + "/CloudTrail/us-east-1/"
		other = "AWSLogs/" + bob + "/CloudTrail/eu-west-1/"
		deep  = "AWSLogs/" + organization + "/" + alice + "/CloudTrail/eu-west-1/"
	)
	plain := []string{key, log(alice, "us-east-1", day(24), "a"), log(bob, "eu-west-1", day(24), "a")}
	for _, test := range []struct {
		name  string
		keys  []string
		scope lister.Scope
		want  []string
	}{
		{"accounts and regions", plain, lister.Scope{}, []string{west, east, other}},
		{"an organization", []string{member}, lister.Scope{}, []string{deep}},
		{"an organization beside accounts", append(plain, member), lister.Scope{}, []string{west, east, other, deep}},
		{"below a prefix", []string{"audit/" + key}, lister.Scope{Prefix: "audit"}, []string{"audit/" + west}},
		{"a prefix with its slash", []string{"audit/" + key}, lister.Scope{Prefix: "audit/"}, []string{"audit/" + west}},
		{"a prefix with slashes all around", []string{"a/b/" + key}, lister.Scope{Prefix: "/a/b//"}, []string{"a/b/" + west}},
		{"AWSLogs given as the prefix", plain, lister.Scope{Prefix: "AWSLogs"}, []string{west, east, other}},
		{"AWSLogs at the end of the prefix", []string{"audit/" + key}, lister.Scope{Prefix: "audit/AWSLogs/"}, []string{"audit/" + west}},
		{"an account at the end of the prefix", plain, lister.Scope{Prefix: "AWSLogs/" + bob}, []string{other}},
		{"a region at the end of the prefix", plain, lister.Scope{Prefix: east}, []string{east}},
		{"a day at the end of the prefix", plain, lister.Scope{Prefix: east + "2026/11/24"}, []string{east}},
		{"an organization at the end of the prefix", append(plain, member), lister.Scope{Prefix: "AWSLogs/" + organization}, []string{deep}},
		{"accounts chosen", append(plain, member), lister.Scope{Accounts: []string{alice}}, []string{west, east, deep}},
		{"regions chosen", plain, lister.Scope{Regions: []string{"us-east-1"}}, []string{east}},
		{"folders that are no accounts", append(plain, "AWSLogs/elb/x", "AWSLogs/1234/CloudTrail/eu-west-1/x"), lister.Scope{}, []string{west, east, other}},
		{"siblings of CloudTrail", []string{key, strings.ReplaceAll(key, "CloudTrail", "CloudTrail-Digest")}, lister.Scope{}, []string{west}},
	} {
		t.Run(test.name, func(t *testing.T) {
			trails, report, err := lister.Discover(t.Context(), newBucket(test.keys...), test.scope)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "trails", dirs(trails), test.want...)
			if report.Trails != len(trails) || report.Requests < 2 {
				t.Errorf("report %+v", report)
			}
		})
	}
}

func TestATrailSaysWhoseItIs(t *testing.T) {
	member := strings.Replace(log(alice, "eu-west-1", day(24), "a"), "AWSLogs/", "AWSLogs/"+organization+"/", 1)
	trails, _, err := lister.Discover(t.Context(), newBucket(member), lister.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	want := lister.Trail{Organization: organization, Account: alice, Region: "eu-west-1", Dir: "AWSLogs/" + organization + "/" + alice + "/CloudTrail/eu-west-1/"}
	if len(trails) != 1 || trails[0] != want {
		t.Errorf("got %+v", trails)
	}
}

func TestABucketWithoutTrailsSaysWhatIsThere(t *testing.T) {
	key := log(alice, "eu-west-1", day(24), "a")
	for _, test := range []struct {
		name  string
		keys  []string
		scope lister.Scope
		says  string
	}{
		{"an empty bucket", nil, lister.Scope{}, `below "AWSLogs/"; the bucket has no folders at all`},
		{"logs below a prefix", []string{"audit/" + key, "billing/x"}, lister.Scope{}, `try --prefix "audit"`},
		{"logs below another prefix", []string{"audit/" + key}, lister.Scope{Prefix: "adit"}, `below "adit/AWSLogs/"; try --prefix "audit"`},
		{"logs at the top after all", []string{key}, lister.Scope{Prefix: "audit"}, `try --prefix ""`},
		{"no logs anywhere", []string{"billing/x", "pictures/y"}, lister.Scope{}, "the folders billing/, pictures/"},
		{"only other logs of AWS", []string{"AWSLogs/" + alice + "/elasticloadbalancing/x"}, lister.Scope{}, "the folders AWSLogs/"},
		{"other accounts", []string{key}, lister.Scope{Accounts: []string{bob}}, "there are others: " + alice},
		{"very many folders", strings.Fields("a/1 b/1 c/1 d/1 e/1 f/1 g/1 h/1 i/1 j/1 k/1 l/1"), lister.Scope{}, "j/ and 2 more"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBucket(test.keys...)
			_, report, err := lister.Discover(t.Context(), b, test.scope)
			empty, ok := errors.AsType[*lister.Empty](err)
			if !ok || !strings.Contains(empty.Error(), test.says) {
				t.Errorf("error %v, want one that says %s", err, test.says)
			}
			if report.Requests != b.requests {
				t.Errorf("reported %d requests, made %d", report.Requests, b.requests)
			}
		})
	}
}

package check_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"go.uber.org/goleak"

	"github.com/trailbell/trailbell/internal/app"
	"github.com/trailbell/trailbell/internal/check"
	"github.com/trailbell/trailbell/internal/generator"
	"github.com/trailbell/trailbell/internal/s3"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is the time that every test is at.
var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// isolate keeps the machine's own AWS settings and home directory out.
func isolate(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{
		"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
		"AWS_ENDPOINT_URL_STS", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", dir)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "credentials"))
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// config is one that has nothing to complain about but what a test adds.
func config(t *testing.T) app.Config {
	t.Helper()
	c := app.DefaultConfig()
	c.DataDir = filepath.Join(t.TempDir(), "state", "trailbell")
	c.HTTP, c.NATS.Listen = "127.0.0.1:0", "127.0.0.1:0"
	return c
}

// run returns the sections by the first word of their title, for buckets by
// their name.
func run(t *testing.T, c app.Config) map[string]check.Section {
	t.Helper()
	return runInput(t, check.Input{Config: c, Now: now, Timeout: time.Minute})
}

func runInput(t *testing.T, in check.Input) map[string]check.Section {
	t.Helper()
	all := map[string]check.Section{}
	err := check.Run(t.Context(), in, func(s check.Section) {
		words := strings.FieldsFunc(s.Title, func(r rune) bool { return r == ' ' || r == ',' })
		name := words[0]
		if name == "Bucket" {
			name = words[1]
		}
		all[name] = s
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// expect compares a section with lines of "STATUS NAME: part of the text", in
// which STATUS is the mark that a person sees.
func expect(t *testing.T, s check.Section, want ...string) {
	t.Helper()
	marks := map[check.Status]string{check.OK: "✓", check.Odd: "!", check.Failed: "✗", check.Skipped: "-"}
	for i, item := range s.Items {
		line := fmt.Sprintf("%s %s: %s", marks[item.Status], item.Name, item.Text)
		if i >= len(want) {
			t.Errorf("%s: not expected: %s", s.Title, line)
			continue
		}
		head, part, _ := strings.Cut(want[i], ": ")
		if !strings.HasPrefix(line, head+": ") || !strings.Contains(item.Text, part) {
			t.Errorf("%s:\n got %s\nwant %s", s.Title, line, want[i])
		}
	}
	for _, missing := range want[min(len(s.Items), len(want)):] {
		t.Errorf("%s: missing: %s", s.Title, missing)
	}
}

// objects are those of a trail that ends at a time, by key.
func objects(t *testing.T, end time.Time, change ...func(*generator.Options)) map[string][]byte {
	t.Helper()
	o := generator.Options{Seed: 1, Records: 200, RecordsPerFile: 20, Start: end.Add(-6 * time.Hour), End: end}
	for _, f := range change {
		f(&o)
	}
	trail, err := generator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for o := range trail.Objects() {
		all[o.Key] = o.Body
	}
	return all
}

// serve runs an S3 server with a bucket "trail", in front of which refuse may
// answer instead.
func serve(t *testing.T, objects map[string][]byte, refuse func(http.ResponseWriter, *http.Request) bool) string {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("trail"); err != nil {
		t.Fatal(err)
	}
	for key, body := range objects {
		if _, err := backend.PutObject("trail", key, nil, strings.NewReader(string(body)), int64(len(body)), nil); err != nil {
			t.Fatal(err)
		}
	}
	fake := gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuse == nil || !refuse(w, r) {
			fake.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func deny(w http.ResponseWriter) bool {
	w.WriteHeader(http.StatusForbidden)
	_, _ = fmt.Fprint(w, "<Error><Code>AccessDenied</Code></Error>")
	return true
}

// lookAt checks the bucket "trail" of a server.
func lookAt(t *testing.T, endpoint string, change ...func(*app.Bucket)) check.Section {
	t.Helper()
	b := app.Bucket{Bucket: s3.Bucket{Name: "trail", Endpoint: endpoint}}
	for _, f := range change {
		f(&b)
	}
	c := config(t)
	c.Lister.Buckets = []app.Bucket{b}
	return run(t, c)[b.Name]
}

func TestAGoodBucketIsSeenThrough(t *testing.T) {
	isolate(t)
	endpoint := serve(t, objects(t, now, func(o *generator.Options) {
		o.Organization = "o-exampleorg1"
		o.Accounts = []string{"111122223333", "444455556666"}
		o.Regions = []string{"eu-west-1", "us-east-1"}
	}), nil)
	expect(t, lookAt(t, endpoint),
		"✓ credentials: found",
		"- caller: not asked: "+endpoint+" is not AWS",
		"✓ list: 1 folder at the top, in region us-east-1",
		"✓ layout: 1 organization (o-exampleorg1), 2 accounts (111122223333, 444455556666), 2 regions (eu-west-1, us-east-1)",
		"✓ newest: delivered 2026-11-24 12:00 UTC, 0 min ago",
		"✓ get: 20 records, can be read",
	)
}

func TestABucketThatDoesNotExistStopsItsChecks(t *testing.T) {
	isolate(t)
	s := lookAt(t, serve(t, nil, nil), func(b *app.Bucket) { b.Name = "trial" })
	expect(t, s,
		"✓ credentials: found",
		"- caller: not asked",
		`✗ list: bucket "trial" does not exist (404 NoSuchBucket)`,
		`- layout: needs "list"`,
		`- newest: needs "list"`,
		`- get: needs "list"`,
	)
	if s.Failed() != 1 {
		t.Errorf("%d failed, want 1: what was skipped has not failed", s.Failed())
	}
}

func TestABucketThatMayNotBeListedSaysWhichPermissionIsMissing(t *testing.T) {
	isolate(t)
	endpoint := serve(t, nil, func(w http.ResponseWriter, _ *http.Request) bool { return deny(w) })
	expect(t, lookAt(t, endpoint),
		"✓ credentials: found",
		"- caller: not asked",
		"✗ list: access denied (403 AccessDenied) to s3:ListBucket",
		`- layout: needs "list"`,
		`- newest: needs "list"`,
		`- get: needs "list"`,
	)
}

func TestObjectsThatMayNotBeReadSayWhichPermissionIsMissing(t *testing.T) {
	isolate(t)
	endpoint := serve(t, objects(t, now), func(w http.ResponseWriter, r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, ".json.gz") && deny(w)
	})
	expect(t, lookAt(t, endpoint),
		"✓ credentials: found",
		"- caller: not asked",
		"✓ list: 1 folder",
		"✓ layout: 1 account (111122223333), 1 region (us-east-1)",
		"✓ newest: delivered 2026-11-24 12:00 UTC",
		"✗ get: access denied (403 AccessDenied) to s3:GetObject",
	)
}

func TestAMissingProfileNamesThoseThereAre(t *testing.T) {
	isolate(t)
	if err := os.WriteFile(os.Getenv("AWS_CONFIG_FILE"), []byte("[profile audit]\nregion = eu-west-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := lookAt(t, serve(t, nil, nil), func(b *app.Bucket) { b.Profile = "adit" })
	expect(t, s,
		`✗ credentials: profile "adit" is not in ~/config or ~/credentials; there are: audit`,
		`- caller: needs "credentials"`,
		`- list: needs "credentials"`,
		`- layout: needs "credentials"`,
		`- newest: needs "credentials"`,
		`- get: needs "credentials"`,
	)
	if want := "Bucket trail, profile adit, at http://127.0.0.1:"; !strings.HasPrefix(s.Title, want) {
		t.Errorf("the title is %q, want %s…", s.Title, want)
	}
}

func TestWhatIsWrongWithTheLayoutIsSaid(t *testing.T) {
	isolate(t)
	for _, c := range []struct {
		name    string
		objects map[string][]byte
		prefix  string
		want    string
	}{
		{"a prefix that was not given", objects(t, now, func(o *generator.Options) { o.Prefix = "audit/" }), "", `try --prefix "audit"`},
		{"a prefix that is wrong", objects(t, now), "audit", `try --prefix ""`},
		{"another bucket altogether", map[string][]byte{"photos/cat.jpg": []byte("x")}, "", "the bucket has the folders photos/"},
		{"nothing yet", nil, "", "the first files of a new trail take about 15 minutes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := lookAt(t, serve(t, c.objects, nil), func(b *app.Bucket) { b.Prefix = c.prefix })
			expect(t, s, "✓ credentials: found", "- caller: not asked", "✓ list: ", "✗ layout: "+c.want, "- newest: needs", "- get: needs")
		})
	}
}

func TestTheAgeOfTheNewestObjectIsJudged(t *testing.T) {
	isolate(t)
	for _, c := range []struct {
		name string
		end  time.Time
		want string
	}{
		{"an hour is usual", now.Add(-time.Hour), "✓ newest: delivered 2026-11-24 11:00 UTC, 1 h ago"},
		{"more is odd", now.Add(-61 * time.Minute), "! newest: delivered 2026-11-24 10:59 UTC, 1 h ago; CloudTrail delivers within about 15 minutes"},
		{"before the first day that is read", now.Add(-10 * 24 * time.Hour), "! newest: 10 days ago; CloudTrail delivers"},
		{"a minute ahead is nothing", now.Add(time.Minute), "✓ newest: delivered 2026-11-24 12:01 UTC, 0 min ago"},
		{"in the future", now.Add(5 * time.Hour), "! newest: which is in the future; set the clock of this machine"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := lookAt(t, serve(t, objects(t, c.end), nil))
			expect(t, s, "✓ credentials: ", "- caller: ", "✓ list: ", "✓ layout: ", c.want, "✓ get: ")
		})
	}
	s := lookAt(t, serve(t, objects(t, now.Add(-10*24*time.Hour)), nil))
	if text, want := s.Items[4].Text, "; `trailbell up` begins with 2026-11-22, --since takes an earlier day"; !strings.HasSuffix(text, want) {
		t.Errorf("got %q, which does not end in %q", text, want)
	}
}

func TestFoldersWithoutLogsAreAFailure(t *testing.T) {
	isolate(t)
	endpoint := serve(t, map[string][]byte{
		"AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/24/readme.txt": []byte("x"),
		"AWSLogs/111122223333/CloudTrail/eu-west-1/none":                  []byte("x"),
	}, nil)
	expect(t, lookAt(t, endpoint), "✓ credentials: ", "- caller: ", "✓ list: ", "✓ layout: ",
		"✗ newest: there are folders and no log object in them; see whether the trail is logging", `- get: needs "newest"`)
}

func TestAnObjectThatIsNoLogIsNamed(t *testing.T) {
	isolate(t)
	key := "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/24/111122223333_CloudTrail_us-east-1_20261124T1155Z_AbCdEfGhIjKlMnOp.json.gz"
	endpoint := serve(t, map[string][]byte{key: []byte("<html>")}, nil)
	expect(t, lookAt(t, endpoint), "✓ credentials: ", "- caller: ", "✓ list: ", "✓ layout: ", "✓ newest: ",
		"✗ get: s3://trail/"+key+": ")
}

func TestTheNewestIsFoundWhateverItsPlaceInTheOrderOfKeys(t *testing.T) {
	isolate(t)
	all := objects(t, now.Add(-26*time.Hour))
	// Later than all of them, in a region whose other days are older, and
	// behind a file of the same day that sorts after it.
	dir := "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/"
	for _, key := range []string{
		"01/31/111122223333_CloudTrail_eu-west-1_20260131T2300Z_ZZZZ.json.gz",
		"11/24/111122223333_CloudTrail_eu-west-1_20261124T1140Z_aaaa.json.gz",
		"11/24/111122223333_CloudTrail_eu-west-1_20261124T1125Z_zzzz.json.gz",
		"11/24/manifest.txt",
	} {
		all[dir+key] = []byte(`{"Records":[]}`)
	}
	expect(t, lookAt(t, serve(t, all, nil)), "✓ credentials: ", "- caller: ", "✓ list: ", "✓ layout: ",
		"✓ newest: delivered 2026-11-24 11:40 UTC, 20 min ago", "✓ get: 14 B, 0 records, can be read")
}

func TestOneBucketDoesNotTouchAnother(t *testing.T) {
	isolate(t)
	endpoint := serve(t, objects(t, now), nil)
	c := config(t)
	for _, name := range []string{"missing", "trail"} {
		c.Lister.Buckets = append(c.Lister.Buckets, app.Bucket{Bucket: s3.Bucket{Name: name, Endpoint: endpoint}})
	}
	all := run(t, c)
	if bad, good := all["missing"].Failed(), all["trail"].Failed(); bad != 1 || good != 0 {
		t.Errorf("%d checks of the missing bucket failed and %d of the other, want 1 and 0", bad, good)
	}
}

func TestAServerThatHangsIsGivenUp(t *testing.T) {
	isolate(t)
	release := make(chan struct{})
	endpoint := serve(t, nil, func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return true
	})
	defer close(release)
	c := config(t)
	c.Lister.Buckets = []app.Bucket{{Bucket: s3.Bucket{Name: "trail", Endpoint: endpoint}}}
	all := runInput(t, check.Input{Config: c, Now: now, Timeout: 2 * time.Second})
	expect(t, all["trail"], "✓ credentials: ", "- caller: ", "✗ list: did not answer in time; check --endpoint", "- layout: ", "- newest: ", "- get: ")
}

func TestAStopIsNoResult(t *testing.T) {
	isolate(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := check.Run(ctx, check.Input{Config: config(t), Now: now}, func(check.Section) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestBrokenRulesAreNamedOneByOne(t *testing.T) {
	isolate(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"good.yml":   "title: Good\nname: good\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n  s: {eventName: StopLogging}\n  condition: s\nlevel: high\n",
		"odd.yml":    "title: Odd\ncorrelation: {type: event_count, rules: good, group-by: eventSource, timespan: 5m, condition: {gte: 2}}\n",
		"broken.yml": "title: Broken\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n  s: {eventName: StopLogging}\n  condition: s and\nlevel: high\n",
		"other.yml":  "title: Other\nlogsource: {product: windows}\ndetection:\n  s: {a: b}\n  condition: s\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := config(t)
	c.Correlator.Rules = app.Rules{Paths: []string{dir}}
	expect(t, run(t, c)["Rules"],
		"✓ loaded: 1 rule and 1 correlation; 1 more are not for CloudTrail",
		"✗ broken: "+filepath.Join(dir, "broken.yml")+":5:",
		"! odd: "+filepath.Join(dir, "odd.yml")+":1: rule \"Odd\": rule \"good\" does not alert any more",
	)

	c.Correlator.Rules.Paths = []string{filepath.Join(dir, "nowhere")}
	expect(t, run(t, c)["Rules"], "✗ broken: "+filepath.Join(dir, "nowhere")+": no such file or directory; check --rules")
}

func TestAConfigurationWithErrorsIsAllThatIsLookedAt(t *testing.T) {
	all := runInput(t, check.Input{File: "trailbell.yaml", Err: errors.New("trailbell.yaml:1: one\ntrailbell.yaml:2: two")})
	expect(t, all["Configuration"], "✗ file: trailbell.yaml:1: one", "✗ file: trailbell.yaml:2: two")
	expect(t, all["Everything"], "- skipped: not looked at")
	if len(all) != 2 {
		t.Errorf("there are %d sections, want 2", len(all))
	}
}

func TestWhatIsEffectiveIsShown(t *testing.T) {
	isolate(t)
	dir := t.TempDir()
	c := config(t)
	c.HTTP = ""
	c.Lister.Buckets = []app.Bucket{{Bucket: s3.Bucket{Name: "trail", Prefix: "audit", Endpoint: serve(t, nil, nil)}}}
	c.Forwarder.Sinks = []app.Sink{
		{Name: "screen", Type: "stdout"},
		{Name: "archive", Type: "file", Path: filepath.Join(dir, "alerts.ndjson")},
		{Name: "lost", Type: "file", Path: filepath.Join(dir, "no", "such", "alerts.ndjson")},
	}
	all := runInput(t, check.Input{File: "trailbell.yaml", Config: c, Now: now})
	expect(t, all["Configuration"],
		"✓ file: trailbell.yaml",
		"✓ watch: s3://trail/audit from 2026-11-22, every 5m",
		"✓ alerts: screen: to stdout",
		"✓ alerts: archive: to file "+filepath.Join(dir, "alerts.ndjson"),
		"✗ alerts: lost: cannot write "+filepath.Join(dir, "no", "such", "alerts.ndjson")+": no such file or directory; make its directory",
		"✓ metrics: none, as --http is empty",
	)
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("a check left %v behind (%v)", entries, err)
	}
}

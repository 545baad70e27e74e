package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/trailbell/trailbell/internal/s3"
)

const day = "AWSLogs/123456789012/CloudTrail/eu-west-1/2026/11/24/"

// isolate keeps the machine's own AWS configuration out of a test, and gives
// it keys.
func isolate(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
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
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// serve starts a server and opens a client to it.
func serve(t *testing.T, handler http.Handler, edit ...func(*s3.Bucket)) *s3.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	b := s3.Bucket{Name: "trail", Endpoint: server.URL}
	for _, edit := range edit {
		edit(&b)
	}
	client, err := s3.Open(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// store is an S3 server in memory with a bucket of the given keys, each object
// holding its own key. It counts requests.
func store(t *testing.T, keys ...string) (http.Handler, *atomic.Int64) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("trail"); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		// CloudTrail sets this encoding on its objects.
		header := map[string]string{"Content-Encoding": "gzip", "Last-Modified": "Tue, 24 Nov 2026 10:00:00 GMT"}
		if _, err := backend.PutObject("trail", key, header, strings.NewReader(key), int64(len(key)), nil); err != nil {
			t.Fatal(err)
		}
	}
	fake, requests := gofakes3.New(backend).Server(), new(atomic.Int64)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		fake.ServeHTTP(w, r)
	}), requests
}

func collect(t *testing.T, c *s3.Client, prefix, startAfter string) (keys []string, pages int) {
	t.Helper()
	for page, err := range c.Objects(t.Context(), prefix, startAfter) {
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, o := range page {
			keys = append(keys, o.Key)
		}
	}
	return keys, pages
}

func TestObjectsPagesThroughAllKeysInOrder(t *testing.T) {
	isolate(t)
	var want []string
	for i := range 2500 {
		want = append(want, fmt.Sprintf("%sfile-%04d.json.gz", day, i))
	}
	handler, requests := store(t, append([]string{"AWSLogs/other"}, want...)...)
	client := serve(t, handler)

	got, pages := collect(t, client, day, "")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if pages != 3 || requests.Load() != 3 {
		t.Errorf("2500 keys took %d pages and %d requests, want 3 and 3", pages, requests.Load())
	}
}

func TestObjectsStartsAfterTheGivenKey(t *testing.T) {
	isolate(t)
	handler, _ := store(t, "a/1", "a/2", "a/3", "b/1")
	got, _ := collect(t, serve(t, handler), "a/", "a/1")
	if diff := cmp.Diff([]string{"a/2", "a/3"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestObjectsCanBeLeftAndRangedOverAgain(t *testing.T) {
	isolate(t)
	var keys []string
	for i := range 1500 {
		keys = append(keys, fmt.Sprintf("k%04d", i))
	}
	handler, _ := store(t, keys...)
	objects := serve(t, handler).Objects(t.Context(), "", "")
	for round := range 2 {
		for page, err := range objects {
			if err != nil {
				t.Fatal(err)
			}
			if page[0].Key != "k0000" {
				t.Errorf("round %d begins with %s", round, page[0].Key)
			}
			break
		}
	}
}

func TestAnEmptyListingIsNoPage(t *testing.T) {
	isolate(t)
	handler, requests := store(t)
	keys, pages := collect(t, serve(t, handler), "", "")
	if len(keys) != 0 || pages != 0 || requests.Load() != 1 {
		t.Errorf("keys %v, pages %d, requests %d; want none, none and one", keys, pages, requests.Load())
	}
}

func TestFoldersAreTheNextLevelOnly(t *testing.T) {
	isolate(t)
	handler, _ := store(t, "AWSLogs/1/CloudTrail/x", "AWSLogs/2/CloudTrail/y", "AWSLogs/readme", "other/z")
	client := serve(t, handler)
	for prefix, want := range map[string][]string{
		"":            {"AWSLogs/", "other/"},
		"AWSLogs/":    {"AWSLogs/1/", "AWSLogs/2/"},
		"AWSLogs/1/":  {"AWSLogs/1/CloudTrail/"},
		"not/there/":  nil,
		"AWSLogs/1/x": nil,
	} {
		got, err := client.Folders(t.Context(), prefix)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Folders(%q): %s", prefix, diff)
		}
	}
}

func TestFoldersPagesThroughManyAccounts(t *testing.T) {
	isolate(t)
	var calls int
	client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		if r.URL.Query().Get("continuation-token") == "" {
			io.WriteString(w, `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken>`+
				`<CommonPrefixes><Prefix>AWSLogs/1/</Prefix></CommonPrefixes></ListBucketResult>`)
			return
		}
		io.WriteString(w, `<ListBucketResult><CommonPrefixes><Prefix>AWSLogs/2/</Prefix></CommonPrefixes></ListBucketResult>`)
	}))
	got, err := client.Folders(t.Context(), "AWSLogs/")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"AWSLogs/1/", "AWSLogs/2/"}, got); diff != "" || calls != 2 {
		t.Errorf("%d calls: %s", calls, diff)
	}
}

func TestOpenGivesTheStoredBytesAndTheirNumber(t *testing.T) {
	isolate(t)
	key := day + "file.json.gz"
	handler, _ := store(t, key)
	client := serve(t, handler)
	body, size, err := client.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	got, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	// Content-Encoding is gzip, the content is not: had anybody undone it,
	// this would have failed.
	if string(got) != key || size != int64(len(key)) {
		t.Errorf("got %q and size %d, want %q", got, size, key)
	}
	head, err := client.Head(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if head.Key != key || head.Size != int64(len(key)) || head.Modified.IsZero() {
		t.Errorf("Head says %+v", head)
	}
}

func TestThrottlingIsWaitedOut(t *testing.T) {
	isolate(t)
	handler, _ := store(t, "a")
	var calls atomic.Int64
	client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			refuse(w, http.StatusServiceUnavailable, "SlowDown", "")
			return
		}
		handler.ServeHTTP(w, r)
	}))
	if keys, _ := collect(t, client, "", ""); len(keys) != 1 || calls.Load() != 2 {
		t.Errorf("keys %v after %d calls, want one after 2", keys, calls.Load())
	}
}

func TestABodyThatBreaksOffIsInterrupted(t *testing.T) {
	isolate(t)
	client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.Write(bytes.Repeat([]byte("x"), 100))
	}))
	body, _, err := client.Open(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	got, err := io.ReadAll(body)
	if s3.KindOf(err) != s3.Interrupted || !errors.Is(err, io.ErrUnexpectedEOF) || len(got) != 100 {
		t.Errorf("%d bytes and error %v", len(got), err)
	}
	if s3.KindOf(err).ObjectLost() {
		t.Error("a broken connection counts against the object")
	}
}

func TestTheClientFollowsTheBucketToItsRegion(t *testing.T) {
	for name, refusal := range map[string]func(http.ResponseWriter){
		"a redirect with the header": func(w http.ResponseWriter) {
			w.Header().Set("x-amz-bucket-region", "eu-central-1")
			refuse(w, http.StatusMovedPermanently, "PermanentRedirect", "<Endpoint>trail.s3.eu-central-1.amazonaws.com</Endpoint>")
		},
		"a malformed header with the region in the body": func(w http.ResponseWriter) {
			refuse(w, http.StatusBadRequest, "AuthorizationHeaderMalformed", "<Region>eu-central-1</Region>")
		},
	} {
		t.Run(name, func(t *testing.T) {
			isolate(t)
			t.Setenv("AWS_REGION", "us-west-2")
			handler, _ := store(t, "a")
			regional := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.Contains(r.Header.Get("Authorization"), "/eu-central-1/s3/") {
					refusal(w)
					return
				}
				handler.ServeHTTP(w, r)
			})
			client := serve(t, regional)
			if keys, _ := collect(t, client, "", ""); len(keys) != 1 || client.Region() != "eu-central-1" {
				t.Errorf("keys %v, region %s", keys, client.Region())
			}

			stubborn := serve(t, regional, func(b *s3.Bucket) { b.Region = "us-west-2" })
			_, err := stubborn.Folders(t.Context(), "")
			e, _ := errors.AsType[*s3.Error](err)
			if e == nil || e.Kind != s3.WrongRegion || e.Region != "eu-central-1" || !strings.Contains(e.Text, "use --region eu-central-1") {
				t.Errorf("with a region given: %v", err)
			}
		})
	}
}

func TestRenewedCredentialsAreReadAgain(t *testing.T) {
	dir := isolate(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	write(t, filepath.Join(dir, "credentials"), "[default]\naws_access_key_id = OLD\naws_secret_access_key = s\n")
	handler, _ := store(t, "a")
	client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Authorization"), "Credential=OLD/") {
			refuse(w, http.StatusBadRequest, "ExpiredToken", "")
			return
		}
		handler.ServeHTTP(w, r)
	}))
	if _, err := client.Folders(t.Context(), ""); s3.KindOf(err) != s3.Expired {
		t.Fatalf("with old keys: %v", err)
	}
	write(t, filepath.Join(dir, "credentials"), "[default]\naws_access_key_id = NEW\naws_secret_access_key = s\n")
	if _, err := client.Folders(t.Context(), ""); err != nil {
		t.Errorf("with new keys: %v", err)
	}
}

func TestTheEndpointOfTheEnvironmentIsPathStyleToo(t *testing.T) {
	isolate(t)
	handler, _ := store(t, "a")
	server := httptest.NewServer(handler)
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL_S3", server.URL)
	client, err := s3.Open(t.Context(), s3.Bucket{Name: "trail"})
	if err != nil {
		t.Fatal(err)
	}
	if keys, _ := collect(t, client, "", ""); len(keys) != 1 || client.Endpoint() != server.URL {
		t.Errorf("keys %v, endpoint %q", keys, client.Endpoint())
	}
}

func TestCallerIsUnsupportedBesideAWS(t *testing.T) {
	isolate(t)
	handler, _ := store(t)
	if _, err := serve(t, handler).Caller(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestCallerIsAskedAndNamedInARefusal(t *testing.T) {
	isolate(t)
	const arn = "arn:aws:iam::123456789012:user/alice"
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>`+
			`<Arn>`+arn+`</Arn><UserId>AIDA</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	}))
	defer sts.Close()
	t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
	client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusForbidden, "AccessDenied", "")
	}))
	_, err := client.Folders(t.Context(), "")
	if s3.KindOf(err) != s3.Denied || !strings.Contains(err.Error(), "s3:ListBucket for "+arn) {
		t.Errorf("refusal: %v", err)
	}
	caller, err := client.Caller(t.Context())
	if err != nil || caller != (s3.Caller{Account: "123456789012", ARN: arn}) {
		t.Errorf("caller %+v, error %v", caller, err)
	}
}

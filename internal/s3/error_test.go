package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trailbell/trailbell/internal/s3"
)

// refuse answers as S3 does: "Error responses" of its API reference.
func refuse(w http.ResponseWriter, status int, code, more string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>The words may change.</Message>%s<RequestId>R</RequestId></Error>`, code, more)
}

func TestRefusalsAreExplained(t *testing.T) {
	isolate(t)
	list := func(c *s3.Client) error { _, err := c.Folders(context.Background(), ""); return err }
	get := func(c *s3.Client) error { _, _, err := c.Open(context.Background(), "k"); return err }
	head := func(c *s3.Client) error { _, err := c.Head(context.Background(), "k"); return err }

	tests := []struct {
		name   string
		ask    func(*s3.Client) error
		status int
		code   string
		kind   s3.Kind
		lost   bool
		says   []string
	}{
		{"listing is not allowed", list, 403, "AccessDenied", s3.Denied, true, []string{`bucket "trail"`, "s3:ListBucket", "--profile"}},
		{"getting is not allowed", get, 403, "AccessDenied", s3.Denied, true, []string{`"s3://trail/k"`, "s3:GetObject", "kms:Decrypt"}},
		{"a head is not allowed and has no body", head, 403, "", s3.Denied, true, []string{"s3:GetObject"}},
		{"the token has expired", list, 400, "ExpiredToken", s3.Expired, false, []string{"expired", "AWS_ACCESS_KEY_ID", "--profile"}},
		{"the token has expired, with another status", get, 403, "ExpiredToken", s3.Expired, false, []string{"expired"}},
		{"the key is unknown", list, 403, "InvalidAccessKeyId", s3.NoCredentials, false, []string{"access key", "not known"}},
		{"the secret is wrong", list, 403, "SignatureDoesNotMatch", s3.NoCredentials, false, []string{"secret key", "set AWS_SECRET_ACCESS_KEY again"}},
		{"the bucket does not exist", list, 404, "NoSuchBucket", s3.NoBucket, false, []string{`bucket "trail" does not exist`, "--bucket", "--endpoint", "http://127.0.0.1"}},
		{"the bucket went away under a get", get, 404, "NoSuchBucket", s3.NoBucket, false, []string{`bucket "trail" does not exist`}},
		{"the object does not exist", get, 404, "NoSuchKey", s3.NoKey, true, []string{`"s3://trail/k"`}},
		{"a head of an object that does not exist", head, 404, "", s3.NoKey, true, []string{`"s3://trail/k"`}},
		{"the object is archived", get, 403, "InvalidObjectState", s3.Archived, true, []string{"Glacier", "restore"}},
		{"the key in KMS is disabled", get, 400, "KMS.DisabledException", s3.Encrypted, true, []string{"KMS"}},
		{"another region, which is not said", list, 301, "PermanentRedirect", s3.WrongRegion, false, []string{`"us-east-1"`, "--region"}},
		{"a redirect without a code", list, 307, "", s3.WrongRegion, false, []string{"--region"}},
		{"the name is none", list, 400, "InvalidBucketName", s3.NoBucket, false, []string{"s3://"}},
		{"the key is unknown to versitygw", list, 404, "XAdminUserNotFound", s3.NoCredentials, false, []string{"not known"}},
		{"a refusal nobody has heard of", get, 403, "AccountProblem", s3.Unknown, false, []string{"GetObject", "403", "AccountProblem"}},
		{"something nobody has heard of is not found", list, 404, "NoSuchThing", s3.Unknown, false, []string{"404", "NoSuchThing"}},
		{"an error nobody has heard of", list, 400, "SomethingNew", s3.Unknown, false, []string{"ListObjectsV2", "400", "SomethingNew"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if test.code == "" {
					w.WriteHeader(test.status)
					return
				}
				refuse(w, test.status, test.code, "")
			}))
			check(t, test.ask(client), test.kind, test.says...)
			if got := test.kind.ObjectLost(); got != test.lost {
				t.Errorf("ObjectLost is %t", got)
			}
		})
	}
}

func TestAFailingServerIsTriedAgainAndThenExplained(t *testing.T) {
	isolate(t)
	for _, test := range []struct {
		status int
		body   string
		kind   s3.Kind
	}{
		{http.StatusInternalServerError, "<Error><Code>InternalError</Code></Error>", s3.ServerError},
		{http.StatusBadGateway, "<html>a proxy speaks</p>", s3.ServerError},
	} {
		var calls int
		client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			calls++
			w.WriteHeader(test.status)
			fmt.Fprint(w, test.body)
		}))
		_, err := client.Folders(t.Context(), "")
		check(t, err, test.kind, "5 attempts", "tried again later")
		if calls != 5 {
			t.Errorf("status %d: %d calls, want 5", test.status, calls)
		}
	}
}

func TestAnUnreachableEndpointIsNamed(t *testing.T) {
	isolate(t)
	// A port that was free a moment ago refuses.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	endpoint := "http://" + l.Addr().String()
	l.Close()
	client, err := s3.Open(t.Context(), s3.Bucket{Name: "trail", Endpoint: endpoint})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Folders(t.Context(), "")
	check(t, err, s3.Unreachable, endpoint, "connection refused", "--endpoint")
}

func TestTLSTroubleIsNamed(t *testing.T) {
	isolate(t)
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secret := httptest.NewUnstartedServer(http.NotFoundHandler())
	secret.Config.ErrorLog = log.New(io.Discard, "", 0) // it would complain of the client
	secret.StartTLS()
	defer secret.Close()
	for endpoint, says := range map[string]string{
		"https://" + plain.Listener.Addr().String(): "try http://",
		secret.URL: "AWS_CA_BUNDLE",
	} {
		client, err := s3.Open(t.Context(), s3.Bucket{Name: "trail", Endpoint: endpoint})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Folders(t.Context(), "")
		check(t, err, s3.Unreachable, endpoint, says)
	}
}

func TestAMissingProfileIsNamedWithThoseThereAre(t *testing.T) {
	dir := isolate(t)
	_, err := s3.Open(t.Context(), s3.Bucket{Name: "trail", Profile: "prod"})
	check(t, err, s3.NoProfile, `profile "prod"`, filepath.Join("~", "config"), "neither has any")

	write(t, filepath.Join(dir, "config"), "[default]\nregion = eu-west-1\n[ profile  dev ]\n[sso-session corp]\n# [profile not]\n")
	write(t, filepath.Join(dir, "credentials"), "[ci]\naws_access_key_id = A\naws_secret_access_key = B\n")
	_, err = s3.Open(t.Context(), s3.Bucket{Name: "trail", Profile: "prod"})
	check(t, err, s3.NoProfile, `profile "prod"`, "there are: ci, default, dev")

	t.Setenv("AWS_PROFILE", "staging")
	_, err = s3.Open(t.Context(), s3.Bucket{Name: "trail"})
	check(t, err, s3.NoProfile, `profile "staging"`)
}

func TestWithoutCredentialsNothingIsAsked(t *testing.T) {
	dir := isolate(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	_, err := s3.Open(t.Context(), s3.Bucket{Name: "trail", Endpoint: "http://127.0.0.1:9"})
	check(t, err, s3.NoCredentials, "no AWS credentials", `profile "default"`, "aws configure")

	write(t, filepath.Join(dir, "config"), "[profile tool]\ncredential_process = /bin/false\n[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\n")
	_, err = s3.Open(t.Context(), s3.Bucket{Name: "trail", Profile: "tool"})
	check(t, err, s3.NoCredentials, `profile "tool"`, "credential_process")
	_, err = s3.Open(t.Context(), s3.Bucket{Name: "trail", Profile: "role"})
	check(t, err, s3.NoCredentials, `profile "role"`, "no AWS credentials")
}

func TestAnExpiredSSOSessionSaysHowToRenewIt(t *testing.T) {
	dir := isolate(t)
	write(t, filepath.Join(dir, "config"), "[profile corp]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Audit\nregion = eu-west-1\n"+
		"[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.awsapps.com/start\n")
	_, err := s3.Open(t.Context(), s3.Bucket{Name: "trail", Profile: "corp"})
	check(t, err, s3.Expired, `profile "corp"`, "aws sso login --profile corp")
}

func TestABucketIsChecked(t *testing.T) {
	for _, b := range []s3.Bucket{{}, {Name: "b", Endpoint: "localhost:7070"}, {Name: "b", Endpoint: "s3.example.com"}, {Name: "b", Endpoint: "ftp://x"}} {
		check(t, b.Validate(), s3.Invalid)
	}
	for _, b := range []s3.Bucket{{Name: "b"}, {Name: "b", Endpoint: "http://127.0.0.1:7070"}, {Name: "b", Endpoint: "https://minio"}} {
		if err := b.Validate(); err != nil {
			t.Errorf("%+v: %v", b, err)
		}
	}
}

func TestACanceledContextIsNoError(t *testing.T) {
	isolate(t)
	ctx, cancel := context.WithCancel(t.Context())
	client := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	_, err := client.Folders(ctx, "")
	if _, explained := errors.AsType[*s3.Error](err); !errors.Is(err, context.Canceled) || explained {
		t.Errorf("got %v", err)
	}
}

func TestExplainLeavesNothingAndItsOwnAlone(t *testing.T) {
	if err := s3.Explain(nil, s3.Bucket{}); err != nil {
		t.Errorf("nil became %v", err)
	}
	own := s3.Bucket{}.Validate()
	if got := s3.Explain(own, s3.Bucket{Name: "b"}); got != own {
		t.Errorf("%v became %v", own, got)
	}
	check(t, s3.Explain(errors.New("two\nlines"), s3.Bucket{Name: "b"}), s3.Unknown, `bucket "b"`, "two lines")
}

func TestKindsHaveNames(t *testing.T) {
	for kind := s3.Unknown; kind <= s3.Interrupted; kind++ {
		if name := kind.String(); name == "" || strings.ToLower(name) != name || (kind != s3.Unknown && name == s3.Unknown.String()) {
			t.Errorf("kind %d is called %q", kind, name)
		}
	}
	if s3.Kind(99).String() != "unknown" {
		t.Error("a kind out of range has a name")
	}
}

// check wants an explained error in one line.
func check(t *testing.T, err error, kind s3.Kind, says ...string) {
	t.Helper()
	e, ok := errors.AsType[*s3.Error](err)
	if !ok {
		t.Fatalf("not an *s3.Error: %v", err)
	}
	if e.Kind != kind {
		t.Errorf("kind %s, want %s: %v", e.Kind, kind, err)
	}
	if strings.Contains(e.Text, "\n") {
		t.Errorf("more than a line: %q", e.Text)
	}
	for _, s := range says {
		if !strings.Contains(e.Text, s) {
			t.Errorf("%q does not say %q", e.Text, s)
		}
	}
	t.Log(e.Text)
}

func TestASilentMetadataServiceIsNotWaitedFor(t *testing.T) {
	isolate(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://"+silent.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	_, err = s3.Open(ctx, s3.Bucket{Name: "trail"})
	check(t, err, s3.NoCredentials, "not an instance")
	if ctx.Err() != nil {
		t.Error("it took all the time there was")
	}
}

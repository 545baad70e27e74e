package s3_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/trailbell/trailbell/internal/s3"
)

func TestWhatIsPutIsReadBack(t *testing.T) {
	isolate(t)
	client := serve(t, gofakes3.New(s3mem.New()).Server())
	if err := client.Put(t.Context(), "a", []byte("x")); s3.KindOf(err) != s3.NoBucket {
		t.Errorf("before there is a bucket: %v", err)
	}
	for range 2 {
		if err := client.Create(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Put(t.Context(), "a/b c+d", []byte("content")); err != nil {
		t.Fatal(err)
	}
	body, size, err := client.Open(t.Context(), "a/b c+d")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if got, err := io.ReadAll(body); string(got) != "content" || size != 7 || err != nil {
		t.Errorf("got %q of %d bytes, %v", got, size, err)
	}
}

func TestGivenKeysStandInForTheWholeConfiguration(t *testing.T) {
	isolate(t)
	// Each of these alone would be an error, or lead elsewhere.
	t.Setenv("AWS_ACCESS_KEY_ID", "FROM-THE-ENVIRONMENT")
	t.Setenv("AWS_PROFILE", "does-not-exist")
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
	t.Setenv("AWS_REGION", "eu-west-1")
	write(t, os.Getenv("AWS_CONFIG_FILE"), "not a configuration")

	backend := s3mem.New()
	if err := backend.CreateBucket("trail"); err != nil {
		t.Fatal(err)
	}
	var authorization string
	fake := gofakes3.New(backend).Server()
	server := httptest.NewServer(recordAuthorization(fake, &authorization))
	defer server.Close()
	client, err := s3.Open(t.Context(), s3.Bucket{Name: "trail", Endpoint: server.URL, Keys: &s3.Keys{Access: "GIVEN", Secret: "s"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Folders(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(authorization, "Credential=GIVEN/") || !strings.Contains(authorization, "/us-east-1/s3/") {
		t.Errorf("signed by %s", authorization)
	}
}

func recordAuthorization(next http.Handler, last *string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*last = r.Header.Get("Authorization")
		next.ServeHTTP(w, r)
	})
}

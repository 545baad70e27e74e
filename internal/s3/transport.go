package s3

import (
	"bytes"
	"encoding/xml"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// Bounds of one request. A body may take as long as it likes as long as bytes
// keep coming, since objects have up to 50 MB and the reader may be held back
// by the stages behind it.
const (
	dialTimeout   = 5 * time.Second
	tlsTimeout    = 5 * time.Second
	headerTimeout = 30 * time.Second
	// Longest silence in the middle of a body.
	readTimeout = 60 * time.Second
	// Connections kept open between requests: fetchers get 32 objects at once
	// by default, and listings run beside them.
	idleConnections = 64
)

// regionHeader is where S3 says which region a bucket is in, also when it
// refuses a request (HeadBucket in the S3 API reference).
const regionHeader = "X-Amz-Bucket-Region"

// Largest body of an error that is read; those of S3 have less than 2 kB.
const errorBodyLimit = 64 << 10

func newHTTPClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = tlsTimeout
			t.ResponseHeaderTimeout = headerTimeout
			t.MaxIdleConns = 2 * idleConnections
			t.MaxIdleConnsPerHost = idleConnections
		}).
		WithReadTimeout(readTimeout)
}

// regionClient copies the region out of the body of a refusal into the header,
// for servers that say it only there: the SDK keeps of the body nothing but
// code and message (AuthorizationHeaderMalformed and PermanentRedirect in
// "Error responses" of the S3 API reference).
type regionClient struct{ next aws.HTTPClient }

func (c regionClient) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.next.Do(req)
	if err != nil || resp.Header.Get(regionHeader) != "" {
		return resp, err
	}
	if resp.StatusCode != http.StatusBadRequest && resp.StatusCode/100 != 3 {
		return resp, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, errorBodyLimit))
	resp.Body = replayed{io.MultiReader(bytes.NewReader(body), resp.Body), resp.Body}
	if err != nil {
		return resp, nil // the SDK runs into the same error and reports it
	}
	var refusal struct{ Region string }
	if xml.Unmarshal(body, &refusal) == nil && refusal.Region != "" {
		resp.Header.Set(regionHeader, refusal.Region)
	}
	return resp, nil
}

// replayed is a body of which the beginning has been read already.
type replayed struct {
	io.Reader
	io.Closer
}

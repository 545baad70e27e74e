package s3

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
)

const (
	// Where to start when nobody names a region: S3 there knows of every
	// bucket of the partition. Servers other than AWS mostly call theirs so.
	defaultRegion = "us-east-1"

	// Attempts for one request, the first included, and the longest wait
	// between two.
	maxAttempts = 5
	maxBackoff  = 5 * time.Second

	// Off an instance nobody answers at the metadata address, and nobody
	// refuses either. On one, the answer takes a few milliseconds.
	metadataTimeout = time.Second
)

// Client reads one bucket. It is safe for concurrent use. Every error its
// methods return is an *Error, but for a context that was canceled.
type Client struct {
	bucket     Bucket
	config     aws.Config
	credential *credential

	mu     sync.Mutex
	api    *awss3.Client
	region string
	caller *Caller // who the credentials belong to, once it has been asked
}

// Open prepares a client. It reads the AWS configuration and gets credentials,
// which fails with NoProfile, NoCredentials or Expired, but makes no request
// to the bucket. Without any credentials it fails: a bucket of audit logs is
// not public.
func Open(ctx context.Context, b Bucket) (*Client, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	cfg, err := load(ctx, b)
	if err != nil {
		return nil, Explain(err, b)
	}
	first := cfg.Credentials
	cred := &credential{load: func(ctx context.Context) (aws.CredentialsProvider, error) {
		if provider := first; provider != nil {
			first = nil
			return provider, nil
		}
		cfg, err := load(ctx, b)
		return cfg.Credentials, err
	}}
	if _, err := cred.Retrieve(ctx); err != nil {
		return nil, Explain(err, b)
	}
	cfg.Credentials = cred

	c := &Client{bucket: b, config: cfg, credential: cred}
	c.move(firstRegion(b, cfg))
	return c, nil
}

func load(ctx context.Context, b Bucket) (aws.Config, error) {
	if b.Keys != nil {
		return aws.Config{
			HTTPClient:  newHTTPClient(),
			Credentials: credentials.NewStaticCredentialsProvider(b.Keys.Access, b.Keys.Secret, ""),
			Logger:      logging.Nop{},
		}, nil
	}
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(newHTTPClient()),
		// It would write to stderr past our own log, whatever its format. What
		// matters comes back as an error.
		config.WithLogger(logging.Nop{}),
		config.WithEC2RoleCredentialOptions(func(o *ec2rolecreds.Options) {
			o.Client = imds.New(imds.Options{
				HTTPClient: awshttp.NewBuildableClient().
					WithTimeout(metadataTimeout).
					WithDialerOptions(func(d *net.Dialer) { d.Timeout = metadataTimeout }),
				Retryer: aws.NopRetryer{},
			})
		}),
	}
	if b.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(b.Profile))
	}
	return config.LoadDefaultConfig(ctx, options...)
}

func firstRegion(b Bucket, cfg aws.Config) string {
	switch {
	case b.Region != "":
		return b.Region
	case cfg.Region != "":
		return cfg.Region
	}
	return defaultRegion
}

// move makes the client talk to another region.
func (c *Client) move(region string) {
	cfg := c.config
	cfg.Region = region
	api := awss3.NewFromConfig(cfg, func(o *awss3.Options) {
		if c.bucket.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.bucket.Endpoint)
		}
		// The SDK may have an endpoint from AWS_ENDPOINT_URL or the profile.
		o.UsePathStyle = o.BaseEndpoint != nil
		if c.bucket.PathStyle != nil {
			o.UsePathStyle = *c.bucket.PathStyle
		}
		o.DisableLogOutputChecksumValidationSkipped = true
		// Of what is written here no server needs to know more than S3 itself
		// asks for.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.HTTPClient = regionClient{o.HTTPClient}
		o.Retryer = retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
			o.StandardOptions = append(o.StandardOptions, func(o *retry.StandardOptions) {
				o.MaxAttempts = maxAttempts
				o.MaxBackoff = maxBackoff
			})
		})
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.api, c.region = api, region
}

// Bucket gives back what the client was opened with.
func (c *Client) Bucket() Bucket { return c.bucket }

// Region is the region that requests go to now. It changes at most when the
// first request is answered.
func (c *Client) Region() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.region
}

// Endpoint is the server that requests go to when it is not AWS's own, out of
// the bucket's configuration or the environment; else it is empty.
func (c *Client) Endpoint() string {
	api, _ := c.current()
	return aws.ToString(api.Options().BaseEndpoint)
}

func (c *Client) current() (*awss3.Client, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.api, c.region
}

// call makes a request, follows the bucket to its region, and explains what
// went wrong. A key is the object asked for, or empty.
func call[T any](ctx context.Context, c *Client, key string, request func(*awss3.Client) (T, error)) (T, error) {
	api, region := c.current()
	out, err := request(api)
	if to := regionNamed(err); to != "" && to != region && c.bucket.Region == "" {
		c.move(to)
		api, _ = c.current()
		out, err = request(api)
	}
	if err != nil {
		return out, c.explain(ctx, err, key)
	}
	return out, nil
}

func (c *Client) explain(ctx context.Context, err error, key string) error {
	b := c.bucket
	b.Region, b.Endpoint = c.Region(), c.Endpoint()
	err = explain(err, b, key, nil)
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	switch e.Kind {
	case Expired:
		c.credential.stale()
	case Denied:
		if caller, known := c.knownCaller(ctx); known {
			return explain(e.Err, b, key, &caller)
		}
	}
	return err
}

// regionNamed is the region that a refusal says the bucket is in, or empty.
func regionNamed(err error) string {
	response, ok := errors.AsType[*awshttp.ResponseError](err)
	if !ok || response.Response == nil {
		return ""
	}
	switch status := response.HTTPStatusCode(); {
	case status/100 == 3, status == http.StatusBadRequest:
		return response.Response.Header.Get(regionHeader)
	}
	return ""
}

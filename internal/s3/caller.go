package s3

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Caller is who the credentials belong to, as STS says.
type Caller struct {
	Account string
	ARN     string
}

// Longest that a refusal waits to learn who was refused.
const callerTimeout = 3 * time.Second

// Caller asks STS who the credentials belong to; AWS allows this to everybody.
// With an endpoint other than AWS the answer would be about another world:
// then the error is errors.ErrUnsupported, unless AWS_ENDPOINT_URL_STS names
// an STS too.
func (c *Client) Caller(ctx context.Context) (Caller, error) {
	if c.Endpoint() != "" && os.Getenv("AWS_ENDPOINT_URL_STS") == "" {
		return Caller{}, fmt.Errorf("endpoint %s: the caller cannot be asked for: %w", c.Endpoint(), errors.ErrUnsupported)
	}
	cfg := c.config
	cfg.Region = c.Region()
	out, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return Caller{}, Explain(err, c.bucket)
	}
	caller := Caller{Account: aws.ToString(out.Account), ARN: aws.ToString(out.Arn)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.caller = &caller
	return caller, nil
}

// knownCaller is the caller for the text of a refusal. It asks at most once,
// and briefly: the refusal is the news.
func (c *Client) knownCaller(ctx context.Context) (Caller, bool) {
	c.mu.Lock()
	caller := c.caller
	if caller == nil {
		c.caller = &Caller{}
	}
	c.mu.Unlock()
	if caller != nil {
		return *caller, caller.ARN != ""
	}
	ctx, cancel := context.WithTimeout(ctx, callerTimeout)
	defer cancel()
	asked, err := c.Caller(ctx)
	return asked, err == nil
}

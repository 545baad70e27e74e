package s3

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Longest wait for credentials. Fetching them may mean a call to STS, to SSO,
// to the instance, or running the profile's credential_process.
const credentialTimeout = 30 * time.Second

// credentialError marks an error as one of getting credentials, as opposed to
// one of using them: the SDK returns both from the same call and gives most of
// the former no type.
type credentialError struct {
	err error
	// Where the chain led to.
	sources []aws.CredentialSource
}

func (e *credentialError) Error() string { return e.err.Error() }
func (e *credentialError) Unwrap() error { return e.err }

// signIns are the sources that a person has to log in for.
var signIns = []aws.CredentialSource{
	aws.CredentialSourceSSO, aws.CredentialSourceProfileSSO,
	aws.CredentialSourceSSOLegacy, aws.CredentialSourceProfileSSOLegacy,
	aws.CredentialSourceLogin, aws.CredentialSourceProfileLogin,
}

func (e *credentialError) from(sources ...aws.CredentialSource) bool {
	return slices.ContainsFunc(sources, func(s aws.CredentialSource) bool { return slices.Contains(e.sources, s) })
}

// credential is the provider the clients use. The SDK reads the keys of a
// profile once; when they expire and the user renews them in the file, a
// process that runs for months has to read it again. So load is called anew
// after stale.
type credential struct {
	load func(context.Context) (aws.CredentialsProvider, error)

	mu       sync.Mutex
	provider aws.CredentialsProvider
}

func (c *credential) Retrieve(ctx context.Context) (aws.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, credentialTimeout)
	defer cancel()
	provider, err := c.current(ctx)
	if err != nil {
		return aws.Credentials{}, &credentialError{err: err}
	}
	value, err := provider.Retrieve(ctx)
	if err != nil {
		missing := &credentialError{err: err}
		if chain, ok := provider.(aws.CredentialProviderSource); ok {
			missing.sources = chain.ProviderSources()
		}
		return aws.Credentials{}, missing
	}
	return value, nil
}

func (c *credential) current(ctx context.Context) (aws.CredentialsProvider, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.provider == nil {
		provider, err := c.load(ctx)
		if err != nil {
			return nil, err
		}
		c.provider = provider
	}
	return c.provider, nil
}

// stale makes the next Retrieve read the configuration again.
func (c *credential) stale() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.provider = nil
}

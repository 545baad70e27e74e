// Package s3 reads log objects from S3, or from a server that speaks its
// protocol: clients by profile, listings by page, objects as streams, and
// errors that say in one line what happened and what to try.
package s3

import (
	"fmt"
	"net/url"
)

// Bucket says which bucket is meant and how to reach it. Only the name is
// needed: everything else has the default that the AWS command line would use.
type Bucket struct {
	// Name of the bucket.
	Name string `yaml:"name"`
	// Profile of ~/.aws/config and ~/.aws/credentials. When empty the default
	// credential chain decides: environment, profile "default", container,
	// instance.
	Profile string `yaml:"profile"`
	// Prefix is what stands before AWSLogs/, with or without a trailing slash.
	// The client does not use it: it is passed to each listing.
	Prefix string `yaml:"prefix"`
	// Region of the bucket. When empty it is the one of the environment or the
	// profile, and the client moves to the right one when S3 names another.
	// When set, a bucket in another region is an error.
	Region string `yaml:"region"`
	// Endpoint is the URL of a server other than AWS, as in
	// http://127.0.0.1:7070.
	Endpoint string `yaml:"endpoint"`
	// PathStyle says whether the bucket's name goes into the path rather than
	// into the host name. When nil: yes with an endpoint, no without.
	PathStyle *bool `yaml:"path_style"`
	// Keys, when not nil, are used in place of all that AWS's own
	// configuration says: neither the environment nor ~/.aws is read. They are
	// for a server of this process. They cannot be set in a configuration
	// file, where a secret does not belong.
	Keys *Keys `yaml:"-"`
}

// Keys are an access key.
type Keys struct{ Access, Secret string }

// Validate says what is wrong with the values, without asking any server.
func (b Bucket) Validate() error {
	if b.Name == "" {
		return &Error{Kind: Invalid, Text: "a bucket has no name; give it with --bucket, or as name in the configuration"}
	}
	if b.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(b.Endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return &Error{Kind: Invalid, Err: err, Text: fmt.Sprintf(
			"bucket %q: endpoint %q is not a URL; write it as http://HOST:PORT or https://HOST", b.Name, b.Endpoint)}
	}
	return nil
}

package s3

import (
	"context"
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/trailbell/trailbell/internal/listing"
)

// Open gets an object and returns its bytes as they are stored, whatever its
// Content-Encoding, and their number (-1 when the server does not say). The
// caller closes the body. An error of Read other than io.EOF is an *Error
// with Kind Interrupted, or Unreachable when nothing came for a minute: the
// object is to be read again from its start.
func (c *Client) Open(ctx context.Context, key string) (io.ReadCloser, int64, error) {
	out, err := call(ctx, c, key, func(api *awss3.Client) (*awss3.GetObjectOutput, error) {
		return api.GetObject(ctx, &awss3.GetObjectInput{Bucket: &c.bucket.Name, Key: &key})
	})
	if err != nil {
		return nil, 0, err
	}
	size := int64(-1)
	if out.ContentLength != nil {
		size = *out.ContentLength
	}
	return &body{ReadCloser: out.Body, client: c, key: key}, size, nil
}

// Head says how large an object is and when it was written.
func (c *Client) Head(ctx context.Context, key string) (listing.Object, error) {
	out, err := call(ctx, c, key, func(api *awss3.Client) (*awss3.HeadObjectOutput, error) {
		return api.HeadObject(ctx, &awss3.HeadObjectInput{Bucket: &c.bucket.Name, Key: &key})
	})
	if err != nil {
		return listing.Object{}, err
	}
	return listing.Object{
		Key:      key,
		Size:     aws.ToInt64(out.ContentLength),
		Modified: aws.ToTime(out.LastModified),
	}, nil
}

// body explains the errors of reading an object.
type body struct {
	io.ReadCloser
	client *Client
	key    string
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = interrupted(err, b.client.bucket, b.key)
	}
	return n, err
}

func interrupted(err error, b Bucket, key string) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	kind, why := Interrupted, "the connection broke in the middle of the object"
	if isTimeout(err) {
		kind, why = Unreachable, "nothing more of the object came within "+readTimeout.String()
	}
	return &Error{Kind: kind, Err: err, Text: subject(b, key) + ": " + why + "; it is read again from its start"}
}

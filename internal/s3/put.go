package s3

import (
	"bytes"
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// Put writes an object, as CloudTrail writes one: gzip, and said to be so. An
// object that is there is replaced. Watching needs none of this: it is for
// trails that are made up.
func (c *Client) Put(ctx context.Context, key string, content []byte) error {
	_, err := call(ctx, c, key, func(api *awss3.Client) (*awss3.PutObjectOutput, error) {
		return api.PutObject(ctx, &awss3.PutObjectInput{
			Bucket: &c.bucket.Name, Key: &key, Body: bytes.NewReader(content),
			ContentType: aws.String("application/json"), ContentEncoding: aws.String("gzip"),
		})
	})
	return err
}

// Create makes the bucket. One that is there already is fine; whether it is
// ours, the first Put says.
func (c *Client) Create(ctx context.Context) error {
	in := &awss3.CreateBucketInput{Bucket: &c.bucket.Name}
	if region := c.Region(); region != defaultRegion {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
	}
	_, err := call(ctx, c, "", func(api *awss3.Client) (*awss3.CreateBucketOutput, error) { return api.CreateBucket(ctx, in) })
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		switch api.ErrorCode() {
		case "BucketAlreadyOwnedByYou", "BucketAlreadyExists":
			return nil
		}
	}
	return err
}

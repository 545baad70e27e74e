package s3

import (
	"context"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/trailbell/trailbell/internal/listing"
)

// Objects lists the objects whose keys begin with prefix and sort after
// startAfter, in ascending order of the keys' bytes. Each element is one page,
// that is one request, of at most 1,000 objects; a listing without objects is
// one request and no page. An error ends the listing. No more than one page
// is in memory, and the slice is the reader's.
func (c *Client) Objects(ctx context.Context, prefix, startAfter string) iter.Seq2[[]listing.Object, error] {
	return func(yield func([]listing.Object, error) bool) {
		for out, err := range c.pages(ctx, &awss3.ListObjectsV2Input{
			Prefix:     optional(prefix),
			StartAfter: optional(startAfter),
		}) {
			if err != nil {
				yield(nil, err)
				return
			}
			if len(out.Contents) == 0 {
				continue
			}
			page := make([]listing.Object, len(out.Contents))
			for i, o := range out.Contents {
				page[i] = listing.Object{
					Key:      aws.ToString(o.Key),
					Size:     aws.ToInt64(o.Size),
					Modified: aws.ToTime(o.LastModified),
				}
			}
			if !yield(page, nil) {
				return
			}
		}
	}
}

// Folders lists what comes between prefix and the next slash, in ascending
// order: whole prefixes, each with its slash at the end. Prefix itself is
// empty or ends in a slash.
func (c *Client) Folders(ctx context.Context, prefix string) ([]string, error) {
	var folders []string
	for out, err := range c.pages(ctx, &awss3.ListObjectsV2Input{
		Prefix:    optional(prefix),
		Delimiter: aws.String("/"),
	}) {
		if err != nil {
			return nil, err
		}
		for _, common := range out.CommonPrefixes {
			folders = append(folders, aws.ToString(common.Prefix))
		}
	}
	return folders, nil
}

func (c *Client) pages(ctx context.Context, in *awss3.ListObjectsV2Input) iter.Seq2[*awss3.ListObjectsV2Output, error] {
	return func(yield func(*awss3.ListObjectsV2Output, error) bool) {
		in := *in // a sequence may be ranged over again
		in.Bucket = &c.bucket.Name
		for {
			out, err := call(ctx, c, "", func(api *awss3.Client) (*awss3.ListObjectsV2Output, error) {
				return api.ListObjectsV2(ctx, &in)
			})
			if !yield(out, err) || err != nil {
				return
			}
			// A server that says there is more but not where to go on would
			// send the same page for ever.
			if !aws.ToBool(out.IsTruncated) || aws.ToString(out.NextContinuationToken) == "" {
				return
			}
			in.ContinuationToken = out.NextContinuationToken
		}
	}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/trailbell/trailbell/internal/generator"
	"github.com/trailbell/trailbell/internal/s3"
	"github.com/trailbell/trailbell/internal/seeder"
)

func generateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "generate",
		GroupID: "tools",
		Short:   "Grow a made-up trail into a directory or an S3 server",
		Long: `Examples:
  trailbell generate --dir ./logs --records 100000 --attacks
  trailbell generate --bucket my-trail --endpoint http://127.0.0.1:7070

Grows a CloudTrail trail of the last days whose sizes and shares are those of
real ones. Account numbers, addresses and names are reserved for documentation.
With --attacks it has in it what the shipped rules ring for.

It writes into a directory, or into an S3 server of your own, for which it waits
up to a minute; never into AWS. Keys for the server come from --profile or the
environment.`,
		Args: noArgs,
	}
	var (
		flags   = cmd.Flags()
		dir     = flags.String("dir", "", "directory to write files into")
		create  = flags.Bool("create-bucket", false, "make the bucket if it is not there")
		records = flags.Int("records", 20_000, "records in all")
		perFile = flags.Int("records-per-file", 0, "records in a file; 0 is as in a small account, 53 on average")
		seed    = flags.Uint64("seed", 1, "which trail to grow")
		attacks = flags.Bool("attacks", false, "plant every attack that the shipped rules know")
		days    = flags.Int("days", 2, "days of the trail, up to now")
		bucket  s3.Bucket
	)
	flags.StringVar(&bucket.Name, "bucket", "", "bucket to write into")
	flags.StringVar(&bucket.Endpoint, "endpoint", "", "URL of the S3 server")
	flags.StringVar(&bucket.Prefix, "prefix", "", "what stands before AWSLogs/")
	flags.StringVar(&bucket.Profile, "profile", "", "profile of ~/.aws")
	flags.StringVar(&bucket.Region, "region", "", "region of the server")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkPlace(*dir, bucket); err != nil {
			return err
		}
		if *days < 1 || *days > 366 {
			return fmt.Errorf("--days: %d is not from 1 to 366", *days)
		}
		end := time.Now()
		o := generator.Options{
			Seed: *seed, Records: *records, RecordsPerFile: *perFile, Prefix: bucket.Prefix,
			// An hour less: what is delivered first belongs to the first day.
			Start: end.Add(-time.Duration(*days)*24*time.Hour + time.Hour), End: end,
		}
		if *attacks {
			o.Attacks = generator.Attacks()
		}
		trail, err := generator.New(o)
		if err != nil {
			return err
		}
		target, name := seeder.Target(seeder.Dir(*dir)), *dir
		if *dir == "" {
			if target, err = reach(cmd, bucket, *create); err != nil {
				return err
			}
			name = "s3://" + bucket.Name
		}
		sown, err := seeder.Sow(cmd.Context(), trail, target)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s records in %s objects, %s\n%s",
			name, humanize.Comma(int64(sown.Records)), humanize.Comma(int64(sown.Objects)), humanize.Bytes(uint64(sown.Bytes)), ringing(trail.Planted()))
		return err
	}
	return cmd
}

// checkPlace makes sure that it is said where to write, and that it is not AWS.
func checkPlace(dir string, b s3.Bucket) error {
	switch {
	case dir != "" && (b.Name != "" || b.Endpoint != ""):
		return errors.New("--dir and --bucket: write into one of them")
	case dir != "":
		return nil
	case b.Name == "":
		return errors.New("there is nowhere to write to; name a directory with --dir, or a bucket with --bucket and its server with --endpoint")
	case b.Endpoint == "":
		return errors.New("--bucket needs --endpoint, the URL of an S3 server of your own: made-up logs do not belong into AWS")
	}
	return seeder.Guard(b.Endpoint)
}

func reach(cmd *cobra.Command, b s3.Bucket, create bool) (*s3.Client, error) {
	client, err := s3.Open(cmd.Context(), b)
	if err != nil {
		return nil, err
	}
	err = seeder.Reach(cmd.Context(), client, create, seeder.DefaultPatience, func(error) {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "waiting for %s\n", b.Endpoint)
	})
	if s3.KindOf(err) == s3.NoBucket {
		return nil, fmt.Errorf("%w; --create-bucket makes it", err)
	}
	return client, err
}

// ringing says which rules have to ring, and how often.
func ringing(planted []generator.Planted) string {
	if len(planted) == 0 {
		return ""
	}
	var rules []string
	times := map[string]int{}
	for _, p := range planted {
		if times[p.Rule]++; !slices.Contains(rules, p.Rule) {
			rules = append(rules, p.Rule)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "The shipped rules have to ring %d alerts:\n", len(planted))
	for _, r := range rules {
		fmt.Fprintf(&b, "  %3d %s\n", times[r], r)
	}
	return b.String()
}

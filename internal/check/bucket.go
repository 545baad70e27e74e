package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/trailbell/trailbell/internal/app"
	"github.com/trailbell/trailbell/internal/cloudtrail"
	"github.com/trailbell/trailbell/internal/listing"
	"github.com/trailbell/trailbell/internal/s3"
	"github.com/trailbell/trailbell/services/lister"
)

// late is the age beyond which the newest object is worth a word. CloudTrail
// delivers on average within 5 minutes of a call ("How CloudTrail works"); an
// account in which nothing happens gets nothing.
const late = time.Hour

func bucket(ctx context.Context, in Input, b app.Bucket) Section {
	s, now := steps{timeout: in.Timeout}, in.Now
	var (
		client *s3.Client
		trails []lister.Trail
		last   newest
		watch  = in.Config.Lister.Watch(b, now)
	)
	s.run(ctx, "credentials", func(ctx context.Context) Item {
		var err error
		if client, err = s3.Open(ctx, b.Bucket); err != nil {
			return failed(err)
		}
		return ok("found")
	})
	s.run(ctx, "caller", func(ctx context.Context) Item { return caller(ctx, client) })
	s.run(ctx, "list", func(ctx context.Context) Item {
		folders, err := client.Folders(ctx, "")
		if err != nil {
			return failed(err)
		}
		return ok("%s at the top, in region %s", count(len(folders), "folder"), client.Region())
	})
	s.run(ctx, "layout", func(ctx context.Context) Item {
		var err error
		if trails, _, err = lister.Discover(ctx, client, watch.Scope); err != nil {
			return failed(err)
		}
		return ok("%s", layout(trails))
	})
	s.run(ctx, "newest", func(ctx context.Context) Item {
		var err error
		if last, err = findNewest(ctx, client, trails); err != nil {
			return failed(err)
		}
		return last.age(now, watch.Start(now))
	})
	s.run(ctx, "get", func(ctx context.Context) Item {
		if last.object.Key == "" {
			return skipped("there is no object to get")
		}
		return get(ctx, client, last.object)
	})
	title := "Bucket " + b.Name
	if b.Prefix != "" {
		title += ", prefix " + b.Prefix
	}
	if b.Profile != "" {
		title += ", profile " + b.Profile
	}
	if b.Endpoint != "" {
		title += ", at " + b.Endpoint
	}
	return Section{Title: title, Items: s.items}
}

// caller says who the credentials belong to. Nothing depends on it.
func caller(ctx context.Context, c *s3.Client) Item {
	who, err := c.Caller(ctx)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return skipped("not asked: %s is not AWS", c.Endpoint())
	case err != nil:
		return odd("STS did not say: %v", err)
	}
	return ok("%s of account %s", who.ARN, who.Account)
}

// layout counts what was found and names the first few.
func layout(trails []lister.Trail) string {
	organizations, accounts, regions := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, t := range trails {
		if t.Organization != "" {
			organizations[t.Organization] = true
		}
		accounts[t.Account], regions[t.Region] = true, true
	}
	var parts []string
	for _, p := range []struct {
		one   string
		names map[string]bool
	}{{"organization", organizations}, {"account", accounts}, {"region", regions}} {
		if names := slices.Sorted(maps.Keys(p.names)); len(names) > 0 {
			parts = append(parts, fmt.Sprintf("%s (%s)", count(len(names), p.one), some(names)))
		}
	}
	return strings.Join(parts, ", ")
}

// age judges the newest object.
func (n newest) age(now, start time.Time) Item {
	where := ""
	if n.looked < n.trails {
		where = fmt.Sprintf(" (in %d of %d trails)", n.looked, n.trails)
	}
	if n.object.Key == "" {
		if where != "" {
			return odd("no log object found%s", where)
		}
		return failed(errors.New("there are folders and no log object in them; see whether the trail is logging with `aws cloudtrail get-trail-status --name TRAIL`"))
	}
	at := n.key.Delivered.Format("2006-01-02 15:04") + " UTC"
	old := now.Sub(n.key.Delivered)
	switch {
	case old < -late:
		return odd("delivered %s%s, which is in the future; set the clock of this machine, for example with NTP", at, where)
	case old <= late:
		return ok("delivered %s, %s ago%s", at, ago(old), where)
	}
	text := fmt.Sprintf("delivered %s, %s ago%s; CloudTrail delivers within about 15 minutes when something happens: see whether the trail is logging with `aws cloudtrail get-trail-status --name TRAIL`",
		at, ago(old), where)
	if n.key.Delivered.Before(start) {
		text += fmt.Sprintf("; `trailbell up` begins with %s, --since takes an earlier day", start.Format(time.DateOnly))
	}
	return odd("%s", text)
}

// ago writes a time span in its largest unit.
func ago(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// get reads the beginning of an object as the fetcher does.
func get(ctx context.Context, c *s3.Client, o listing.Object) Item {
	body, _, err := c.Open(ctx, o.Key)
	if err != nil {
		return failed(err)
	}
	defer body.Close()
	broken := func(err error) Item {
		return failed(fmt.Errorf("s3://%s/%s: %w; look at the object with `aws s3 cp`", c.Bucket().Name, o.Key, err))
	}
	content, err := cloudtrail.Open(body, cloudtrail.OpenOptions{})
	if err != nil {
		return broken(err)
	}
	defer content.Close()
	cutter := cloudtrail.NewCutter(content, cloudtrail.CutterOptions{})
	slice, err := cutter.Next()
	if err != nil && err != io.EOF {
		return broken(err)
	}
	records := count(len(slice.Starts), "record")
	if err == nil {
		if _, err = cutter.Next(); err == nil {
			records = "more than " + records
		}
	}
	return ok("%s, %s, can be read", humanize.Bytes(uint64(max(o.Size, 0))), records)
}

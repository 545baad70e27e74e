// Package seeder brings made-up trails to where logs lie: into a bucket, or
// into a directory.
package seeder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/trailbell/trailbell/internal/generator"
	"github.com/trailbell/trailbell/internal/s3"
)

// Target is where objects are put. An s3.Client is one.
type Target interface {
	Put(ctx context.Context, key string, content []byte) error
}

// Dir is a directory as a Target: a key is a path below it. A file that is
// there is replaced, as an object is.
type Dir string

// Put writes a file, and the folders that it is in.
func (d Dir) Put(_ context.Context, key string, content []byte) error {
	if !filepath.IsLocal(key) {
		return fmt.Errorf("key %q leads out of the directory", key)
	}
	path := filepath.Join(string(d), filepath.FromSlash(key))
	err := os.WriteFile(path, content, 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			err = os.WriteFile(path, content, 0o644)
		}
	}
	return err
}

// Sown is what was put.
type Sown struct {
	Objects, Records int
	// Bytes of the objects, compressed, and Content, decompressed.
	Bytes, Content int64
}

// parallel is how many objects are put at a time. Growing one takes about as
// long as a server on the same machine takes to store it.
const parallel = 8

// Sow puts every object of a trail. An error ends it; what was put stays.
func Sow(ctx context.Context, trail *generator.Trail, to Target) (Sown, error) {
	var s Sown
	g, putting := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for o := range trail.Objects() {
		if putting.Err() != nil {
			break
		}
		s.Objects++
		s.Records += o.Records
		s.Bytes += int64(len(o.Body))
		s.Content += int64(o.Bytes)
		g.Go(func() error { return to.Put(putting, o.Key, o.Body) })
	}
	if err := cmp.Or(g.Wait(), ctx.Err()); err != nil {
		return Sown{}, err
	}
	return s, nil
}

// Guard refuses an endpoint that belongs to AWS: made-up logs in a bucket of
// real ones would be there for good.
func Guard(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return fmt.Errorf("--endpoint: %w", err)
	}
	for _, domain := range []string{"amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "api.aws"} {
		if host := strings.ToLower(u.Hostname()); host == domain || strings.HasSuffix(host, "."+domain) {
			return fmt.Errorf("--endpoint: %s is AWS, and made-up logs do not belong there; give an S3 server of your own", u.Host)
		}
	}
	return nil
}

// Patience is how long Reach waits for a server, and how often it asks.
type Patience struct{ Limit, Step time.Duration }

// DefaultPatience is enough for a server that is started at the same time.
var DefaultPatience = Patience{Limit: time.Minute, Step: 500 * time.Millisecond}

// Reach waits until the server answers, and makes the bucket if create says so.
// Waiting is told once that there is none yet. An answer that is an error, such
// as 404 for a bucket that is not to be made, is not waited out.
func Reach(ctx context.Context, client *s3.Client, create bool, p Patience, waiting func(error)) error {
	ctx, cancel := context.WithTimeout(ctx, p.Limit)
	defer cancel()
	step := time.NewTicker(p.Step)
	defer step.Stop()
	var last error
	for {
		err := knock(ctx, client, create)
		switch s3.KindOf(err) {
		case s3.Unreachable, s3.ServerError:
		default:
			return err
		}
		// The limit itself looks like a server that does not answer.
		if last == nil {
			waiting(err)
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("%w (waited %s)", last, p.Limit)
			}
			return ctx.Err()
		case <-step.C:
		}
	}
}

func knock(ctx context.Context, client *s3.Client, create bool) error {
	if create {
		return client.Create(ctx)
	}
	_, err := client.Folders(ctx, "AWSLogs/")
	return err
}

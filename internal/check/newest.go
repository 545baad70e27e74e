package check

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/trailbell/trailbell/internal/cloudtrail"
	"github.com/trailbell/trailbell/internal/listing"
	"github.com/trailbell/trailbell/services/lister"
)

const (
	// mostTrails is how many trails are looked into, at four requests and more
	// each: an organization can have thousands.
	mostTrails = 24
	parallel   = 8
)

// globalRegion is where CloudTrail puts the events of global services such as
// IAM and STS, and so the region least likely to be silent.
const globalRegion = "us-east-1"

// newest is the log object that was delivered last, as far as it was looked
// for.
type newest struct {
	object listing.Object // without a key when there is none
	key    cloudtrail.Key
	// looked is how many of the trails were looked into.
	looked, trails int
}

// findNewest looks for the newest log object.
func findNewest(ctx context.Context, source lister.Source, trails []lister.Trail) (newest, error) {
	chosen := choose(trails)
	n := newest{looked: len(chosen), trails: len(trails)}
	var mu sync.Mutex // of n
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, t := range chosen {
		g.Go(func() error {
			day, err := lastDay(ctx, source, t.Dir)
			if err != nil || day == "" {
				return err
			}
			for page, err := range source.Objects(ctx, day, "") {
				if err != nil {
					return err
				}
				mu.Lock()
				n.take(page)
				mu.Unlock()
			}
			return nil
		})
	}
	err := g.Wait()
	return n, err
}

func (n *newest) take(page []listing.Object) {
	for _, o := range page {
		key, err := cloudtrail.ParseKey(o.Key)
		if err == nil && key.IsLog() && (n.object.Key == "" || key.Delivered.After(n.key.Delivered)) {
			n.object, n.key = o, key
		}
	}
}

// lastDay is the folder of the last day below the folder of a trail, or empty.
// Years, months and days have a fixed width, so the last is the latest.
func lastDay(ctx context.Context, source lister.Source, dir string) (string, error) {
	for _, width := range []int{len("2006/"), len("01/"), len("02/")} {
		folders, err := source.Folders(ctx, dir)
		if err != nil {
			return "", err
		}
		folders = slices.DeleteFunc(folders, func(f string) bool { return len(f) != len(dir)+width })
		if len(folders) == 0 {
			return "", nil
		}
		dir = folders[len(folders)-1]
	}
	return dir, nil
}

// choose takes at most mostTrails trails: those of the global region first,
// else evenly over all there are.
func choose(trails []lister.Trail) []lister.Trail {
	order := slices.Clone(trails)
	slices.SortStableFunc(order, func(a, b lister.Trail) int {
		return cmp.Compare(rank(a), rank(b))
	})
	global := 0
	for global < len(order) && rank(order[global]) == 0 {
		global++
	}
	chosen := spread(order[:global], mostTrails)
	return append(chosen, spread(order[global:], mostTrails-len(chosen))...)
}

func rank(t lister.Trail) int {
	if t.Region == globalRegion {
		return 0
	}
	return 1
}

// spread takes at most n elements at even distances.
func spread(trails []lister.Trail, n int) []lister.Trail {
	if len(trails) <= n {
		return slices.Clone(trails)
	}
	taken := make([]lister.Trail, n)
	for i := range taken {
		taken[i] = trails[i*len(trails)/n]
	}
	return taken
}

package check

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/trailbell/trailbell/internal/app"
)

// defaultTimeout bounds a single check. What takes longer would not work well
// either.
const defaultTimeout = 10 * time.Second

// Input is what to look at.
type Input struct {
	// File is the configuration file; empty when there is none.
	File string
	// Config is the effective configuration.
	Config app.Config
	// Err is what is wrong with the configuration, a line each. Nothing else is
	// looked at then.
	Err error
	// Now is the time that the age of objects is measured against.
	Now time.Time
	// Timeout bounds each single check; 10 s when zero.
	Timeout time.Duration
}

// Run looks at everything, buckets side by side, and hands over each section
// as soon as it and those before are complete. The error is that of ctx.
func Run(ctx context.Context, in Input, emit func(Section)) error {
	if in.Timeout <= 0 {
		in.Timeout = defaultTimeout
	}
	emit(configuration(in))
	if in.Err != nil {
		emit(Section{Title: "Everything else", Items: []Item{
			{Skipped, "skipped", "not looked at, since the configuration has errors"},
		}})
		return ctx.Err()
	}
	emit(ruleset(in.Config.Correlator))
	buckets := make([]chan Section, len(in.Config.Lister.Buckets))
	for i, b := range in.Config.Lister.Buckets {
		buckets[i] = make(chan Section, 1)
		go func() { buckets[i] <- bucket(ctx, in, b) }()
	}
	emit(bus(ctx, in))
	for _, b := range buckets {
		emit(<-b)
	}
	if len(buckets) == 0 {
		emit(Section{Title: "Buckets", Items: []Item{
			{Skipped, "none", "name one with --bucket, or under lister.buckets in a configuration file"},
		}})
	}
	return ctx.Err()
}

// steps runs checks in order, of which each needs those before.
type steps struct {
	timeout time.Duration // of each
	items   []Item
	// failed is the first check that failed.
	failed string
}

// run adds a check, or that it was skipped.
func (s *steps) run(ctx context.Context, name string, check func(context.Context) Item) {
	if s.failed != "" {
		s.items = append(s.items, Item{Skipped, name, fmt.Sprintf("needs %q", s.failed)})
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	i := check(ctx)
	i.Name = name
	if i.Status == Failed {
		s.failed = name
	}
	s.items = append(s.items, i)
}

func ok(format string, args ...any) Item {
	return Item{Status: OK, Text: fmt.Sprintf(format, args...)}
}

func odd(format string, args ...any) Item {
	return Item{Status: Odd, Text: fmt.Sprintf(format, args...)}
}

func skipped(format string, args ...any) Item {
	return Item{Status: Skipped, Text: fmt.Sprintf(format, args...)}
}

func failed(err error) Item { return Item{Status: Failed, Text: err.Error()} }

// each makes an item of every line of an error.
func each(name string, status Status, err error) []Item {
	var items []Item
	for line := range strings.SplitSeq(err.Error(), "\n") {
		items = append(items, Item{status, name, line})
	}
	return items
}

// count is "1 rule", "2 rules".
func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// mostNamed is how many of many things are named.
const mostNamed = 3

// some names the first few.
func some(names []string) string {
	if more := len(names) - mostNamed; more > 0 {
		return strings.Join(names[:mostNamed], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}

package lister

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/trailbell/trailbell/internal/cloudtrail"
)

// Empty says that a bucket has no trail where it was looked for, and what it
// has instead. It need not be a mistake: the first files of a new trail take
// some minutes.
type Empty struct {
	// Root is the folder that was looked into, [prefix/]AWSLogs/.
	Root string
	// Folders are at the top of the bucket.
	Folders []string
	// Prefixes are those below which there is a folder AWSLogs/.
	Prefixes []string
	// Accounts have logs and are not among those wanted.
	Accounts []string
}

// Most folders that are named, and that are looked into for AWSLogs/.
const mostNamed = 10

func (e *Empty) Error() string {
	text := fmt.Sprintf("there are no logs of CloudTrail below %q", e.Root)
	switch {
	case len(e.Accounts) > 0:
		return text + fmt.Sprintf(" for the accounts given; there are others: %s", some(e.Accounts))
	case len(e.Prefixes) > 0:
		var flags []string
		for _, prefix := range e.Prefixes {
			flags = append(flags, fmt.Sprintf("--prefix %q", strings.TrimSuffix(prefix, "/")))
		}
		return text + "; try " + strings.Join(flags, " or ")
	case len(e.Folders) > 0:
		return text + fmt.Sprintf("; the bucket has the folders %s: if the logs are in one of them, give it with --prefix", some(e.Folders))
	}
	return text + "; the bucket has no folders at all: the first files of a new trail take about 15 minutes"
}

func some(names []string) string {
	if more := len(names) - mostNamed; more > 0 {
		return strings.Join(names[:mostNamed], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}

// empty looks around, at the price of a few requests.
func (d *discovery) empty(ctx context.Context) error {
	base, _ := d.scope.split()
	e := &Empty{Root: cloudtrail.Key{Prefix: base}.RootDir(), Accounts: d.skipped}
	slices.Sort(e.Accounts)
	if len(e.Accounts) > 0 {
		return e
	}
	var err error
	if e.Folders, err = d.folders(ctx, ""); err != nil {
		return err
	}
	for _, folder := range append([]string{""}, e.Folders[:min(len(e.Folders), mostNamed)]...) {
		below := e.Folders
		if folder != "" {
			if below, err = d.folders(ctx, folder); err != nil {
				return err
			}
		}
		if folder != base && slices.Contains(below, folder+awsLogs+"/") {
			e.Prefixes = append(e.Prefixes, folder)
		}
	}
	return e
}

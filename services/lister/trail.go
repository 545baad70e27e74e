package lister

import (
	"context"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/trailbell/trailbell/internal/cloudtrail"
)

// Scope narrows down which trails of a bucket are listed.
type Scope struct {
	// Prefix is what stands before AWSLogs/, with or without a slash at its
	// end. A prefix that reaches into AWSLogs/ is understood too: then only
	// what is below it counts.
	Prefix string
	// Accounts and Regions are those wanted; all when empty.
	Accounts []string
	Regions  []string
}

// Trail is one folder [prefix/]AWSLogs/[o-ORG/]ACCOUNT/CloudTrail/REGION/.
type Trail struct {
	Organization, Account, Region string
	// Dir is the whole folder, with its slash.
	Dir string
}

var awsLogs = path.Base(cloudtrail.Key{}.RootDir())

// split takes apart a prefix as people give it: base is what stands before
// AWSLogs/; within is the folder that everything has to be below, or empty.
func (s Scope) split() (base, within string) {
	folders := strings.FieldsFunc(s.Prefix, func(r rune) bool { return r == '/' })
	if len(folders) == 0 {
		return "", ""
	}
	for i, folder := range slices.Backward(folders) {
		if folder == awsLogs {
			within = strings.Join(folders, "/") + "/"
			folders = folders[:i]
			break
		}
	}
	if len(folders) > 0 {
		base = strings.Join(folders, "/") + "/"
	}
	return base, within
}

// along reports whether a folder is below the other or on the way to it.
func along(folder, within string) bool {
	return strings.HasPrefix(folder, within) || strings.HasPrefix(within, folder)
}

func wanted(names []string, name string) bool {
	return len(names) == 0 || slices.Contains(names, name)
}

// Discover finds the trails of a bucket by its folders, in ascending order.
// The report counts the requests. When there is no trail the error is an
// *Empty, which says what there is instead.
func Discover(ctx context.Context, source Source, scope Scope) ([]Trail, Report, error) {
	d := discovery{source: source, scope: scope}
	trails, err := d.trails(ctx)
	report := Report{Trails: len(trails), Requests: d.requests}
	if err == nil && len(trails) == 0 {
		err = d.empty(ctx)
		report.Requests = d.requests
	}
	return trails, report, err
}

type discovery struct {
	source Source
	scope  Scope

	mu       sync.Mutex
	requests int
	skipped  []string // accounts that are there and were not wanted
}

func (d *discovery) folders(ctx context.Context, prefix string) ([]string, error) {
	folders, err := d.source.Folders(ctx, prefix)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.requests += folderRequests(len(folders))
	return folders, err
}

func (d *discovery) trails(ctx context.Context) ([]Trail, error) {
	accounts, err := d.accounts(ctx)
	if err != nil {
		return nil, err
	}
	found := make([][]Trail, len(accounts))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(defaultParallel)
	for i, account := range accounts {
		group.Go(func() error {
			regions, err := d.regions(ctx, account)
			found[i] = regions
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(found...), nil
}

func (d *discovery) accounts(ctx context.Context) ([]cloudtrail.Key, error) {
	base, within := d.scope.split()
	var accounts []cloudtrail.Key
	take := func(folder, organization string) {
		key := cloudtrail.Key{Prefix: base, Organization: organization, Account: path.Base(folder)}
		switch {
		case !cloudtrail.IsAccount(key.Account) || !along(folder, within):
		case !wanted(d.scope.Accounts, key.Account):
			d.skipped = append(d.skipped, key.Account)
		default:
			accounts = append(accounts, key)
		}
	}
	top, err := d.folders(ctx, cloudtrail.Key{Prefix: base}.RootDir())
	if err != nil {
		return nil, err
	}
	for _, folder := range top {
		organization := path.Base(folder)
		if !cloudtrail.IsOrganization(organization) || !along(folder, within) {
			take(folder, "")
			continue
		}
		members, err := d.folders(ctx, folder)
		if err != nil {
			return nil, err
		}
		for _, member := range members {
			take(member, organization)
		}
	}
	return accounts, nil
}

func (d *discovery) regions(ctx context.Context, account cloudtrail.Key) ([]Trail, error) {
	_, within := d.scope.split()
	if !along(account.KindDir(), within) {
		return nil, nil
	}
	folders, err := d.folders(ctx, account.KindDir())
	if err != nil {
		return nil, err
	}
	var trails []Trail
	for _, folder := range folders {
		region := path.Base(folder)
		if cloudtrail.IsRegion(region) && along(folder, within) && wanted(d.scope.Regions, region) {
			trails = append(trails, Trail{
				Organization: account.Organization, Account: account.Account, Region: region, Dir: folder,
			})
		}
	}
	return trails, nil
}

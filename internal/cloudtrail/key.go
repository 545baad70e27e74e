package cloudtrail

import (
	"fmt"
	"strings"
	"time"
)

// Kinds of object that CloudTrail delivers side by side. The kind is a folder
// of the key and is repeated in the file name.
const (
	KindLog             = "CloudTrail"
	KindDigest          = "CloudTrail-Digest"
	KindInsight         = "CloudTrail-Insight"
	KindNetworkActivity = "CloudTrail-NetworkActivity"
	KindAggregated      = "CloudTrail-Aggregated"
)

const (
	rootFolder  = "AWSLogs"
	extension   = ".json.gz"
	minuteStamp = "20060102T1504Z"
	secondStamp = "20060102T150405Z"
	dayFolders  = "2006/01/02"
)

// Key is the key of an object that CloudTrail delivered, taken apart:
//
//	[prefix/]AWSLogs/[o-ORG/]ACCOUNT/KIND/REGION/YYYY/MM/DD/ACCOUNT_KIND_REGION_YYYYMMDDTHHMMZ_SUFFIX.json.gz
//
// as in "Finding your CloudTrail log files" of the CloudTrail user guide. A
// digest ends in ..._REGION_TRAIL_HOMEREGION_YYYYMMDDTHHMMSSZ.json.gz instead.
//
// A Key of which only the first fields are set names a folder: see the methods
// RootDir, AccountDir, KindDir, RegionDir and DayDir.
type Key struct {
	// Prefix is all that stands before AWSLogs/, with its trailing slash; empty
	// for most trails.
	Prefix string
	// Organization is the o-… folder of an organization trail, else empty.
	Organization string
	// Account is the 12-digit account number.
	Account string
	// Kind is the folder below the account, one of the Kind constants or a
	// later sibling of theirs.
	Kind string
	// Region is the region whose events the object holds.
	Region string
	// Day is the day of the folder, midnight UTC.
	Day time.Time
	// Delivered is the stamp of the file name: to the minute, for a digest to
	// the second, UTC. The events inside are up to 15 minutes and more older.
	Delivered time.Time
	// Suffix is the random part of the file name. It has no order: a file
	// delivered later can sort earlier. For a digest it is TRAIL_HOMEREGION.
	Suffix string
}

// ParseKey takes a key apart. The key is as S3 lists it, never URL-encoded.
// The error says which part is not as CloudTrail writes it; it does not mean
// that the object holds no records, only that its key has another layout.
func ParseKey(key string) (Key, error) {
	fail := func(format string, args ...any) (Key, error) {
		return Key{}, fmt.Errorf("key %q is not CloudTrail's: %s", key, fmt.Sprintf(format, args...))
	}
	// From the end, since the prefix may hold any number of slashes and even a
	// folder named AWSLogs.
	rest, file := cutLast(key)
	rest, day := cutLast(rest)
	rest, month := cutLast(rest)
	rest, year := cutLast(rest)
	rest, region := cutLast(rest)
	rest, kind := cutLast(rest)
	rest, account := cutLast(rest)

	k := Key{Account: account, Kind: kind, Region: region}
	switch {
	case !IsAccount(account):
		return fail("%q stands where the account belongs, and is not 12 digits", account)
	case !IsKind(kind):
		return fail("%q stands where CloudTrail or one of its siblings belongs", kind)
	case !IsRegion(region):
		return fail("%q stands where the region belongs", region)
	}
	if before, last := cutLast(rest); IsOrganization(last) {
		k.Organization, rest = last, before
	}
	if rest != rootFolder && !strings.HasSuffix(rest, "/"+rootFolder) {
		return fail("there is no folder %s/ above the account", rootFolder)
	}
	k.Prefix = rest[:len(rest)-len(rootFolder)]

	date := year + "/" + month + "/" + day
	t, err := time.Parse(dayFolders, date)
	if err != nil {
		return fail("%q is not a day, YYYY/MM/DD", date)
	}
	k.Day = t

	name, ok := strings.CutSuffix(file, extension)
	if !ok {
		return fail("the file name does not end in %s", extension)
	}
	head := account + "_" + kind + "_" + region + "_"
	name, ok = strings.CutPrefix(name, head)
	if !ok {
		return fail("the file name does not begin with %s as its folders do", head)
	}
	stamp, layout := "", minuteStamp
	if kind == KindDigest {
		// A trail's name may hold underscores, so the stamp is what is last.
		if i := strings.LastIndexByte(name, '_'); i > 0 {
			k.Suffix, stamp = name[:i], name[i+1:]
		}
		layout = secondStamp
	} else {
		stamp, k.Suffix, _ = strings.Cut(name, "_")
	}
	if k.Suffix == "" {
		return fail("the file name lacks its random part")
	}
	if k.Delivered, err = time.Parse(layout, stamp); err != nil || len(stamp) != len(layout) {
		return fail("%q in the file name is not a time, %s", stamp, layout)
	}
	return k, nil
}

// IsLog reports whether the object holds management and data events, which is
// what rules are written for. Digests, insights, network activity and
// aggregates stand beside the logs and are not logs.
func (k Key) IsLog() bool { return k.Kind == KindLog }

// String gives the key back: ParseKey(k.String()) is k.
func (k Key) String() string {
	head := k.DayDir() + k.Account + "_" + k.Kind + "_" + k.Region + "_"
	if k.Kind == KindDigest {
		return head + k.Suffix + "_" + k.Delivered.UTC().Format(secondStamp) + extension
	}
	return head + k.Delivered.UTC().Format(minuteStamp) + "_" + k.Suffix + extension
}

// RootDir is the folder of the accounts, [prefix/]AWSLogs/[o-ORG/]. A prefix
// may be given with its trailing slash or without.
func (k Key) RootDir() string {
	prefix := k.Prefix
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	if k.Organization != "" {
		return prefix + rootFolder + "/" + k.Organization + "/"
	}
	return prefix + rootFolder + "/"
}

// AccountDir is the folder of one account, RootDir and ACCOUNT/. Its children
// are the kinds, and folders of other services such as Config.
func (k Key) AccountDir() string { return k.RootDir() + k.Account + "/" }

// KindDir is the folder of one kind of object, AccountDir and KIND/, for the
// logs when Kind is empty. Its children are the regions.
func (k Key) KindDir() string {
	kind := k.Kind
	if kind == "" {
		kind = KindLog
	}
	return k.AccountDir() + kind + "/"
}

// RegionDir is the folder of one region, KindDir and REGION/. Its children are
// the years.
func (k Key) RegionDir() string { return k.KindDir() + k.Region + "/" }

// DayDir is the folder of one day, RegionDir and YYYY/MM/DD/. Its children are
// the objects.
func (k Key) DayDir() string { return k.RegionDir() + k.Day.UTC().Format(dayFolders) + "/" }

// IsOrganization reports whether a folder name is an organization's id: o-
// and 10 to 32 small letters or digits (Organizations API, type
// OrganizationId).
func IsOrganization(name string) bool {
	id, ok := strings.CutPrefix(name, "o-")
	if !ok || len(id) < 10 || len(id) > 32 {
		return false
	}
	for i := range len(id) {
		if !isDigit(id[i]) && !isLower(id[i]) {
			return false
		}
	}
	return true
}

// IsAccount reports whether a folder name is an account number: 12 digits.
func IsAccount(name string) bool {
	if len(name) != 12 {
		return false
	}
	for i := range len(name) {
		if !isDigit(name[i]) {
			return false
		}
	}
	return true
}

// IsKind reports whether a folder name is CloudTrail or a sibling of it,
// CloudTrail-….
func IsKind(name string) bool {
	rest, ok := strings.CutPrefix(name, KindLog)
	if !ok || rest != "" && (rest[0] != '-' || len(rest) == 1) {
		return false
	}
	for i := 1; i < len(rest); i++ {
		if c := rest[i]; !isDigit(c) && !isLower(c|0x20) && c != '-' {
			return false
		}
	}
	return true
}

// IsRegion reports whether a folder name could be a region: small letters,
// digits and at least one dash, such as us-gov-west-1. The list of regions
// grows too often to be kept here.
func IsRegion(name string) bool {
	for i := range len(name) {
		if !isDigit(name[i]) && !isLower(name[i]) && name[i] != '-' {
			return false
		}
	}
	return strings.Contains(name, "-")
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isLower(c byte) bool { return 'a' <= c && c <= 'z' }

// cutLast splits a path before its last slash. Without one, all of it is the
// name.
func cutLast(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

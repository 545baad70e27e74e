// Package listing holds what every source of log objects says about one of
// them, so that a bucket and a directory can stand in for each other.
package listing

import "time"

// Object is one line of a listing.
type Object struct {
	// Key is the whole key as S3 lists it, never URL-encoded; the path with
	// slashes for a file.
	Key string
	// Size is the stored, that is the compressed, size in bytes.
	Size int64
	// Modified is when the object was last written; zero when unknown.
	Modified time.Time
}

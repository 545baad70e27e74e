package lister

import "time"

// Report is what listings have come to, for a line in the log, metrics, and
// the estimate before a scan.
type Report struct {
	// Trails is how many folders ACCOUNT/CloudTrail/REGION there are.
	Trails int
	// Requests is how many listing requests were made, retries not counted.
	Requests int
	// Listed is how many keys came back, known and unknown.
	Listed int
	// New is how many of them were published, or would be in a scan; Bytes is
	// their compressed size.
	New   int
	Bytes int64
	// Ignored is how many of them are no logs of CloudTrail.
	Ignored int
	// Newest is the latest delivery time among the logs listed; zero without
	// any.
	Newest time.Time
}

// Add adds another report to r.
func (r *Report) Add(other Report) {
	r.Trails += other.Trails
	r.Requests += other.Requests
	r.Listed += other.Listed
	r.New += other.New
	r.Bytes += other.Bytes
	r.Ignored += other.Ignored
	if other.Newest.After(r.Newest) {
		r.Newest = other.Newest
	}
}

// pageKeys is the most that S3 puts into one answer (ListObjectsV2, MaxKeys).
const pageKeys = 1000

// folderRequests is how many requests a listing of n folders was.
func folderRequests(n int) int { return max(1, (n+pageKeys-1)/pageKeys) }

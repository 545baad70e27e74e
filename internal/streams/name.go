package streams

// Streams, in the order in which a record meets them.
const (
	Keys    = "KEYS"    // one ObjectRef a log object; work queue
	Batches = "BATCHES" // slices of records; work queue
	Events  = "EVENTS"  // slices of validated records with columns in front
	Matches = "MATCHES" // which record counts for which group of a correlation
	Alerts  = "ALERTS"  // alerts, as others read them
	Dead    = "DEAD"    // what a stage could not process
)

// Required durable consumers. They are created with their streams, so that a
// stream which keeps only what fits cannot overtake a reader that has not
// started yet.
const (
	FetcherDurable = "fetcher" // on KEYS
	DecoderDurable = "decoder" // on BATCHES
	MatcherDurable = "matcher" // on EVENTS
)

// Buckets of the key-value store.
const (
	LeaseBucket    = "trailbell-leases"   // who works and who stands by
	ListerBucket   = "trailbell-lister"   // cursors and known keys
	ProgressBucket = "trailbell-progress" // how far the window owners have written alerts, and the sinks delivered
)

// Values that the streams carry as metadata.
const (
	metaVersion    = "trailbell.contract"
	metaPartitions = "trailbell.partitions"

	contract = "1"
)

// SinkDurable is the name of the durable consumer of a forwarder's sink on
// ALERTS.
func SinkDurable(sink string) string { return "sink-" + Token(sink) }

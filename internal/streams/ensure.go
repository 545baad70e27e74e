package streams

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Limits bound what the streams keep. Sizes are in bytes.
type Limits struct {
	Keys       int64 // default 64 MiB
	Batches    int64 // default 512 MiB
	Events     int64 // default 2 GiB
	Matches    int64 // default 512 MiB
	Alerts     int64 // default 1 GiB
	Dead       int64 // default 128 MiB
	Partitions int   // of MATCHES; fixed when the stream is created; default 16
	Replicas   int   // default 1
	Memory     bool  // keep the streams in memory: for tests
}

// DefaultLimits fit a volume of 8 GiB.
func DefaultLimits() Limits {
	return Limits{
		Keys:       64 << 20,
		Batches:    512 << 20,
		Events:     2 << 30,
		Matches:    512 << 20,
		Alerts:     1 << 30,
		Dead:       128 << 20,
		Partitions: 16,
		Replicas:   1,
	}
}

// Total is the sum of the limits: what the volume of the store must have room
// for, beside a reserve.
func (l Limits) Total() int64 {
	return l.Keys + l.Batches + l.Events + l.Matches + l.Alerts + l.Dead
}

const (
	// MaxPayload is what the server must accept in one message: a slice of
	// records, and a single record above the usual 256 kB, fit.
	MaxPayload = 8 << 20
	// PullBytes is how much a reader of large messages asks for at once. A
	// server never answers a reader that asks for less than its next message
	// takes, with subject and headers.
	PullBytes = MaxPayload + 1<<20
	// MaxMatches bounds a message of MATCHES, and MatchPullBytes what a reader
	// asks for at once: there is one a partition.
	MaxMatches     = 1 << 20
	MatchPullBytes = 2 * MaxMatches

	// duplicates is how long a stream remembers message ids: 156 B of memory
	// each, for four ids an object. Nearly all repeats come within the longest
	// wait for an acknowledgement. Those that come later cost their work again
	// and are hidden by the fold of the correlator.
	duplicates = 2 * time.Minute
	// alertDuplicates covers the horizon of the correlations.
	alertDuplicates = 24 * time.Hour

	ackWait     = 30 * time.Second
	keysAckWait = 60 * time.Second
)

func (l Limits) streams() []jetstream.StreamConfig {
	storage := jetstream.FileStorage
	if l.Memory {
		storage = jetstream.MemoryStorage
	}
	queue := func(name string, maxBytes int64, about string) jetstream.StreamConfig {
		return jetstream.StreamConfig{
			Name: name, Description: about, Subjects: []string{prefix + strings.ToLower(name) + ".>"},
			Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew,
			MaxBytes: maxBytes, Duplicates: duplicates,
		}
	}
	log := func(name string, maxBytes int64, age, duplicates time.Duration, about string) jetstream.StreamConfig {
		return jetstream.StreamConfig{
			Name: name, Description: about, Subjects: []string{prefix + strings.ToLower(name) + ".>"},
			Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
			MaxBytes: maxBytes, MaxAge: age, Duplicates: duplicates,
		}
	}
	const day = 24 * time.Hour
	all := []jetstream.StreamConfig{
		queue(Keys, l.Keys, "references to log objects"),
		queue(Batches, l.Batches, "slices of records"),
		log(Events, l.Events, 0, duplicates, "validated records with their hot fields"),
		log(Matches, l.Matches, 7*day, duplicates, "which record counts for which group of a correlation"),
		log(Alerts, l.Alerts, 90*day, alertDuplicates, "detections and correlations"),
		log(Dead, l.Dead, 30*day, alertDuplicates, "what a stage could not process, and why"),
	}
	for i := range all {
		all[i].Storage = storage
		all[i].Replicas = max(l.Replicas, 1)
		all[i].MaxMsgSize = MaxPayload
		all[i].Metadata = map[string]string{metaVersion: contract}
		switch all[i].Name {
		case Events:
			all[i].AllowDirect = true // evidence is read back from any replica
		case Matches:
			all[i].Metadata[metaPartitions] = strconv.Itoa(l.Partitions)
		}
	}
	return all
}

func consumers() map[string]jetstream.ConsumerConfig {
	durable := func(name string, wait time.Duration, pending int) jetstream.ConsumerConfig {
		return jetstream.ConsumerConfig{
			Durable: name, AckPolicy: jetstream.AckExplicitPolicy, AckWait: wait,
			MaxDeliver: -1, MaxAckPending: pending, DeliverPolicy: jetstream.DeliverAllPolicy,
		}
	}
	return map[string]jetstream.ConsumerConfig{
		Keys:    durable(FetcherDurable, keysAckWait, 1024),
		Batches: durable(DecoderDurable, ackWait, 512),
		Events:  durable(MatcherDurable, ackWait, 512),
	}
}

// Ensure creates the streams, their required consumers and the key-value
// buckets that do not exist yet. It may be called by several processes at
// once. An existing stream keeps its limits, unless adopt says that ours go:
// for the embedded server, whose only user we are.
//
// An existing stream that Trailbell could not work with is an
// *IncompatibleError.
func Ensure(ctx context.Context, js jetstream.JetStream, l Limits, adopt bool) error {
	for _, want := range l.streams() {
		if err := ensureStream(ctx, js, want, adopt); err != nil {
			return err
		}
		c, ok := consumers()[want.Name]
		if !ok {
			continue
		}
		if _, err := js.CreateOrUpdateConsumer(ctx, want.Name, c); err != nil {
			return fmt.Errorf("create consumer %s on stream %s: %w", c.Durable, want.Name, err)
		}
	}
	storage := jetstream.FileStorage
	if l.Memory {
		storage = jetstream.MemoryStorage
	}
	for _, bucket := range []string{LeaseBucket, ListerBucket, ProgressBucket} {
		_, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: bucket, Storage: storage, Replicas: max(l.Replicas, 1), History: 1,
		})
		if err != nil && !errors.Is(err, jetstream.ErrBucketExists) {
			return fmt.Errorf("create key-value bucket %s: %w", bucket, err)
		}
	}
	return nil
}

func ensureStream(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, adopt bool) error {
	// Looked up first: a server counts the size of a stream that is created
	// again once more against its limit, and would refuse.
	s, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			s, err = js.Stream(ctx, want.Name) // another was faster
		}
		if err != nil {
			return fmt.Errorf("create stream %s: %w", want.Name, err)
		}
	}
	if err != nil {
		return fmt.Errorf("look at stream %s: %w", want.Name, err)
	}
	have := s.CachedInfo().Config
	if why := incompatible(want, have); why != "" {
		return &IncompatibleError{Stream: want.Name, Why: why}
	}
	if !adopt || have.MaxBytes == want.MaxBytes && have.MaxAge == want.MaxAge && have.Duplicates == want.Duplicates {
		return nil
	}
	have.MaxBytes, have.MaxAge, have.Duplicates = want.MaxBytes, want.MaxAge, want.Duplicates
	if _, err := js.UpdateStream(ctx, have); err != nil {
		return fmt.Errorf("change the limits of stream %s: %w", want.Name, err)
	}
	return nil
}

// IncompatibleError says that a stream of one of our names exists and cannot
// be ours.
type IncompatibleError struct {
	Stream string
	Why    string
}

func (e *IncompatibleError) Error() string {
	return fmt.Sprintf("stream %s exists and is not one that this version can use: %s; use another NATS account, or remove it with `nats stream rm %s`",
		e.Stream, e.Why, e.Stream)
}

func incompatible(want, have jetstream.StreamConfig) string {
	switch {
	case !slices.Equal(want.Subjects, have.Subjects):
		return fmt.Sprintf("its subjects are %q, not %q", have.Subjects, want.Subjects)
	case want.Retention != have.Retention:
		return fmt.Sprintf("its retention is %v, not %v", have.Retention, want.Retention)
	case want.Discard != have.Discard:
		return fmt.Sprintf("its discard policy is %v, not %v", have.Discard, want.Discard)
	case have.Metadata[metaVersion] != contract:
		return fmt.Sprintf("its messages have version %q, not %q", have.Metadata[metaVersion], contract)
	case want.Metadata[metaPartitions] != have.Metadata[metaPartitions]:
		return fmt.Sprintf("it has %s partitions, not %s: they are fixed when the stream is created", have.Metadata[metaPartitions], want.Metadata[metaPartitions])
	case have.MaxMsgSize >= 0 && have.MaxMsgSize < want.MaxMsgSize:
		return fmt.Sprintf("it takes messages of %d bytes, not %d", have.MaxMsgSize, want.MaxMsgSize)
	}
	return ""
}

// PartitionsOf returns how many partitions a stream MATCHES was created with, 0
// if it does not say.
func PartitionsOf(matches jetstream.StreamConfig) int {
	n, _ := strconv.Atoi(matches.Metadata[metaPartitions])
	return n
}

// Reclaim gives up what an earlier run of this process held, so that it goes on
// at once and not after a time has run out: the messages that its consumers had
// been handed, and its leases. It is for an embedded server at its start, when
// hardly anybody else can hold anything; who does loses a lease, and with it
// the right to work but nothing of the work.
func Reclaim(ctx context.Context, js jetstream.JetStream) error {
	for stream, c := range consumers() {
		s, err := js.Stream(ctx, stream)
		if err != nil {
			return fmt.Errorf("look at stream %s: %w", stream, err)
		}
		if _, err := s.ResetConsumer(ctx, c.Durable); err != nil {
			return fmt.Errorf("reset consumer %s of stream %s: %w", c.Durable, stream, err)
		}
	}
	// Of a key-value bucket this is its stream.
	leases, err := js.Stream(ctx, "KV_"+LeaseBucket)
	if err != nil {
		return fmt.Errorf("look at key-value bucket %s: %w", LeaseBucket, err)
	}
	if err := leases.Purge(ctx); err != nil {
		return fmt.Errorf("empty key-value bucket %s: %w", LeaseBucket, err)
	}
	return nil
}

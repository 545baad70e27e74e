package correlator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/progress"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/window"
)

// owner folds MATCHES into groups and keeps ALERTS equal to their episodes.
//
//	MATCHES -> read -> fold -> groups -> due -> write -> ALERTS
//	                                              |
//	                                           progress
//
// Its state is a function of the prefix of the log that it has folded. It is
// rebuilt at each start: quietly up to the progress, where all alerts are known
// to be written, and writing from there.
type owner struct {
	Options
	rules    *sigma.Set
	books    *books
	progress *progress.Progress
	matches  jetstream.Stream
	metrics  *metrics
	log      *slog.Logger
	lost     func(n uint64)

	epoch     time.Time // of MATCHES
	created   int64     // when EVENTS was made, in milliseconds
	groups    map[string]*group
	chains    map[string]*window.Chain // their roots are among the groups
	unwritten map[*group]struct{}      // have something to say
	folded    uint64                   // sequence
	quiet     uint64                   // up to this sequence everything is written
	saved     uint64                   // progress as it was written last
	savedAt   time.Time
	size      int           // of all groups and chains
	stored    map[int64]int // the size by the second in which the log stored it
	swept     int64         // cutoff of the last sweep over all groups
}

func newOwner(o Options, rules *sigma.Set, s stores, b *books, m *metrics, log *slog.Logger) *owner {
	return &owner{
		Options: o, rules: rules, books: b, progress: s.progress, matches: s.matches, metrics: m, log: log, epoch: s.epoch,
		lost:    b.shell.Lost(log, streams.Matches),
		created: s.events.CachedInfo().Created.UnixMilli(),
		groups:  map[string]*group{}, chains: map[string]*window.Chain{}, unwritten: map[*group]struct{}{}, stored: map[int64]int{},
	}
}

// group is one group of one correlation.
type group struct {
	key key
	// window is filled, and made to forget, by its chain, if the correlation
	// is chained.
	window *window.Group
	book   book
	// since is the first sequence whose alerts are not written; 0: none.
	since uint64
	// due is when they may be.
	due time.Time
	// written is when the last revision was written.
	written time.Time
}

const (
	// saveEvery bounds how often the progress is written while there is work.
	saveEvery = 500 * time.Millisecond
	// atOnce is how many messages are folded before alerts are looked at.
	atOnce = 512
	// writers is how many groups are written at a time.
	writers = 8
	minute  = int64(time.Minute / time.Millisecond)
	second  = int64(time.Second / time.Millisecond)
)

// run works until ctx ends.
func (o *owner) run(ctx context.Context) error {
	quiet, err := o.progress.Read(ctx)
	if err != nil {
		return err
	}
	info, err := o.matches.Info(ctx)
	if err != nil {
		return fmt.Errorf("look at stream %s: %w", streams.Matches, err)
	}
	o.quiet, o.saved, o.folded = quiet, quiet, info.State.FirstSeq-min(info.State.FirstSeq, 1)
	if o.folded > quiet {
		o.lost(o.folded - quiet)
	}
	goal := info.State.LastSeq
	start := time.Now()

	in := make(chan jetstream.Msg, atOnce)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return read(ctx, o.matches, in) })
	g.Go(func() error {
		timer := time.NewTimer(0)
		defer timer.Stop()
		for ready := false; ; {
			if !ready && o.folded >= goal {
				ready = true
				o.metrics.ready.Set(1)
				o.Ready(true)
				o.log.Info("windows ready", "matches", goal, "groups", len(o.groups), "took", time.Since(start).Round(time.Millisecond))
			}
			idle := false
			select {
			case <-ctx.Done():
				return nil
			case m := <-in:
				if err := o.foldAll(ctx, m, in); err != nil {
					return err
				}
			case <-timer.C:
				idle = true
			}
			if err := o.writeDue(ctx, time.Now()); err != nil {
				return err
			}
			if err := o.save(ctx, idle || len(in) == 0); err != nil {
				return err
			}
			timer.Reset(o.untilDue(time.Now()))
		}
	})
	err = g.Wait()
	o.metrics.ready.Set(0)
	return err
}

// read delivers MATCHES from the start, in order and without gaps, across
// reconnections.
func read(ctx context.Context, stream jetstream.Stream, in chan<- jetstream.Msg) error {
	c, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("read stream %s: %w", streams.Matches, err)
	}
	it, err := c.Messages(jetstream.PullMaxBytes(streams.PullBytes))
	if err != nil {
		return fmt.Errorf("read stream %s: %w", streams.Matches, err)
	}
	defer it.Stop()
	stop := context.AfterFunc(ctx, it.Stop)
	defer stop()
	for {
		m, err := it.Next()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, jetstream.ErrNoHeartbeat):
			continue
		case err != nil:
			return fmt.Errorf("read stream %s: %w", streams.Matches, err)
		}
		select {
		case in <- m:
		case <-ctx.Done():
			return nil
		}
	}
}

// foldAll folds m and what has arrived behind it.
func (o *owner) foldAll(ctx context.Context, m jetstream.Msg, in <-chan jetstream.Msg) error {
	for n := 0; ; n++ {
		if err := o.fold(ctx, m); err != nil {
			return err
		}
		if n == atOnce {
			return nil
		}
		select {
		case m = <-in:
		default:
			return nil
		}
	}
}

func (o *owner) fold(ctx context.Context, m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("a message of stream %s without metadata: %w", streams.Matches, err)
	}
	var b trailbellv1.MatchBatch
	if err := proto.Unmarshal(m.Data(), &b); err != nil {
		// Nobody else writes here, and nothing can be done about one message.
		o.log.Error("not a batch of matches", "sequence", meta.Sequence.Stream, "error", err)
		o.folded = meta.Sequence.Stream
		return nil
	}
	if o.folded != 0 && meta.Sequence.Stream != o.folded+1 {
		o.lost(meta.Sequence.Stream - o.folded - 1)
	}
	o.folded = meta.Sequence.Stream
	stored := meta.Timestamp.UnixMilli()
	// Whole steps, so that most messages have nothing to forget.
	step := max(o.Horizon.Milliseconds()/96/minute, 1) * minute
	cutoff := (stored - o.Horizon.Milliseconds()) / step * step
	if cutoff > o.swept {
		if err := o.sweep(ctx, cutoff); err != nil {
			return err
		}
	}
	// A stream of events that was made anew counts from 1 again, and has other
	// records there.
	evidence := b.GetEventsSequence()
	if stored < o.created {
		evidence = gone
	}
	for i, match := range b.GetMatches() {
		o.insert(match, window.Event{
			Time: match.GetTime(), ID: match.GetIdentity(),
			Seq: o.folded, Index: uint32(i), Stored: stored,
			Evidence: window.Ref{Sequence: evidence, Record: match.GetRecord()},
		})
	}
	if o.size > o.MaxEvents {
		return o.evict(ctx)
	}
	return nil
}

func (o *owner) insert(match *trailbellv1.Match, e window.Event) {
	c := o.rules.Correlation(match.GetCorrelation())
	if c == nil || c.Fingerprint() != match.GetDefinition() {
		o.metrics.outdated.Inc()
		return // of a rule that is not loaded any more, or not as it was
	}
	o.metrics.folded.Inc()
	if c.Chained() {
		o.insertChain(c, match, e)
		return
	}
	e.Inputs, e.Values = match.GetInputs(), match.GetValues()
	g := o.group(c, match.GetGroup())
	if g.window == nil {
		level := c.Levels()[0]
		g.window = window.New(level.Timespan, level.Condition)
	}
	before := g.window.Size()
	if !g.window.Insert(e) {
		o.metrics.repeats.Inc()
		return
	}
	o.count(e.Stored, g.window.Size()-before)
	o.touched(g)
}

// group returns the group of a correlation with these values, a new one without
// a window if there is none.
func (o *owner) group(c *sigma.CompiledCorrelation, values []string) *group {
	id := streams.GroupID(c.Meta().ID, values)
	g := o.groups[id]
	if g == nil {
		g = &group{key: newKey(id, c, values)}
		o.groups[id] = g
		o.metrics.groups.Set(float64(len(o.groups)))
	}
	return g
}

// touched remembers that a group may have something to say.
func (o *owner) touched(g *group) {
	switch {
	case !g.window.Dirty():
	case o.folded <= o.quiet:
		g.window.Settle()
	case g.since == 0:
		g.since = o.folded
		g.due = g.written.Add(o.Coalesce)
		o.unwritten[g] = struct{}{}
	}
}

func (o *owner) count(stored int64, n int) {
	o.size += n
	o.stored[stored/second] += n
	o.metrics.events.Set(float64(o.size))
}

// writeDue writes the alerts of all groups that may be written now.
func (o *owner) writeDue(ctx context.Context, now time.Time) error {
	var due []*group
	for g := range o.unwritten {
		if !g.due.After(now) {
			due = append(due, g)
		}
	}
	return o.write(ctx, due)
}

// write makes ALERTS say what the groups do.
func (o *owner) write(ctx context.Context, groups []*group) error {
	if len(groups) == 0 {
		return nil
	}
	// In the order of the log, so that the progress grows.
	slices.SortFunc(groups, func(a, b *group) int { return int(int64(a.since) - int64(b.since)) })
	var eg errgroup.Group
	eg.SetLimit(writers)
	for _, g := range groups {
		eg.Go(func() error {
			asOf := alert.AsOf{Epoch: o.epoch, Sequence: g.window.Newest()}
			n, err := o.books.write(ctx, g.key, &g.book, g.window, asOf)
			if n > 0 {
				g.written = time.Now()
			}
			return err
		})
	}
	if err := eg.Wait(); err != nil {
		return err
	}
	for _, g := range groups {
		g.window.Settle()
		g.since = 0
		delete(o.unwritten, g)
	}
	return nil
}

// untilDue is how long there is nothing to write.
func (o *owner) untilDue(now time.Time) time.Duration {
	wait := saveEvery
	for g := range o.unwritten {
		wait = min(wait, max(g.due.Sub(now), 0))
	}
	return wait
}

// save writes the progress: everything before the first group that has
// something to say.
func (o *owner) save(ctx context.Context, idle bool) error {
	reached := o.folded
	for g := range o.unwritten {
		reached = min(reached, g.since-1)
	}
	if reached <= o.saved || !idle && time.Since(o.savedAt) < saveEvery {
		return nil
	}
	if err := o.progress.Raise(ctx, reached); err != nil {
		return err
	}
	o.saved, o.savedAt = reached, time.Now()
	return nil
}

// sweep forgets what the log stored before cutoff. Forgetting depends on the
// stored times in the log alone, so that every owner forgets alike. What a
// group has to say is said first.
func (o *owner) sweep(ctx context.Context, cutoff int64) error {
	o.swept = cutoff
	var speak []*group
	for g := range o.unwritten {
		if g.window.Oldest() < cutoff {
			speak = append(speak, g)
		}
	}
	if err := o.write(ctx, speak); err != nil {
		return err
	}
	for id, c := range o.chains {
		before := c.Size()
		c.Forget(cutoff)
		o.size -= before - c.Size()
		if c.Len() == 0 {
			delete(o.chains, id)
		}
	}
	for id, g := range o.groups {
		if !g.key.correlation.Chained() {
			before := g.window.Size()
			g.window.Forget(cutoff)
			o.size -= before - g.window.Size()
		}
		if g.window.Len() == 0 && !g.window.Dirty() {
			delete(o.groups, id)
		}
	}
	for m := range o.stored {
		if m < cutoff/second {
			delete(o.stored, m)
		}
	}
	o.metrics.events.Set(float64(o.size))
	o.metrics.groups.Set(float64(len(o.groups)))
	return nil
}

// evict forgets the oldest tenth, in the order of the log, before its time.
func (o *owner) evict(ctx context.Context) error {
	seconds := slices.Sorted(maps.Keys(o.stored))
	excess := o.size - o.MaxEvents + o.MaxEvents/10
	cutoff := o.swept
	for _, m := range seconds {
		if excess <= 0 {
			break
		}
		excess -= o.stored[m]
		cutoff = (m + 1) * second
	}
	before := o.size
	if err := o.sweep(ctx, cutoff); err != nil {
		return err
	}
	o.metrics.evicted.Add(float64(before - o.size))
	o.log.Warn("too many events to remember: the oldest are forgotten before their time; raise correlator.max_events",
		"max_events", o.MaxEvents, "forgotten", before-o.size)
	return nil
}

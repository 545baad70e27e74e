package correlator

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"math"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/streams"
	"github.com/trailbell/trailbell/sigma"
)

// owner keeps ALERTS equal to the episodes of one partition.
//
//	MATCHES -> read -> windows -> unwritten -> books -> ALERTS
//	                                 |                    |
//	                              progress             visitors
//
// Its state is a function of the prefix of the partition that it has folded. It
// is rebuilt at each start: of each correlation quietly up to where all alerts are
// known to have been written, and writing from there.
type owner struct {
	Options
	books *books
	// epoch tells the log from one that was made anew.
	epoch time.Time
	log   *slog.Logger

	windows   *windows
	unwritten map[*group]struct{} // have something to say
	folded    uint64              // sequence of MATCHES
	// quiet is, for each correlation, up to which sequence of MATCHES everything
	// had been written when we began.
	quiet map[*sigma.CompiledCorrelation]uint64
	// edges are the different sequences of quiet that have not been passed yet, in
	// order.
	edges []uint64
	// lost is up to where alerts tell of a log that does not reach so far.
	lost uint64
}

func newOwner(o Options, rules *sigma.Set, epoch time.Time, s *share, b *books, m *metrics, log *slog.Logger) *owner {
	return &owner{
		Options: o, books: b, epoch: epoch, log: log,
		windows:   newWindows(rules, o.Horizon, s, m),
		unwritten: map[*group]struct{}{},
	}
}

// voice is what a group needs to speak.
type voice struct {
	key  key
	book book
	// since is a sequence before which all alerts of the group are written; 0:
	// they all are, and said: they all are, but somebody wrote beside us.
	since uint64
	// due is when the others may be.
	due time.Time
	// written is when the last revision was written.
	written time.Time
	// ahead is up to where another owner had read the log, if we have not.
	ahead uint64
	// aheadSince is when we saw that first.
	aheadSince time.Time
}

// writers is how many groups are written at a time.
const writers = 8

// fold takes messages in. What they make groups say is written later, unless
// something of it is to be forgotten: that is written at once.
func (o *owner) fold(ctx context.Context, messages ...message) error {
	since := o.folded + 1
	for _, m := range messages {
		if o.passes(m.sequence) {
			o.listen(since) // what was said before is not said again
			since = m.sequence
		}
		if cutoff := o.windows.horizonAt(m.stored); cutoff > o.windows.swept {
			o.listen(since)
			if err := o.forget(ctx, cutoff, false); err != nil {
				return err
			}
		}
		o.windows.fold(m)
		o.folded = m.sequence
		if err := o.economize(ctx, since); err != nil {
			return err
		}
	}
	o.listen(since)
	return nil
}

// hush has the owner be quiet about each correlation up to a sequence.
func (o *owner) hush(quiet map[*sigma.CompiledCorrelation]uint64) {
	o.quiet = quiet
	o.edges = slices.Compact(slices.Sorted(maps.Values(quiet)))
}

// passes reports whether a message is the first one behind where we have been
// quiet about a correlation.
func (o *owner) passes(sequence uint64) bool {
	before := len(o.edges)
	for len(o.edges) > 0 && o.edges[0] < sequence {
		o.edges = o.edges[1:]
	}
	return len(o.edges) < before
}

// economize forgets what the budget has no room for. Since is the first message
// that has not been listened to.
func (o *owner) economize(ctx context.Context, since uint64) error {
	cutoff := o.windows.share.cutoff.Load() * second
	if cutoff == 0 {
		return nil
	}
	o.listen(since)
	return o.forget(ctx, cutoff, true)
}

// listen notes which groups have something to say, since a sequence or later.
func (o *owner) listen(since uint64) {
	for g := range o.windows.speakers() {
		quiet := o.quiet[g.correlation]
		switch {
		case o.folded <= quiet:
			g.window.Settle()
		case g.voice == nil:
			g.voice = &voice{key: newKey(g, o.Limits)}
			// Of a group that nobody has written about there is most likely
			// nothing to read, and if there is, the first write is refused.
			g.voice.book.read = g.born > quiet
			fallthrough
		case g.voice.since == 0, g.voice.since == said:
			g.voice.since, g.voice.due = since, g.voice.written.Add(o.Coalesce)
			o.unwritten[g] = struct{}{}
		}
	}
}

// forget forgets what the log stored before cutoff. What a group has to say is
// said first.
//
// What the horizon forgets depends on the stored times in the log alone, so every
// owner forgets it at the same message. That need not wait while nothing can be
// said since another owner is ahead: that one has passed this message, and said
// before it forgot what we would say, unless it had other rules. What the budget forgets depends on what else
// the process remembers, and waits until all is said.
func (o *owner) forget(ctx context.Context, cutoff int64, early bool) error {
	var speak []*group
	for g := range o.unwritten {
		if g.window.Oldest() < cutoff {
			speak = append(speak, g)
		}
	}
	if err := o.write(ctx, speak); err != nil {
		return err
	}
	if early && slices.ContainsFunc(speak, func(g *group) bool { return g.voice.since != 0 }) {
		return nil
	}
	o.windows.forget(cutoff, early)
	return nil
}

// writeDue writes the alerts of all groups that may be written now.
func (o *owner) writeDue(ctx context.Context, now time.Time) error {
	var due []*group
	for g := range o.unwritten {
		if !g.voice.due.After(now) {
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
	slices.SortFunc(groups, func(a, b *group) int {
		return cmp.Or(cmp.Compare(a.voice.since, b.voice.since), bytes.Compare(a.id[:], b.id[:]))
	})
	var eg errgroup.Group
	eg.SetLimit(writers)
	for _, g := range groups {
		eg.Go(func() error {
			v := g.voice
			at := position{asOf: alert.AsOf{Epoch: o.epoch, Sequence: g.window.Newest()}, folded: max(o.folded, o.lost)}
			n, err := o.books.write(ctx, v.key, &v.book, g.window, at)
			if n > 0 {
				v.written = time.Now()
			}
			if behind, ok := errors.AsType[*behindError](err); ok {
				// Another owner has said more than we know. When we know it,
				// too, we see whether it got to the end.
				if v.ahead != behind.ahead {
					v.ahead, v.aheadSince = behind.ahead, time.Now()
				}
				v.due = time.Now().Add(behindPause)
				return nil
			}
			if err == nil {
				g.window.Settle()
				v.since, v.ahead = 0, 0
			}
			return err
		})
	}
	if err := eg.Wait(); err != nil {
		return err
	}
	for _, g := range groups {
		if g.voice.since == 0 {
			delete(o.unwritten, g)
		}
	}
	return nil
}

// behindPause is how long a group waits for which another owner is ahead.
const behindPause = 100 * time.Millisecond

// correct has the alerts of a group written again if somebody else wrote there
// at a sequence of ALERTS: an owner that had lost the partition, and did not
// know it yet, may have said what we know better.
func (o *owner) correct(at visit) {
	g := o.windows.groups[at.group]
	if g == nil || g.window == nil {
		return // forgotten, and then nothing is revised, or of another partition
	}
	if g.voice == nil {
		g.voice = &voice{key: newKey(g, o.Limits)}
	}
	v := g.voice
	if v.book.read && at.sequence <= v.book.last {
		return // it is ours, or we have seen it
	}
	v.book = book{}
	// Two who do not agree, since they have forgotten different events, must not
	// answer each other at once.
	v.due = v.written.Add(o.Coalesce)
	if v.since == 0 {
		v.since = said
		o.unwritten[g] = struct{}{}
	}
}

// said is the since of a group of which all has been said.
const said = math.MaxUint64

// correcting reports whether there is something to correct.
func (o *owner) correcting() bool {
	for g := range o.unwritten {
		if g.voice.since == said {
			return true
		}
	}
	return false
}

// ends has us wait no longer for what lies behind the end of the log: it was
// lost, as the end of a log is when the power fails.
func (o *owner) ends(end uint64, now time.Time) {
	for g := range o.unwritten {
		if v := g.voice; v.ahead > max(end, o.lost) && now.Sub(v.aheadSince) > 2*saveEvery {
			o.log.Error("alerts tell of matches that the log does not have any more", "stream", streams.Matches, "last", end, "read", v.ahead)
			o.lost = v.ahead
		}
	}
}

// untilDue is how long there is nothing to write, at most limit.
func (o *owner) untilDue(now time.Time, limit time.Duration) time.Duration {
	for g := range o.unwritten {
		limit = min(limit, max(g.voice.due.Sub(now), 0))
	}
	return limit
}

// written is up to which sequence everything is written.
func (o *owner) written() uint64 {
	written := o.folded
	for g := range o.unwritten {
		written = min(written, g.voice.since-1)
	}
	return written
}

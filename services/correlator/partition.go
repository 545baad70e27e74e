package correlator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/trailbell/trailbell/internal/progress"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
)

// partition connects an owner with the streams.
type partition struct {
	number   int
	owner    *owner
	stores   *stores
	progress *progress.Progress // of MATCHES
	readings readings
	// known is, for each reading, up to which sequence of MATCHES everything is
	// written, and up to where in ALERTS the writes of others have been looked at
	// by an owner who knew that.
	known    *progress.Pairs
	visitors *visitors
	ready    func()
	log      *slog.Logger

	opened    time.Time
	in        chan jetstream.Msg
	last      uint64 // sequence of the last message when it was opened
	isReady   bool
	delivered uint64 // sequence of the last message that was folded
	saved     uint64 // progress as it was written last
	savedAt   time.Time
	passedAt  time.Time // when we last looked how far the log goes
	heard     heard
	joined    uint64 // up to where in ALERTS there was something to hear at the start
	noted     uint64 // up to where in ALERTS others' writes have been looked at
	notedAt   time.Time
	// wake has the loop look at what has changed beside the log.
	wake doorbell
}

// heard is what the visitors have told at a time: all up to a sequence of ALERTS.
type heard struct {
	visits []visit
	up     uint64
	at     time.Time
	// until is a sequence of MATCHES that nobody was beyond then; 0: not known yet.
	until uint64
}

const (
	// saveEvery bounds how often the progress is written while there is work,
	// and how long a partition without any takes to notice that.
	saveEvery = 500 * time.Millisecond
	// noteEvery is how often the readings are written. What lies behind is looked
	// at again by the next owner.
	noteEvery = 5 * time.Second
	// atOnce is how many messages are folded before alerts are looked at.
	atOnce = 512
	// inactive is how long the server keeps a consumer that nobody reads.
	inactive = 30 * time.Second
	// readAhead is how many messages may wait in the client.
	readAhead = 128
)

// doorbell has somebody look, now or as soon as there is time. It holds one
// ring.
type doorbell chan struct{}

func (d doorbell) ring() {
	select {
	case d <- struct{}{}:
	default: // it will be looked at anyway
	}
}

// run works until ctx ends.
func (p *partition) run(ctx context.Context) error {
	if err := p.open(ctx); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return read(ctx, p.stores.matches, streams.MatchesSubject(p.number), p.in) })
	g.Go(func() error {
		timer := time.NewTimer(0)
		defer timer.Stop()
		for {
			var arrived []jetstream.Msg
			idle := false
			select {
			case <-ctx.Done():
				return nil
			case m := <-p.in:
				arrived = p.drain(m)
			case <-p.wake:
			case <-timer.C:
				idle = true
			}
			if err := p.turn(ctx, arrived, idle); err != nil {
				return err
			}
			timer.Reset(p.owner.untilDue(time.Now(), saveEvery))
		}
	})
	return g.Wait()
}

// open finds out from where on there is work.
func (p *partition) open(ctx context.Context) error {
	p.opened, p.in = time.Now(), make(chan jetstream.Msg, readAhead)
	quiet, from, err := p.begin(ctx)
	if err != nil {
		return err
	}
	// What was looked at with less knowledge is looked at again with what has
	// come since: all that has is planned again.
	if err := p.visitors.join(ctx, p.number, from, p.wake.ring); err != nil {
		return err
	}
	p.joined = p.visitors.heard()
	written, err := p.progress.Read(ctx)
	if err != nil {
		return err
	}
	// Looked at later, so that it cannot be less but for what was lost.
	matches, err := p.stores.matchesNow(ctx)
	if err != nil {
		return err
	}
	reached := written
	for _, sequence := range quiet {
		reached = max(reached, sequence)
	}
	if reached > matches.LastSeq {
		// Since when is not known, so everything is looked at again.
		p.log.Error("alerts had been written up to behind the end of the log", "stream", streams.Matches, "last", matches.LastSeq, "written", reached)
		if err := p.progress.Reset(ctx); err != nil {
			return err
		}
		if err := p.known.Reset(ctx); err != nil {
			return err
		}
		written = 0
		clear(quiet)
	}
	p.saved = written
	p.owner.hush(quiet)
	if p.last, err = p.stores.lastMatch(ctx, p.number); err == nil {
		p.rebuilt()
	}
	return err
}

// rebuilt notices when all has been folded that was there at the start.
func (p *partition) rebuilt() {
	if !p.isReady && p.delivered >= p.last {
		p.isReady = true
		p.ready()
		p.log.Debug("windows ready", "groups", len(p.owner.windows.groups), "took", time.Since(p.opened).Round(time.Millisecond))
	}
}

// turn folds what has arrived, and writes what may be written now. Idle says
// that there was nothing to do for a while.
func (p *partition) turn(ctx context.Context, arrived []jetstream.Msg, idle bool) error {
	if err := p.fold(ctx, arrived); err != nil {
		return err
	}
	p.rebuilt()
	if err := p.correct(ctx); err != nil {
		return err
	}
	if err := p.owner.economize(ctx, p.owner.folded+1); err != nil {
		return err
	}
	if err := p.owner.writeDue(ctx, time.Now()); err != nil {
		return err
	}
	return p.save(ctx, idle)
}

// close gives up what the windows hold, and hears no more.
func (p *partition) close() {
	p.visitors.leave(p.number)
	p.owner.windows.close()
}

// drain returns m and what has arrived behind it, at most atOnce messages.
func (p *partition) drain(m jetstream.Msg) []jetstream.Msg {
	arrived := []jetstream.Msg{m}
	for len(arrived) < atOnce {
		select {
		case m := <-p.in:
			arrived = append(arrived, m)
		default:
			return arrived
		}
	}
	return arrived
}

func (p *partition) fold(ctx context.Context, arrived []jetstream.Msg) error {
	if len(arrived) == 0 {
		return nil
	}
	batch := make([]message, len(arrived))
	for i, m := range arrived {
		var err error
		if batch[i], err = p.decode(m); err != nil {
			// Nobody else writes here, and nothing can be done about one message.
			p.log.Error("passed over a message", "stream", streams.Matches, "sequence", batch[i].sequence, "error", err)
		}
	}
	p.delivered = batch[len(batch)-1].sequence
	return p.owner.fold(ctx, batch...)
}

func (p *partition) decode(m jetstream.Msg) (message, error) {
	is := message{batch: &trailbellv1.MatchBatch{}}
	meta, err := m.Metadata()
	if err != nil {
		return is, fmt.Errorf("without metadata: %w", err)
	}
	is.sequence, is.stored = meta.Sequence.Stream, meta.Timestamp.UnixMilli()
	is.anew = meta.Timestamp.Before(p.stores.events.CachedInfo().Created)
	if err := proto.Unmarshal(m.Data(), is.batch); err != nil {
		is.batch = &trailbellv1.MatchBatch{}
		return is, fmt.Errorf("not a batch of matches: %w", err)
	}
	return is, nil
}

// correct has written again what others have written. They may have known matches
// that we have not read yet, and groups that we do not have yet, so it waits until
// we have read what was there when we heard of it.
func (p *partition) correct(ctx context.Context) error {
	h := &p.heard
	if len(h.visits) == 0 {
		*h = heard{}
		h.visits, h.up = p.visitors.take(p.number)
		h.at = time.Now()
	}
	if len(h.visits) > 0 {
		end, looked, err := p.stores.end(ctx)
		if err != nil || !looked.After(h.at) {
			return err // soon
		}
		// It can be less than it was: the end of a log may be lost.
		if h.until == 0 || end < h.until {
			h.until = end
		}
		if p.owner.folded < h.until {
			return nil
		}
	}
	for _, v := range h.visits {
		p.owner.correct(v)
	}
	h.visits = nil
	p.noted = max(p.noted, h.up)
	return nil
}

// save writes the progress.
func (p *partition) save(ctx context.Context, idle bool) error {
	if len(p.in) > 0 && time.Since(p.savedAt) < saveEvery {
		return nil
	}
	// While others alert we may never be idle.
	if idle || time.Since(p.passedAt) >= saveEvery {
		p.passedAt = time.Now()
		if err := p.pass(ctx); err != nil {
			return err
		}
	}
	// What was written before we came is corrected first.
	if reached := p.owner.written(); reached > p.saved && p.noted >= p.joined {
		if err := p.progress.Raise(ctx, reached); err != nil {
			return err
		}
		p.saved, p.savedAt = reached, time.Now()
	}
	if time.Since(p.notedAt) < noteEvery || p.owner.correcting() {
		return nil
	}
	p.notedAt = time.Now()
	return p.note(ctx)
}

// pass notes that the log has gone on without anything for this partition, so
// that nobody waits for it to come so far.
func (p *partition) pass(ctx context.Context) error {
	end, _, err := p.stores.end(ctx)
	if err != nil {
		return err
	}
	p.owner.ends(end, time.Now())
	if end <= p.owner.folded {
		return nil
	}
	last, err := p.stores.lastMatch(ctx, p.number)
	if err == nil && last <= p.delivered {
		p.owner.folded = end
	}
	return err
}

// read delivers a subject of a stream from the start, in order and without gaps,
// across reconnections.
func read(ctx context.Context, stream jetstream.Stream, subject string, in chan<- jetstream.Msg) error {
	fail := func(err error) error {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("read %s: %w", subject, err)
	}
	c, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{subject}, DeliverPolicy: jetstream.DeliverAllPolicy,
		InactiveThreshold: inactive,
	})
	if err != nil {
		return fail(err)
	}
	// With a limit of bytes alone the client makes room for a million messages.
	it, err := c.Messages(jetstream.PullMaxMessagesWithBytesLimit(readAhead, streams.MatchPullBytes))
	if err != nil {
		return fail(err)
	}
	defer it.Stop()
	stop := context.AfterFunc(ctx, it.Stop)
	defer stop()
	for {
		m, err := it.Next()
		if errors.Is(err, jetstream.ErrNoHeartbeat) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return fail(err)
		}
		select {
		case in <- m:
		case <-ctx.Done():
			return nil
		}
	}
}

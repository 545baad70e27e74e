package lease

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Pieces are n pieces of work, 0 to n-1, under one name.
type Pieces struct {
	kv     jetstream.KeyValue
	key    string
	holder string
	n      int
	timing Timing
	log    *slog.Logger
	held   func(int)
}

// Spread makes n pieces of work. Key is a token; holder names this process and
// nothing else that wants the pieces. All who do have to agree about n. Held is
// told of how many pieces this process holds, before work on them begins and
// after it has returned; it may be nil.
func Spread(kv jetstream.KeyValue, key, holder string, n int, t Timing, log *slog.Logger, held func(pieces int)) *Pieces {
	if held == nil {
		held = func(int) {}
	}
	return &Pieces{kv: kv, key: key, holder: holder, n: n, timing: t, log: log.With("lease", key), held: held}
}

// The causes of the end of a work's context, beside that of Run's.
var (
	errLost    = errors.New("lease lost")
	errLeaving = errors.New("others shall do this work")
)

// Run does work on each piece that this process holds, in a goroutine of its
// own, until ctx ends or work is done. The context of work ends when the piece
// is lost or others shall have it. Work must then return: until it has, a piece
// that was not lost stays with this process, however slow that is.
//
// Work that fails gives its piece up, for another process may do better; if none
// takes it, it is tried again after a pause. Work that returns nil is done, and
// this process does not take the piece again. Run returns when it is done with
// all pieces, or when ctx has ended and all work returned; it has then given up
// what it held, so that others need not wait.
func (p *Pieces) Run(ctx context.Context, work func(ctx context.Context, piece int) error) {
	r := &run{
		Pieces: p, work: work, workCtx: ctx,
		seat:     newSeat(p.holder, p.n, p.timing),
		cancels:  make([]context.CancelCauseFunc, p.n),
		returned: make(chan result, p.n),
	}
	r.loop(ctx)
}

// A run is the state of Pieces.Run. All but work itself is done by one
// goroutine.
type run struct {
	*Pieces
	work     func(context.Context, int) error
	workCtx  context.Context // the parent of the work's contexts
	seat     *seat
	cancels  []context.CancelCauseFunc // of the work that runs
	returned chan result               // has room for all
	renewed  time.Time                 // when the last write that succeeded was sent
	member   bool                      // the table may have us
	told     int                       // what held was told
	waits    bool                      // it was said that we stand by
	refused  uint64                    // the revision of a table that was said to be unusable
}

type result struct {
	piece int
	err   error
}

func (r *run) loop(ctx context.Context) {
	next := time.NewTimer(0)
	defer next.Stop()
	ended := ctx.Done()
	for {
		due := false
		select {
		case <-next.C:
			due = true
		case <-ended:
			// The contexts of the work have ended with ctx; what is left to do goes
			// on without it.
			ended, ctx = nil, context.WithoutCancel(ctx)
			r.seat.stopping = true
			r.seat.end()
		case done := <-r.returned:
			r.settle(done)
		}
		if !due && r.seat.count(isEnding) > 0 {
			continue // one write when all of them have returned
		}
		last := r.seat.count(isRunning) == 0 && (r.seat.stopping || r.seat.count(isDone) == r.n)
		if last && !r.member {
			return
		}
		begun := r.beat(ctx)
		if last {
			return // a table that could not be written names a member that will be found dead
		}
		wait := time.Until(begun.Add(r.timing.Heartbeat))
		if r.atWork() {
			wait = min(wait, time.Until(r.renewed.Add(r.timing.Fence)))
		}
		next.Reset(wait)
	}
}

// atWork reports whether work runs that has not been told to return.
func (r *run) atWork() bool {
	return r.seat.count(isRunning) > r.seat.count(isEnding)
}

// beat reads the table, writes it and follows it. When that does not succeed for
// too long, all work is told to return. It returns the time from which the next
// heartbeat counts.
func (r *run) beat(ctx context.Context) (begun time.Time) {
	begun = time.Now()
	// No longer than a heartbeat: an answer that was lost must not cost the
	// lease, only an attempt.
	deadline := begun.Add(r.timing.Heartbeat)
	if fence := r.renewed.Add(r.timing.Fence); r.atWork() && fence.Before(deadline) {
		deadline = fence
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	for {
		sent, err := r.renew(ctx)
		if err == nil {
			return sent
		}
		if errors.Is(err, jetstream.ErrKeyExists) && r.pause(ctx) {
			continue // another member was faster
		}
		r.log.Debug("no heartbeat", "error", err)
		break
	}
	if r.atWork() && time.Since(r.renewed) >= r.timing.Fence {
		lost := r.seat.end()
		r.log.Warn("could not renew in time; work ends", r.which(lost), "after", r.timing.Fence)
		r.cancel(lost, errLost)
	}
	return begun
}

// pause waits a moment, another for everybody. It reports whether ctx has not
// ended.
func (r *run) pause(ctx context.Context) bool {
	moment := r.timing.Heartbeat / 40
	select {
	case <-ctx.Done():
		return false
	case <-time.After(moment + rand.N(2*moment)):
		return true
	}
}

// renew reads the table once and writes it once. A table that has changed in
// between is jetstream.ErrKeyExists.
func (r *run) renew(ctx context.Context) (sent time.Time, err error) {
	t, revision, err := r.read(ctx)
	if err != nil {
		return time.Time{}, err
	}
	sent = time.Now()
	p := r.seat.plan(t, sent)
	if p.write {
		r.member = true // also when the answer is lost
		if revision == 0 {
			_, err = r.kv.Create(ctx, r.key, p.after.marshal())
		} else {
			_, err = r.kv.Update(ctx, r.key, p.after.marshal(), revision)
		}
		if err != nil {
			return time.Time{}, err
		}
		r.renewed = sent
	}
	_, r.member = p.after.Members[r.holder]
	r.follow(p)
	return sent, nil
}

// read returns the table and its revision, 0 if there is none. A table that
// cannot be used is an empty one: whoever works by it takes its pieces again.
func (r *run) read(ctx context.Context) (table, uint64, error) {
	e, err := r.kv.Get(ctx, r.key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return newTable(r.n), 0, nil
	}
	if err != nil {
		return table{}, 0, err
	}
	t, err := parseTable(e.Value(), r.n)
	if err != nil {
		if r.refused != e.Revision() {
			r.refused = e.Revision()
			r.log.Warn("the table in the bucket cannot be used; it is begun anew", "error", err)
		}
		return newTable(r.n), e.Revision(), nil
	}
	return t, e.Revision(), nil
}

// follow begins and ends work as a table says that is in the bucket.
func (r *run) follow(p plan) {
	c := r.seat.carryOut(p)
	if len(c.lost) > 0 {
		r.log.Warn("lost to another process; work ends", r.which(c.lost))
		r.cancel(c.lost, errLost)
	}
	if len(c.leaving) > 0 {
		r.log.Info("giving up for another process", r.which(c.leaving))
		r.cancel(c.leaving, errLeaving)
	}
	if len(c.begin) > 0 {
		r.waits = false
		r.tell() // before work begins, which may have more to tell
		if dead := slices.DeleteFunc(c.from, func(name string) bool { return name == "" }); len(dead) > 0 {
			slices.Sort(dead)
			r.log.Info("took over", r.which(c.begin), "from", slices.Compact(dead))
		} else {
			r.log.Info("took", r.which(c.begin))
		}
		for _, i := range c.begin {
			r.begin(i)
		}
	}
	others := p.after.clone()
	others.remove(r.holder)
	if r.seat.count(isRunning) == 0 && !r.seat.stopping && len(others.Members) > 0 && !r.waits {
		r.waits = true
		r.log.Info("standing by", "holders", others.names())
	}
}

func (r *run) begin(i int) {
	ctx, cancel := context.WithCancelCause(r.workCtx)
	r.cancels[i] = cancel
	go func() { r.returned <- result{i, r.work(ctx, i)} }()
}

func (r *run) cancel(pieces []int, why error) {
	for _, i := range pieces {
		r.cancels[i](why)
	}
}

// settle notes that work has returned.
func (r *run) settle(done result) {
	r.cancels[done.piece](nil)
	if r.seat.returned(done.piece, done.err, time.Now()) {
		r.log.Error("work failed; it is tried again", r.which([]int{done.piece}), "error", done.err)
	}
	r.tell()
}

// tell says how many pieces are held, when that has changed.
func (r *run) tell() {
	if n := r.seat.count(isRunning); n != r.told {
		r.told = n
		r.held(n)
	}
}

// which names pieces in the log, where there is more than one.
func (r *run) which(pieces []int) slog.Attr {
	if r.n == 1 {
		return slog.Attr{} // handlers leave it out
	}
	return slog.Any("pieces", pieces)
}

package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
)

// Message is one input of a stage.
type Message struct {
	Subject  string
	Sequence uint64    // in its stream
	Stored   time.Time // when the stream took it
	ID       string    // its message id
	Data     []byte
}

// Func is a stage. It may be called from several goroutines at once.
type Func func(ctx context.Context, m Message, out *Output) error

// Config of a running stage.
type Config struct {
	Name    string // of the stage: fetcher, decoder, …
	Stream  string
	Durable string
	// Workers is how many inputs are worked on at once.
	Workers int
	// InOrder repeats an input that failed before any later one. It needs a
	// single worker.
	InOrder bool
	// PullBytes bounds the inputs held in advance by their size: for streams
	// of large messages. Zero holds two inputs a worker.
	PullBytes int
	// Gates guard the streams that cannot push back.
	Gates map[string]*Gate
	// Grace bounds the wait for inputs in work when the stage stops.
	// Default 5 s.
	Grace   time.Duration
	Metrics *Metrics
	Log     *slog.Logger
}

// crashLoop is how often an input may be handed out. A failed try does not hand
// it out again, so this many processes died of it, or were stopped while they
// held it.
const crashLoop = 50

// pullMost is how many inputs may be asked for at once where their size bounds
// them.
const pullMost = 1000

// giveBack delays an input that a stopping stage returns.
const giveBack = 100 * time.Millisecond

// drain bounds the wait for inputs that are on their way to a stopping stage.
const drain = time.Second

// Run works until ctx ends. It returns nil then, and an error when the consumer
// is gone.
func Run(ctx context.Context, js jetstream.JetStream, c Config, f Func) error {
	consumer, err := js.Consumer(ctx, c.Stream, c.Durable)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("%s: consumer %s of stream %s: %w", c.Name, c.Durable, c.Stream, err)
	}
	if c.Grace == 0 {
		c.Grace = 5 * time.Second
	}
	s := &shell{
		Config: c, js: js, f: f,
		wait: consumer.CachedInfo().Config.AckWait,
		held: make(map[*held]struct{}),
		work: make(chan *held),
	}
	return s.run(ctx, consumer)
}

// shell is a running stage.
//
//	consumer -> pull -> work -> worker -> f -> flush -> acknowledge
//	                     ^        |
//	                     +--------+ tried again after a delay
//
// Beside them, beat tells the server that what is held is still worked on.
type shell struct {
	Config
	js   jetstream.JetStream
	f    Func
	wait time.Duration // AckWait of the consumer

	work    chan *held
	delayed sync.WaitGroup // inputs that wait for another try

	mu   sync.Mutex
	held map[*held]struct{} // everything delivered and not yet answered
}

// held is an input between its delivery and our answer.
type held struct {
	msg   jetstream.Msg
	meta  *jetstream.MsgMetadata
	tries int
}

func (s *shell) run(ctx context.Context, consumer jetstream.Consumer) error {
	opts := []jetstream.PullMessagesOpt{jetstream.PullExpiry(10 * time.Second)}
	if s.PullBytes > 0 {
		// With a limit of bytes alone the client makes room for a million messages.
		opts = append(opts, jetstream.PullMaxMessagesWithBytesLimit(pullMost, s.PullBytes))
	} else {
		opts = append(opts, jetstream.PullMaxMessages(2*s.Workers))
	}
	messages, err := consumer.Messages(opts...)
	if err != nil {
		return fmt.Errorf("%s: pull from %s: %w", s.Name, s.Stream, err)
	}
	// A consumer that is gone ends the workers too; inputs in work outlive the
	// end by the grace period.
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	workCtx, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	// What has been sent to us already comes out of a drained iterator, to be
	// given back: dropped, it would come again only when its time has run out.
	// With the connection down a drain takes ten seconds, and brings nothing.
	pullCtx, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	ended := make(chan struct{})
	var closer sync.WaitGroup
	closer.Go(func() {
		<-ctx.Done()
		messages.Drain()
		defer time.AfterFunc(drain, leave).Stop()
		select {
		case <-ended:
		case <-time.After(s.Grace):
		}
		abandon()
	})

	var workers, beater sync.WaitGroup
	for range s.Workers {
		workers.Go(func() { s.worker(ctx, workCtx) })
	}
	stopBeat := make(chan struct{})
	beater.Go(func() { s.beat(stopBeat) })

	err = s.pull(ctx, pullCtx, messages)

	stop()
	workers.Wait()
	s.delayed.Wait()
	close(ended)
	closer.Wait()
	close(stopBeat)
	beater.Wait()
	s.returnHeld()
	return err
}

// pull hands messages to the workers until ctx ends, and then takes what is
// still on its way until pullCtx ends.
func (s *shell) pull(ctx, pullCtx context.Context, messages jetstream.MessagesContext) error {
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(pullCtx))
		switch {
		case errors.Is(err, jetstream.ErrMsgIteratorClosed), err != nil && ctx.Err() != nil:
			return nil
		case errors.Is(err, jetstream.ErrNoHeartbeat):
			continue // the connection is down; the iterator goes on when it is back
		case errors.Is(err, jetstream.ErrConsumerDeleted), errors.Is(err, jetstream.ErrConsumerNotFound):
			return fmt.Errorf("%s: consumer %s of stream %s was deleted; start again to create it: %w", s.Name, s.Durable, s.Stream, err)
		case err != nil:
			s.Log.Warn("pull", "stream", s.Stream, "error", err)
			if pause(ctx, time.Second) != nil {
				return nil
			}
			continue
		}
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("%s: a message of stream %s without metadata: %w", s.Name, s.Stream, err)
		}
		h := &held{msg: msg, meta: meta}
		s.hold(h)
		select {
		case s.work <- h:
		case <-ctx.Done(): // returnHeld gives it back
		}
	}
}

// worker takes inputs until ctx ends. Workers stop taking then; what they have
// in work may go on for the grace period.
func (s *shell) worker(ctx, workCtx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case h := <-s.work:
			s.process(ctx, workCtx, h)
		}
	}
}

// process works on an input. A try that failed is repeated in this process
// and not given back: the server's count of deliveries then counts only the
// processes that the input was taken from. Its worker is free meanwhile, unless
// the order matters.
func (s *shell) process(ctx, workCtx context.Context, h *held) {
	for {
		err := s.try(workCtx, h)
		switch {
		case err == nil:
			s.answer(h, done, h.msg.Ack)
			return
		case workCtx.Err() != nil || ctx.Err() != nil:
			return // stopping; returnHeld gives it back
		}
		d := delay(err, h.tries)
		h.tries++
		s.Metrics.messages.WithLabelValues(retried).Inc()
		if h.tries == 1 {
			s.Log.Warn("will try again", "in", d, "sequence", h.meta.Sequence.Stream, "error", err)
		}
		if !s.InOrder {
			s.delayed.Go(func() { s.again(ctx, d, h) })
			return
		}
		if pause(ctx, d) != nil {
			return
		}
	}
}

// again hands an input to the workers once more, after a delay.
func (s *shell) again(ctx context.Context, d time.Duration, h *held) {
	if pause(ctx, d) != nil {
		return
	}
	select {
	case s.work <- h:
	case <-ctx.Done():
	}
}

// try calls the stage once and makes what it caused durable.
func (s *shell) try(ctx context.Context, h *held) error {
	start := time.Now()
	m := Message{
		Subject:  h.msg.Subject(),
		Sequence: h.meta.Sequence.Stream,
		Stored:   h.meta.Timestamp,
		ID:       h.msg.Headers().Get(jetstream.MsgIDHeader),
		Data:     h.msg.Data(),
	}
	out := s.output(m)
	var err error
	if h.meta.NumDelivered > crashLoop {
		err = Permanent(fmt.Errorf("handed out %d times without an answer: it ends the process that works on it", h.meta.NumDelivered))
	} else {
		err = s.call(ctx, m, out)
	}
	if err == nil {
		err = out.flush(ctx)
	}
	if isPermanent(err) {
		s.Metrics.messages.WithLabelValues(failed).Inc()
		reason := err.Error()
		// What was emitted beside it stands: it was complete.
		for isPermanent(err) {
			err = out.flush(ctx)
		}
		if err == nil {
			err = out.deadLetter(ctx, &trailbellv1.DeadLetter{Reason: reason}, "")
		}
		if err == nil {
			err = out.flush(ctx)
		}
	}
	if err != nil {
		return err
	}
	s.Metrics.seconds.Observe(time.Since(start).Seconds())
	return nil
}

// call calls the stage. An input that makes it panic would do so again: it must
// not end the process each time that it comes.
func (s *shell) call(ctx context.Context, m Message, out *Output) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.Log.Error("the stage panicked; this is a bug, please report it", "sequence", m.Sequence, "panic", r, "stack", string(debug.Stack()))
			err = Permanent(errors.New("the stage panicked over it; the log has the place"))
		}
	}()
	return s.f(ctx, m, out)
}

func (s *shell) output(m Message) *Output {
	return &Output{
		js: s.js, gates: s.Gates, metrics: s.Metrics, log: s.Log, stage: s.Name,
		input: Input{Stream: s.Stream, Subject: m.Subject, Sequence: m.Sequence, Data: m.Data},
	}
}

func (s *shell) hold(h *held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[h] = struct{}{}
	s.Metrics.inFlight.Inc()
}

func (s *shell) answer(h *held, result string, verb func() error) {
	s.mu.Lock()
	delete(s.held, h)
	s.mu.Unlock()
	s.Metrics.inFlight.Dec()
	s.Metrics.messages.WithLabelValues(result).Inc()
	// An answer that does not arrive makes the input come again.
	if err := verb(); err != nil {
		s.Log.Debug("answer not sent", "sequence", h.meta.Sequence.Stream, "error", err)
	}
}

// beat extends the time we have for what is held.
func (s *shell) beat(stop <-chan struct{}) {
	tick := time.NewTicker(s.wait / 3)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		for h := range s.held {
			_ = h.msg.InProgress() // a connection that is down cannot take it; the input comes again
		}
		s.mu.Unlock()
	}
}

// returnHeld gives back what has no answer when the stage stops.
func (s *shell) returnHeld() {
	s.mu.Lock()
	rest := make([]*held, 0, len(s.held))
	for h := range s.held {
		rest = append(rest, h)
	}
	s.mu.Unlock()
	for _, h := range rest {
		s.answer(h, given, func() error { return h.msg.NakWithDelay(giveBack) })
	}
}

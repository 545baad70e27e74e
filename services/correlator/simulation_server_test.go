package correlator

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/stage"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
	"github.com/trailbell/trailbell/sigma"
)

// server stands for NATS. Every request waits until the simulation lets it
// through, so that whoever is working stands still in between.
type server struct {
	mu       sync.Mutex
	requests []*request // that wait

	events  []*stored
	acked   map[uint64]bool // events, by sequence
	matches []*stored
	ids     map[string]bool // of MATCHES, as long as its window remembers
	alerts  []*stored
	values  map[string]*value
}

// stored is a message; its sequence is its place in the stream, from 1 on.
type stored struct {
	jetstream.Msg
	subject  string
	data     []byte
	sequence uint64
	at       time.Time
}

func (m *stored) Subject() string { return m.subject }
func (m *stored) Data() []byte    { return m.data }
func (m *stored) Metadata() (*jetstream.MsgMetadata, error) {
	return &jetstream.MsgMetadata{Sequence: jetstream.SequencePair{Stream: m.sequence}, Timestamp: m.at}, nil
}

func put(stream []*stored, subject string, data []byte) []*stored {
	return append(stream, &stored{subject: subject, data: data, sequence: uint64(len(stream) + 1), at: time.Now()})
}

// value is a value of the progress bucket.
type value struct {
	jetstream.KeyValueEntry
	data     []byte
	revision uint64
}

func (v *value) Value() []byte    { return v.data }
func (v *value) Revision() uint64 { return v.revision }

type request struct {
	client *client
	what   string
	fate   chan fate
}

// GoString is how rapid shows what it has drawn.
func (r *request) GoString() string { return fmt.Sprintf("%#v: %s", r.client, r.what) }

// fate is what becomes of a request.
type fate int

const (
	served  fate = iota
	lost         // on its way there
	unheard      // its answer is
)

var errLost = errors.New("no answer")

// client is the connection of one process. What it does not override of
// JetStream is not called.
type client struct {
	jetstream.JetStream
	server *server
	number int
	stop   context.CancelFunc
	paused bool
	ended  bool
	err    error // that it ended with

	// publishing is the first error of a publish, of a matcher.
	publishing error

	partition *partition      // nil: a matcher
	rules     *sigma.Set      // of its owner
	delivered uint64          // sequence of MATCHES
	arrived   []jetstream.Msg // for its next turn
	idle      bool
}

// GoString is how rapid shows what it has drawn.
func (c *client) GoString() string { return fmt.Sprint("client ", c.number) }

// ask waits to be let through, and applies the request.
func (c *client) ask(ctx context.Context, what string, apply func() error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s, r := c.server, &request{c, what, make(chan fate)}
	s.mu.Lock()
	s.requests = append(s.requests, r)
	s.mu.Unlock()
	f := served
	select {
	case <-ctx.Done():
		return ctx.Err()
	case f = <-r.fate:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f == lost {
		return errLost
	}
	err := apply()
	if f == unheard {
		return errLost
	}
	return err
}

// waiting returns what those who are not paused wait for, and the owners who
// wait for their turn, in an order that is always the same.
func (s *server) waiting() (requests, turns []*request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortFunc(s.requests, func(a, b *request) int {
		return cmp.Or(cmp.Compare(a.client.number, b.client.number), strings.Compare(a.what, b.what))
	})
	for _, r := range s.requests {
		switch {
		case r.client.paused:
		case r.what == turn:
			turns = append(turns, r)
		default:
			requests = append(requests, r)
		}
	}
	return requests, turns
}

func (s *server) remove(which func(*request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = slices.DeleteFunc(s.requests, which)
}

// Emit is [stage.Output.Emit]: an error is told at the end, so that of several
// messages any may be stored.
func (c *client) Emit(ctx context.Context, p stage.Publication) error {
	if p.Stream != streams.Matches {
		return fmt.Errorf("a message for %s", p.Stream)
	}
	err := c.ask(ctx, "publish "+p.Subject+p.ID, func() error {
		if !c.server.ids[p.ID] {
			c.server.matches = put(c.server.matches, p.Subject, p.Data)
			c.server.ids[p.ID] = true
		}
		return nil
	})
	if c.publishing == nil {
		c.publishing = err
	}
	return ctx.Err()
}

func (c *client) Dead(context.Context, *trailbellv1.DeadLetter) error {
	return errors.New("a dead letter")
}

// read and write make a shelf of the client.
func (c *client) read(ctx context.Context, k key, each func(alert.Alert)) (last uint64, err error) {
	err = c.ask(ctx, "read "+k.subject(), func() error {
		for _, m := range c.server.alerts {
			if m.subject == k.subject() {
				a, err := alert.Parse(m.data)
				if err != nil {
					return err
				}
				each(a)
				last = m.sequence
			}
		}
		return nil
	})
	return last, err
}

func (c *client) write(ctx context.Context, k key, a *alert.Alert, last uint64) (sequence uint64, err error) {
	data, err := a.JSON()
	if err != nil {
		return 0, err
	}
	err = c.ask(ctx, "write "+k.subject(), func() error {
		have := uint64(0)
		for _, m := range c.server.alerts {
			if m.subject == k.subject() {
				have = m.sequence
			}
		}
		if have != last {
			return stage.ErrConflict
		}
		c.server.alerts = put(c.server.alerts, k.subject(), data)
		sequence = uint64(len(c.server.alerts))
		return nil
	})
	return sequence, err
}

// bucket is the progress bucket as a client sees it.
type bucket struct {
	jetstream.KeyValue
	client *client
}

func (c *client) KeyValue(context.Context, string) (jetstream.KeyValue, error) {
	return &bucket{client: c}, nil
}

func (c *bucket) Get(ctx context.Context, key string) (entry jetstream.KeyValueEntry, err error) {
	err = c.client.ask(ctx, "get "+key, func() error {
		v := c.client.server.values[key]
		if v == nil {
			return jetstream.ErrKeyNotFound
		}
		entry = v
		return nil
	})
	return entry, err
}

func (c *bucket) Create(ctx context.Context, key string, data []byte, _ ...jetstream.KVCreateOpt) (uint64, error) {
	return c.Update(ctx, key, data, 0)
}

func (c *bucket) Update(ctx context.Context, key string, data []byte, revision uint64) (next uint64, err error) {
	err = c.client.ask(ctx, "set "+key, func() error {
		if v := c.client.server.values[key]; v != nil && v.revision != revision || v == nil && revision != 0 {
			return jetstream.ErrKeyExists
		}
		next = revision + 1
		c.client.server.values[key] = &value{data: bytes.Clone(data), revision: next}
		return nil
	})
	return next, err
}

// stream is a stream as a client sees it.
type stream struct {
	jetstream.Stream
	client *client
	stored *[]*stored
	info   jetstream.StreamInfo // when it was opened
}

func (c *client) stream(messages *[]*stored) *stream {
	s := &stream{client: c, stored: messages}
	s.info.State.LastSeq = uint64(len(*messages))
	return s
}

func (s *stream) CachedInfo() *jetstream.StreamInfo { return &s.info }

func (s *stream) Info(ctx context.Context, _ ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	info := s.info
	err := s.client.ask(ctx, "info", func() error {
		info.State.FirstSeq, info.State.LastSeq = 1, uint64(len(*s.stored))
		return nil
	})
	return &info, err
}

func (s *stream) GetMsg(_ context.Context, sequence uint64, _ ...jetstream.GetMsgOpt) (*jetstream.RawStreamMsg, error) {
	return &jetstream.RawStreamMsg{Data: (*s.stored)[sequence-1].data}, nil
}

func (s *stream) GetLastMsgForSubject(ctx context.Context, subject string) (m *jetstream.RawStreamMsg, err error) {
	err = s.client.ask(ctx, "last of "+subject, func() error {
		for _, is := range slices.Backward(*s.stored) {
			if is.subject == subject {
				m = &jetstream.RawStreamMsg{Sequence: is.sequence}
				return nil
			}
		}
		return jetstream.ErrMsgNotFound
	})
	return m, err
}

// OrderedConsumer reads what is there, and says then that there is no more.
func (s *stream) OrderedConsumer(ctx context.Context, cfg jetstream.OrderedConsumerConfig) (jetstream.Consumer, error) {
	c := &consumer{}
	return c, s.client.ask(ctx, "consume", func() error {
		c.messages = (*s.stored)[cfg.OptStartSeq-1:]
		return nil
	})
}

type consumer struct {
	jetstream.Consumer
	messages []*stored
}

func (c *consumer) Fetch(n int, _ ...jetstream.FetchOpt) (jetstream.MessageBatch, error) {
	n = min(n, len(c.messages))
	b := make(fetched, n)
	for _, m := range c.messages[:n] {
		b <- m
	}
	close(b)
	c.messages = c.messages[n:]
	return b, nil
}

// fetched is a batch that is there.
type fetched chan jetstream.Msg

func (b fetched) Messages() <-chan jetstream.Msg { return b }
func (b fetched) Error() error                   { return nil }

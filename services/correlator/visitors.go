package correlator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailbell/trailbell/internal/streams"
)

// visitors tells the owners of partitions who writes in ALERTS beside them.
//
// Compare-and-set keeps two owners of a partition from writing one revision
// twice. It does not keep the one that is behind from having the last word: where
// the one ahead had nothing to write, since all was said, nothing refuses a write
// that was planned on less, and the writer may be gone by then. So the owner
// looks at every write that is not its own, and says again what it knows.
type visitors struct {
	alerts jetstream.Stream

	mu      sync.Mutex
	up      uint64 // sequence of ALERTS
	inboxes map[int]*inbox
}

type inbox struct {
	visits []visit
	wake   func()
}

// visit is a message that somebody wrote for a group.
type visit struct {
	group    streams.Group
	sequence uint64 // of ALERTS
}

func newVisitors(alerts jetstream.Stream) *visitors {
	return &visitors{alerts: alerts, up: alerts.CachedInfo().State.LastSeq, inboxes: map[int]*inbox{}}
}

// run listens until ctx ends.
func (v *visitors) run(ctx context.Context) error {
	c, err := v.consumer(ctx, v.up+1, 0)
	if err != nil {
		return err
	}
	it, err := c.Messages()
	if err != nil {
		return fmt.Errorf("read stream %s: %w", streams.Alerts, err)
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
			return fmt.Errorf("read stream %s: %w", streams.Alerts, err)
		}
		if at, err := visitOf(m); err == nil {
			v.tell(at)
		}
	}
}

// consumer reads the subjects of ALERTS from a sequence on. When the server does
// not answer it tries so many times to go on; 0: as long as it takes.
func (v *visitors) consumer(ctx context.Context, from uint64, tries int) (jetstream.Consumer, error) {
	c, err := v.alerts.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from, HeadersOnly: true,
		InactiveThreshold: inactive, MaxResetAttempts: tries,
	})
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", streams.Alerts, err)
	}
	return c, nil
}

// visitOf reads a message. That of a detection has no group.
func visitOf(m jetstream.Msg) (visit, error) {
	meta, err := m.Metadata()
	if err != nil {
		return visit{}, err
	}
	g, _ := streams.GroupOfAlert(m.Subject())
	return visit{group: g, sequence: meta.Sequence.Stream}, nil
}

func (v *visitors) tell(at visit) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.up = at.sequence
	if at.group == (streams.Group{}) {
		return
	}
	for _, i := range v.inboxes {
		i.visits = append(i.visits, at)
		i.wake()
	}
}

// heard returns the sequence up to which we have been told, or were not there.
func (v *visitors) heard() uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.up
}

// joinWithin is how long a read of what has been written already waits for more.
const joinWithin = 2 * time.Second

// joinAtOnce is how many messages are asked for at once.
const joinAtOnce = 1000

// join begins to tell a partition, with what was written after a sequence. A
// group's name does not say its partition, since that of a chain has many
// groups, so every partition is told of every group.
func (v *visitors) join(ctx context.Context, partition int, from uint64, wake func()) error {
	v.mu.Lock()
	i := &inbox{wake: wake}
	v.inboxes[partition] = i
	up := v.up
	v.mu.Unlock()
	if from >= up {
		return nil
	}
	// A fetch ends with no context, so with the server gone it must end by itself:
	// the partition is opened again then.
	c, err := v.consumer(ctx, from+1, 1)
	if err != nil {
		return err
	}
	for at := (visit{sequence: from}); at.sequence < up; {
		// As many as there are, unless some have been dropped since: every fetch
		// makes a consumer of its own on the server.
		want, got := int(min(up-at.sequence, joinAtOnce)), 0
		batch, err := c.Fetch(want, jetstream.FetchMaxWait(joinWithin))
		if err != nil {
			return fmt.Errorf("read stream %s: %w", streams.Alerts, err)
		}
		for m := range batch.Messages() {
			got++
			if at, err = visitOf(m); err != nil {
				return err
			}
			if at.group != (streams.Group{}) {
				v.mu.Lock()
				i.visits = append(i.visits, at)
				v.mu.Unlock()
			}
		}
		if err := batch.Error(); err != nil {
			return fmt.Errorf("read stream %s: %w", streams.Alerts, err)
		}
		if got < want {
			// Dropped, or slow to come: a fetch that ran out of time says nothing.
			if more, err := v.more(ctx, at.sequence, up); !more {
				return err
			}
		}
	}
	return nil
}

// more reports whether ALERTS has a message behind a sequence, up to another one.
func (v *visitors) more(ctx context.Context, behind, up uint64) (bool, error) {
	m, err := v.alerts.GetMsg(ctx, behind+1, jetstream.WithGetMsgSubject(streams.AllAlerts))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at stream %s: %w", streams.Alerts, err)
	}
	return m.Sequence <= up, nil
}

func (v *visitors) leave(partition int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.inboxes, partition)
}

// take returns what a partition has been told since the last call, and the
// sequence up to which it has been told all.
func (v *visitors) take(partition int) ([]visit, uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := v.inboxes[partition]
	visits := i.visits
	i.visits = nil
	return visits, v.up
}

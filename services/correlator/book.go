package correlator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/stage"
	"github.com/trailbell/trailbell/internal/streams"
	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/window"
)

// key is what the alerts of a group are known by.
type key struct {
	correlation *sigma.CompiledCorrelation
	ledger      Ledger
}

func newKey(g *group, limits alert.Limits) key {
	fields := make(map[string]string, len(g.values))
	for i, f := range g.correlation.GroupBy() {
		if i < len(g.values) {
			fields[f] = g.values[i]
		}
	}
	return key{correlation: g.correlation, ledger: Ledger{
		Rule: ruleOf(g.correlation.Meta()), Token: g.id.String(), Fields: fields, Limits: limits,
	}}
}

// place is the account and the region that a group fixes, if it does.
func (k key) place() (account, region string) {
	a := alert.Alert{Kind: alert.KindCorrelation, Group: k.ledger.Fields}
	return a.Place()
}

// subject is where the alerts of a group go.
func (k key) subject() string {
	account, region := k.place()
	return streams.AlertsSubject(k.ledger.Rule.Level, label(k.correlation.Meta()), account, region, k.ledger.Token)
}

// filter is the subject of a group whatever the level and the name of its rule
// are, and were.
func (k key) filter() string {
	account, region := k.place()
	return streams.GroupAlerts(account, region, k.ledger.Token)
}

// shelf is where alerts stand: the stream ALERTS.
type shelf interface {
	// read passes on what was written for a group, in order, and returns the
	// sequence of the last message there, 0 for none.
	read(ctx context.Context, k key, each func(alert.Alert)) (last uint64, err error)
	// write writes a revision for a group if last is the sequence of the last
	// one there, 0 for none, and returns its sequence; else stage.ErrConflict.
	write(ctx context.Context, k key, a *alert.Alert, last uint64) (uint64, error)
}

// book is what the shelf holds of a group, as far as we know.
type book struct {
	read   bool
	alerts []alert.Alert // the latest revision of each
	last   uint64        // sequence of the last message; 0: none
}

// ahead returns how far whoever wrote the alerts had read a log.
func (h *book) ahead(epoch time.Time) uint64 {
	newest := uint64(0)
	for _, a := range h.alerts {
		if a.AsOf.SameEpoch(alert.AsOf{Epoch: epoch}) {
			newest = max(newest, a.AsOf.Sequence)
		}
	}
	return newest
}

func (h *book) put(a alert.Alert) {
	for i := range h.alerts {
		if h.alerts[i].ID == a.ID {
			h.alerts[i] = a
			return
		}
	}
	h.alerts = append(h.alerts, a)
}

// books writes the alerts of groups. Writing is compare-and-set on the group's
// subject: of two owners one is refused, reads what the other wrote, and plans
// again.
type books struct {
	shelf    shelf
	evidence *evidence
	metrics  *metrics
}

// position is how much of the log an owner knows.
type position struct {
	asOf   alert.AsOf // of the group's newest match
	folded uint64     // all matches of its partition up to here
}

// behindError says that whoever wrote the alerts of a group had read more of the
// log than we have.
type behindError struct{ ahead uint64 }

func (e *behindError) Error() string {
	return fmt.Sprintf("another owner has read up to %d", e.ahead)
}

// write makes the alerts of a group say what its window does. It returns how
// many revisions it wrote.
func (b *books) write(ctx context.Context, k key, have *book, w *window.Group, at position) (int, error) {
	n := 0
	for {
		if !have.read {
			if err := b.read(ctx, k, have); err != nil {
				return n, err
			}
		}
		wrote, err := b.plan(ctx, k, have, w, at)
		n += wrote
		if !errors.Is(err, stage.ErrConflict) {
			return n, err
		}
		b.metrics.conflicts.Inc()
	}
}

func (b *books) plan(ctx context.Context, k key, have *book, w *window.Group, at position) (int, error) {
	ahead := have.ahead(at.asOf.Epoch)
	if ahead > at.folded {
		return 0, &behindError{ahead}
	}
	// What is newer than the group's newest match, and not news to us, is of no
	// weight for the group.
	at.asOf.Sequence = max(at.asOf.Sequence, ahead)
	n := 0
	for _, r := range k.ledger.Plan(have.alerts, w, at.asOf, time.Now()) {
		err := r.Fill(k.ledger.Limits, func(of window.Event) ([]byte, alert.Object, error) { return b.evidence.read(ctx, of) })
		if err != nil {
			return n, err
		}
		sequence, err := b.shelf.write(ctx, k, &r.Alert, have.last)
		if err != nil {
			// Applied or not, what we know of the subject may be wrong now.
			*have = book{}
			return n, err
		}
		have.last = sequence
		have.put(r.Alert)
		b.metrics.revisions.WithLabelValues(label(k.correlation.Meta())).Inc()
		n++
	}
	return n, nil
}

func (b *books) read(ctx context.Context, k key, have *book) error {
	*have = book{}
	last, err := b.shelf.read(ctx, k, have.put)
	have.last, have.read = last, err == nil
	return err
}

// stand is the shelf that is the stream ALERTS.
type stand struct {
	js     jetstream.JetStream
	alerts jetstream.Stream
	shell  *stage.Metrics
	log    *slog.Logger
}

// read asks the stream's leader: one request a message, and one to see that
// there is none.
func (s *stand) read(ctx context.Context, k key, each func(alert.Alert)) (uint64, error) {
	filter, last := k.filter(), uint64(0)
	for {
		m, err := s.alerts.GetMsg(ctx, last+1, jetstream.WithGetMsgSubject(filter))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return last, nil
		}
		if err != nil {
			return 0, fmt.Errorf("read the alerts of a group back: %w", err)
		}
		last = m.Sequence
		// Anybody who may publish can put anything there, and one message must
		// not silence all correlations.
		a, err := alert.Parse(m.Data)
		if err == nil && a.ID != alert.CorrelationID(k.ledger.Token, a.Anchor) {
			err = fmt.Errorf("the id %q is not that of an alert of its group", a.ID)
		}
		if err != nil {
			s.log.Error("passed over a message that is no alert", "stream", streams.Alerts, "sequence", m.Sequence, "error", err)
			continue
		}
		each(a)
	}
}

func (s *stand) write(ctx context.Context, k key, a *alert.Alert, last uint64) (uint64, error) {
	p, err := publication(a, k.subject())
	if err != nil {
		return 0, err
	}
	return stage.CompareAndSet(ctx, s.js, s.shell, p, k.filter(), last)
}

// maxAlert is how long an alert may be: a message has room for its headers, too.
const maxAlert = streams.MaxPayload - 64<<10

// publication of a revision, with its CloudEvents attributes. Of one that no message
// has room for, as when it is full of what somebody made up, what matters least is
// left out: it must not stop those beside it.
func publication(a *alert.Alert, subject string) (stage.Publication, error) {
	data, err := a.JSON()
	if err == nil && len(data) > maxAlert {
		data, err = a.Cut().JSON()
	}
	if err != nil {
		return stage.Publication{}, stage.Permanent(fmt.Errorf("encode alert %s: %w", a.ID, err))
	}
	header := nats.Header{}
	for name, value := range a.Headers() {
		header.Set(name, value)
	}
	return stage.Publication{Stream: streams.Alerts, Subject: subject, Header: header, Data: data}, nil
}

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

// key is what a group is known by.
type key struct {
	correlation *sigma.CompiledCorrelation
	ledger      Ledger
}

func newKey(id string, c *sigma.CompiledCorrelation, values []string) key {
	fields := make(map[string]string, len(values))
	for i, f := range c.GroupBy() {
		if i < len(values) {
			fields[f] = values[i]
		}
	}
	return key{correlation: c, ledger: Ledger{Rule: ruleOf(c.Meta()), Token: id, Fields: fields}}
}

// book is what ALERTS holds of a group, as far as we know.
type book struct {
	read   bool
	alerts []alert.Alert // the latest revision of each
	last   uint64        // sequence of the subject's last message; 0: none
}

// books writes the alerts of groups. Writing is compare-and-set on the group's
// subject: of two owners one is refused, reads what the other wrote, and plans
// again.
type books struct {
	js       jetstream.JetStream
	alerts   jetstream.Stream
	evidence *evidence
	shell    *stage.Metrics
	metrics  *metrics
	log      *slog.Logger
}

// write makes the alerts of a group say what its window does. It returns how
// many revisions it wrote.
func (b *books) write(ctx context.Context, k key, have *book, w *window.Group, asOf alert.AsOf) (int, error) {
	n := 0
	for {
		if !have.read {
			if err := b.read(ctx, k, have); err != nil {
				return n, err
			}
		}
		wrote, err := b.plan(ctx, k, have, w, asOf)
		n += wrote
		if !errors.Is(err, stage.ErrConflict) {
			return n, err
		}
		b.metrics.conflicts.Inc()
		*have = book{}
	}
}

func (b *books) plan(ctx context.Context, k key, have *book, w *window.Group, asOf alert.AsOf) (int, error) {
	n := 0
	for _, r := range k.ledger.Plan(have.alerts, w, asOf, time.Now()) {
		err := r.Fill(func(ref window.Ref) ([]byte, alert.Object, error) { return b.evidence.read(ctx, ref) })
		if err != nil {
			return n, err
		}
		p, err := publication(&r.Alert, subject(k, &r.Alert))
		if err != nil {
			return n, err
		}
		sequence, err := stage.CompareAndSet(ctx, b.js, b.shell, p, have.last)
		if err != nil {
			// Applied or not, what we know of the subject may be wrong now.
			have.read = false
			return n, err
		}
		have.last = sequence
		have.put(r.Alert)
		b.metrics.revisions.WithLabelValues(label(k.correlation.Meta())).Inc()
		n++
	}
	return n, nil
}

// read gets the alerts of a group from the stream's leader: one request a
// message, and one to see that there is none.
func (b *books) read(ctx context.Context, k key, have *book) error {
	*have = book{}
	s := subject(k, &alert.Alert{Kind: alert.KindCorrelation, Rule: k.ledger.Rule, Group: k.ledger.Fields})
	for next := uint64(1); ; {
		m, err := b.alerts.GetMsg(ctx, next, jetstream.WithGetMsgSubject(s))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			have.read = true
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the alerts of a group back: %w", err)
		}
		// Anybody who may publish can put anything there, and one message must
		// not silence all correlations.
		if a, err := alert.Parse(m.Data); err == nil {
			have.put(a)
		} else {
			b.log.Error("passed over a message that is no alert", "stream", streams.Alerts, "sequence", m.Sequence, "error", err)
		}
		have.last = m.Sequence
		next = m.Sequence + 1
	}
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

// subject of a group. It never changes: account and region are those that the
// group fixes, or none.
func subject(k key, a *alert.Alert) string {
	account, region := a.Place()
	return streams.AlertsSubject(k.ledger.Rule.Level, label(k.correlation.Meta()), account, region, k.ledger.Token)
}

// publication of a revision, with its CloudEvents attributes.
func publication(a *alert.Alert, subject string) (stage.Publication, error) {
	data, err := a.JSON()
	if err != nil {
		return stage.Publication{}, stage.Permanent(fmt.Errorf("encode alert %s: %w", a.ID, err))
	}
	header := nats.Header{}
	for name, value := range a.Headers() {
		header.Set(name, value)
	}
	return stage.Publication{Stream: streams.Alerts, Subject: subject, Header: header, Data: data}, nil
}

package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/screen"
	"github.com/trailbell/trailbell/internal/streams"
	"github.com/trailbell/trailbell/services/forwarder"
)

// report is the sink of a scan. It remembers where the latest revision of each
// alert is, and prints them at the end.
type report struct {
	mu   sync.Mutex
	last map[string]entry
}

type entry struct {
	id       string
	sequence uint64
	seen     time.Time
	living   bool
}

func newReport() *report { return &report{last: map[string]entry{}} }

// Deliver takes note of a revision.
func (r *report) Deliver(_ context.Context, d forwarder.Delivery) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last[d.Alert.ID].sequence <= d.Sequence {
		r.last[d.Alert.ID] = entry{d.Alert.ID, d.Sequence, d.Alert.FirstSeen, d.Alert.State.Living()}
	}
	return nil
}

// print writes what is left of the alerts, in the order of first_seen.
func (r *report) print(ctx context.Context, js jetstream.JetStream, w io.Writer, look screen.Look, asJSON bool) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var living []entry
	for _, e := range r.last {
		if e.living {
			living = append(living, e)
		}
	}
	slices.SortFunc(living, func(a, b entry) int {
		return cmp.Or(a.seen.Compare(b.seen), cmp.Compare(a.id, b.id))
	})
	alerts, err := js.Stream(ctx, streams.Alerts)
	if err != nil {
		return 0, fmt.Errorf("look at stream %s: %w", streams.Alerts, err)
	}
	for i, e := range living {
		m, err := alerts.GetMsg(ctx, e.sequence)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return i, fmt.Errorf("alert %s did not fit: stream ALERTS kept %s; raise streams.alerts in a configuration file", e.id, Size(alerts.CachedInfo().Config.MaxBytes))
		}
		if err != nil {
			return i, fmt.Errorf("read an alert back: %w", err)
		}
		if asJSON {
			_, err = w.Write(append(m.Data, '\n'))
		} else {
			var a alert.Alert
			if a, err = alert.Parse(m.Data); err == nil {
				_, err = io.WriteString(w, look.Alert(&a))
			}
		}
		if err != nil {
			return i, fmt.Errorf("print an alert: %w", err)
		}
	}
	return len(living), nil
}

// counter reads a counter back, over all its labels.
func counter(g prometheus.Gatherer, name string) float64 {
	families, err := g.Gather()
	if err != nil {
		return 0
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// Package forwarder brings alerts to where somebody sees them. Each sink is a
// folder of its own and has a durable consumer of its own, so that one that is
// slow or down does not hold up the others.
package forwarder

import (
	"context"
	"slices"

	"github.com/trailbell/trailbell/internal/alert"
)

// Sink is a place that alerts go to. Deliver returns when the alert is there;
// an error is tried again, in order, until it is. After a crash the last
// delivery may be repeated.
type Sink interface {
	Deliver(ctx context.Context, d Delivery) error
}

// Delivery is one revision of an alert on its way to a sink.
type Delivery struct {
	Alert alert.Alert
	// JSON is the alert as it was published.
	JSON []byte
	// Sequence of the revision in ALERTS.
	Sequence uint64
}

// Match is a filter. An empty list lets everything pass.
type Match struct {
	Levels []string
	Rules  []string // ids or names
}

func (m Match) passes(a *alert.Alert) bool {
	return (len(m.Levels) == 0 || slices.Contains(m.Levels, a.Rule.Level)) &&
		(len(m.Rules) == 0 || slices.Contains(m.Rules, a.Rule.ID) || slices.Contains(m.Rules, a.Rule.Name))
}

// Route is a sink with its name and what it wants.
type Route struct {
	// Name is unique; the progress of the sink is kept under it.
	Name  string
	Match Match
	Sink  Sink
}

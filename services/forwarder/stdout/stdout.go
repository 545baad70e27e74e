// Package stdout is the sink that writes alerts to the standard output: as text
// for a person, or as JSON, one alert a line, for a program.
package stdout

import (
	"context"
	"fmt"
	"io"

	"github.com/trailbell/trailbell/internal/screen"
	"github.com/trailbell/trailbell/services/forwarder"
)

// Sink writes to a terminal or a pipe: each alert with a single write, so that
// those of several sinks do not mix.
type Sink struct {
	w    io.Writer
	json bool
	look screen.Look
	// turn is held by the one write at work, also by one that nobody waits for
	// any more.
	turn chan struct{}
}

// NewText makes a sink for a person.
func NewText(w io.Writer, look screen.Look) *Sink {
	return &Sink{w: w, look: look, turn: make(chan struct{}, 1)}
}

// NewJSON makes a sink for a program.
func NewJSON(w io.Writer) *Sink { return &Sink{w: w, json: true, turn: make(chan struct{}, 1)} }

// Deliver writes one revision. Who reads a pipe may stop reading and keep it
// open, and a write to it cannot be called back: Deliver returns when ctx ends,
// and the write may still happen.
func (s *Sink) Deliver(ctx context.Context, d forwarder.Delivery) error {
	var text []byte
	if s.json {
		text = append(append(make([]byte, 0, len(d.JSON)+1), d.JSON...), '\n')
	} else {
		text = []byte(s.look.Alert(&d.Alert))
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	written := make(chan error, 1)
	go func() {
		_, err := s.w.Write(text)
		<-s.turn
		written <- err
	}()
	select {
	case err := <-written:
		if err != nil {
			return fmt.Errorf("write an alert to the standard output: %w", err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

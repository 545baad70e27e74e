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
}

// NewText makes a sink for a person.
func NewText(w io.Writer, look screen.Look) *Sink { return &Sink{w: w, look: look} }

// NewJSON makes a sink for a program.
func NewJSON(w io.Writer) *Sink { return &Sink{w: w, json: true} }

// Deliver writes one revision.
func (s *Sink) Deliver(_ context.Context, d forwarder.Delivery) error {
	var text []byte
	if s.json {
		text = append(append(make([]byte, 0, len(d.JSON)+1), d.JSON...), '\n')
	} else {
		text = []byte(s.look.Alert(&d.Alert))
	}
	if _, err := s.w.Write(text); err != nil {
		return fmt.Errorf("write an alert to the standard output: %w", err)
	}
	return nil
}

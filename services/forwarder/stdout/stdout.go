// Package stdout is the sink that writes alerts to the standard output: as text
// for a person, or as JSON, one alert a line, for a program.
package stdout

import (
	"context"
	"io"

	"github.com/trailbell/trailbell/internal/screen"
	"github.com/trailbell/trailbell/services/forwarder"
)

// Sink writes to a terminal or a pipe.
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
	if s.json {
		line := append(append([]byte(nil), d.JSON...), '\n')
		_, err := s.w.Write(line)
		return err
	}
	_, err := io.WriteString(s.w, s.look.Alert(&d.Alert))
	return err
}

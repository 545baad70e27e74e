package natsserver

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/trailbell/trailbell/internal/streams"
)

// The formats are those of nats-server.
func TestTheLogTellsWhetherTheStoreCanBeWritten(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "1.blk", Err: syscall.ENOSPC}
	for _, tt := range []struct {
		name   string
		format string
		args   []any
		want   string // in the error; empty: there is none
	}{
		{"a full disk", "Filestore [KEYS] Critical write error: %v", []any{full}, "no space left on device; make room"},
		{"a full disk under another name", "JetStream failed to store a msg on stream '%s > %s': %v", []any{"$G", streams.Keys, full}, "no space left on device; make room"},
		{"what a full disk leaves behind", "JetStream stream '%s > %s' critical write error: %v", []any{"$G", streams.Keys, errors.New("no message cache")}, "no message cache"},
		{"a stream that is at its limit", "JetStream failed to store a msg on stream '%s > %s': %v", []any{"$G", streams.Keys, errors.New("maximum bytes exceeded")}, ""},
		{"nothing about the store", "%s - Client parser ERROR, state=%d", []any{"127.0.0.1", 1}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newListener("/var/lib/trailbell")
			l.Errorf(tt.format, tt.args...)
			l.Errorf(tt.format, tt.args...) // again, which must not block
			select {
			case err := <-l.failed:
				if tt.want == "" || !strings.Contains(err.Error(), "/var/lib/trailbell cannot be written: ") || !strings.HasSuffix(err.Error(), tt.want) {
					t.Errorf("it failed with %q, want %q", err, tt.want)
				}
			default:
				if tt.want != "" {
					t.Errorf("nothing was heard, want %q", tt.want)
				}
			}
		})
	}
}

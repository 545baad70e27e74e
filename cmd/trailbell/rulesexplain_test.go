package main

import (
	"context"
	"errors"
	"io"
	"testing"
)

// What waits for its input to end can be interrupted.
func TestExplainingStdinEndsWithTheContext(t *testing.T) {
	in, out := io.Pipe()
	defer out.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	root := newRoot(io.Discard, io.Discard)
	root.SetIn(in)
	root.SetArgs([]string{"rules", "explain", "-"})
	if err := root.ExecuteContext(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

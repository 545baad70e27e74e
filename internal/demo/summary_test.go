package demo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatToTypeNextCanBeTyped(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if got := next(); !strings.HasPrefix(got, "  go install ./cmd/trailbell\n  trailbell check ") {
		t.Errorf("without a trailbell in the path: %q", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "trailbell"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := next(); !strings.HasPrefix(got, "  trailbell check ") {
		t.Errorf("with one: %q", got)
	}
}

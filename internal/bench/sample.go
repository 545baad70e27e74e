package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/pprof"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/trailbell/trailbell/internal/app"
)

// Kind is what a child measures.
type Kind string

const (
	// Floor is gunzip and nothing else.
	Floor Kind = "floor"
	// Scan is the whole pipeline.
	Scan Kind = "scan"
)

// Sample is what one child has measured.
type Sample struct {
	Objects int `json:"objects"`
	// Records is 0 in a Floor: it does not look at what it decompresses.
	Records int   `json:"records"`
	Content int64 `json:"content"` // bytes decompressed; of a Scan 0
	Alerts  int   `json:"alerts"`
	Dead    int   `json:"dead"`
	// Seconds on the clock, and of CPU, user and system together.
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_seconds"`
	// Peak is the largest resident set of the process, in bytes.
	Peak int64 `json:"peak_bytes"`
}

// Measure is what a child does: it measures a kind over the files of a
// directory and writes a Sample to out. With a profile it also writes one of
// the CPU, for `go tool pprof`.
func Measure(ctx context.Context, kind Kind, dir, profile string, env app.Env) error {
	stop, err := startProfile(profile)
	if err != nil {
		return err
	}
	var s Sample
	start, before := time.Now(), cpu()
	switch kind {
	case Floor:
		s, err = floor(ctx, dir)
	case Scan:
		s, err = scan(ctx, dir, env)
	default:
		err = fmt.Errorf("there is no measurement %q", kind)
	}
	s.Seconds, s.CPU = time.Since(start).Seconds(), (cpu() - before).Seconds()
	s.Peak = peak()
	if err := errors.Join(err, stop()); err != nil {
		return err
	}
	return json.NewEncoder(env.Out).Encode(s)
}

func startProfile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("profile: %w", err)
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// scan is `trailbell scan DIR --format json` with the shipped rules.
func scan(ctx context.Context, dir string, env app.Env) (Sample, error) {
	app.LimitMemory(0)
	env.Out = io.Discard
	r, err := app.Scan(ctx, app.DefaultConfig(), app.ScanOptions{Paths: []string{dir}, JSON: true}, env)
	return Sample{Objects: r.Objects, Records: r.Records, Alerts: r.Alerts, Dead: r.Dead}, err
}

// floor decompresses every file of a directory.
func floor(ctx context.Context, dir string) (Sample, error) {
	var s Sample
	var z gzip.Reader
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := gunzip(&z, path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		s.Objects++
		s.Content += n
		return nil
	})
	return s, err
}

func gunzip(z *gzip.Reader, path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if err := z.Reset(f); err != nil {
		return 0, err
	}
	return io.Copy(io.Discard, z)
}

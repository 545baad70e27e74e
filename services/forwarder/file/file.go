// Package file is the sink that appends alerts to a file, one JSON object a
// line (NDJSON).
package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/trailbell/trailbell/services/forwarder"
)

// Sink appends to one file. The file is opened at the first alert and opened
// again when it was moved away or removed, so that log rotation works.
type Sink struct {
	path string

	mu   sync.Mutex
	file *os.File
}

// New makes a sink; it does not touch the file yet.
func New(path string) *Sink { return &Sink{path: path} }

// Deliver appends one line. A line that could be written only in part, as on a
// full disk, is taken back, and the delivery is tried again.
func (s *Sink) Deliver(_ context.Context, d forwarder.Delivery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(); err != nil {
		return err
	}
	at, err := s.file.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("alerts file: %w", err)
	}
	line := append(append(make([]byte, 0, len(d.JSON)+1), d.JSON...), '\n')
	if _, err := s.file.Write(line); err != nil {
		return errors.Join(fmt.Errorf("alerts file: %w", err), s.file.Truncate(at))
	}
	return nil
}

// Close closes the file.
func (s *Sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

func (s *Sink) open() error {
	if s.file != nil {
		if s.current() {
			return nil
		}
		_ = s.file.Close() // it is not the file of that name any more
		s.file = nil
	}
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o640)
	if err != nil {
		return fmt.Errorf("alerts file: %w", err)
	}
	if err := dropPartialLine(f); err != nil {
		_ = f.Close()
		return fmt.Errorf("alerts file %s: %w", s.path, err)
	}
	s.file = f
	return nil
}

// current reports whether the open file still has its name.
func (s *Sink) current() bool {
	named, err := os.Stat(s.path)
	if err != nil {
		return false
	}
	open, err := s.file.Stat()
	return err == nil && os.SameFile(named, open)
}

// dropPartialLine removes what a process that was killed while writing left
// behind: its alert was not acknowledged and comes again.
func dropPartialLine(f *os.File) error {
	const step = 64 << 10
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	buf := make([]byte, step)
	keep := end
	for keep > 0 {
		n := min(keep, step)
		if _, err := f.ReadAt(buf[:n], keep-n); err != nil {
			return err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			keep = keep - n + int64(i) + 1
			break
		}
		keep -= n
	}
	if keep == end {
		return nil
	}
	return f.Truncate(keep)
}

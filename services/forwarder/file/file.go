// Package file is the sink that appends alerts to a file, one JSON object a
// line (NDJSON).
package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"

	"github.com/trailbell/trailbell/services/forwarder"
)

// Sink appends to one file. The file is opened at the first alert and opened
// again when it was moved away or removed, so that log rotation works. Several
// sinks, also of several processes, may share a file: each line is whole.
//
// An alert that was delivered survives the end of the process; it is not
// flushed to the disk one by one, and a loss of power can take the last ones.
type Sink struct {
	path string

	mu   sync.Mutex
	file *os.File
}

// New makes a sink; it does not touch the file yet.
func New(path string) *Sink { return &Sink{path: path} }

// Deliver appends one line. A line that could be written only in part, as on a
// full disk, is taken back, and the error is returned.
func (s *Sink) Deliver(ctx context.Context, d forwarder.Delivery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.append(ctx, d.JSON); err != nil {
		return s.explain(err)
	}
	return nil
}

// Close closes the file.
func (s *Sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.close()
}

func (s *Sink) append(ctx context.Context, json []byte) error {
	if err := s.open(); err != nil {
		return err
	}
	unlock, err := lock(ctx, s.file)
	if err != nil {
		return err
	}
	defer unlock()
	// Somebody may have been killed while writing, and not only we.
	end, err := finishLine(s.file)
	if err != nil {
		return err
	}
	line := append(append(make([]byte, 0, len(json)+1), json...), '\n')
	n, err := s.file.Write(line)
	if err != nil && n > 0 {
		err = errors.Join(err, takeBack(s.file, end, n))
	}
	return err
}

func (s *Sink) open() error {
	if s.file != nil {
		if s.current() {
			return nil
		}
		_ = s.close() // it is not the file of that name any more
	}
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	s.file = f
	return nil
}

func (s *Sink) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
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

// explain adds what to try.
func (s *Sink) explain(err error) error {
	try := ""
	switch {
	case errors.Is(err, fs.ErrPermission):
		try = "let the user of this process write to it"
	case errors.Is(err, fs.ErrNotExist):
		try = "create its directory"
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		try = "set the path of the sink to a file"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		try = "make room; alerts wait until there is some"
	default:
		return fmt.Errorf("alerts file %s: %w", s.path, err)
	}
	return fmt.Errorf("alerts file %s: %w; %s", s.path, err, try)
}

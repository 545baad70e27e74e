package file

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// maxTail bounds in bytes what is looked at behind the last newline of a file.
// An alert, which is a message of NATS, is smaller.
const maxTail = 8 << 20

// head is how the JSON of every alert begins.
const head = `{"id":"`

// finishLine makes the next write begin a line, and returns the size of the
// file. The lock must be held.
//
// The beginning of an alert that lacks its end is what a process left that was
// killed while writing: it is removed, since the alert was not acknowledged and
// comes again. Anything else is not ours to remove: it gets its newline.
func finishLine(f *os.File) (int64, error) {
	i, err := f.Stat()
	if err != nil {
		return 0, err
	}
	end := i.Size()
	if !i.Mode().IsRegular() || end == 0 {
		return end, nil // a pipe or a terminal has nothing to finish
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, end-1); err != nil {
		return 0, err
	}
	if last[0] == '\n' {
		return end, nil
	}
	tail, err := readTail(f, end)
	if err != nil {
		return 0, err
	}
	if isPartial(tail) {
		end -= int64(len(tail))
		return end, f.Truncate(end)
	}
	if _, err := f.Write([]byte{'\n'}); err != nil {
		return 0, err
	}
	return end + 1, nil
}

// readTail returns what stands behind the last newline, or nothing if that is
// more than maxTail.
func readTail(f *os.File, end int64) ([]byte, error) {
	tail := make([]byte, min(end, maxTail))
	if _, err := f.ReadAt(tail, end-int64(len(tail))); err != nil && err != io.EOF {
		return nil, err
	}
	if i := bytes.LastIndexByte(tail, '\n'); i >= 0 {
		return tail[i+1:], nil
	}
	if end > maxTail {
		return nil, nil
	}
	return tail, nil
}

// isPartial reports whether tail is the beginning of an alert without its end.
func isPartial(tail []byte) bool {
	if len(tail) == 0 {
		return false
	}
	n := min(len(tail), len(head))
	return string(tail[:n]) == head[:n] && !json.Valid(tail)
}

// takeBack removes the n bytes that we wrote at end, if they are the last ones
// of the file: a program that does not lock may have appended to them.
func takeBack(f *os.File, end int64, n int) error {
	i, err := f.Stat()
	if err != nil {
		return err
	}
	if size := i.Size(); !i.Mode().IsRegular() || size != end+int64(n) {
		return fmt.Errorf("part of a line remains at byte %d", end)
	}
	return f.Truncate(end)
}

package natsserver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
)

// StoreError says that the server could not write its store. It takes nothing
// more then, also when the reason is gone, until it is started again. What it
// acknowledged before is in the store.
type StoreError struct {
	Dir string
	Err error
}

func (e *StoreError) Error() string {
	try := ""
	if errors.Is(e.Err, syscall.ENOSPC) || errors.Is(e.Err, syscall.EDQUOT) {
		try = "; make room"
	}
	return fmt.Sprintf("the store in %s cannot be written: %v%s", e.Dir, e.Err, try)
}

func (e *StoreError) Unwrap() error { return e.Err }

// listener is the server's logger. The server tells of a store that it cannot
// write in its log and nowhere else; that is all we listen for.
type listener struct {
	dir    string
	failed chan error // room for one
}

func newListener(dir string) *listener { return &listener{dir, make(chan error, 1)} }

// critical stands in the format of what the server logs when a stream takes
// nothing more: setWriteErr in its filestore.go and stream.go. The error beside
// it need not be the one of the disk.
const critical = "ritical write error"

// disk are the errors of a disk that takes nothing.
var disk = []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS}

func (l *listener) Errorf(format string, args ...any) {
	for _, arg := range args {
		err, ok := arg.(error)
		if !ok {
			continue
		}
		is := func(d error) bool { return errors.Is(err, d) }
		if !strings.Contains(format, critical) && !slices.ContainsFunc(disk, is) {
			continue
		}
		select {
		case l.failed <- &StoreError{l.dir, err}:
		default: // it is known
		}
	}
}

func (l *listener) Fatalf(format string, args ...any) { l.Errorf(format, args...) }
func (*listener) Noticef(string, ...any)              {}
func (*listener) Warnf(string, ...any)                {}
func (*listener) Debugf(string, ...any)               {}
func (*listener) Tracef(string, ...any)               {}

package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Another sink holds the lock for the time of a write.
const (
	lockPause    = 5 * time.Millisecond
	lockPatience = 10 * time.Second
)

// lock keeps the sinks of a file apart: only who holds it may take something
// away from its end. It is a lock of the open file (flock), which also ends
// with the process that holds it.
func lock(ctx context.Context, f *os.File) (unlock func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockPatience, errors.New("another process has it locked for too long"))
	defer cancel()
	tick := time.NewTicker(lockPause)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }, nil
		case errors.Is(err, syscall.EINTR):
			continue
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return nil, fmt.Errorf("lock: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

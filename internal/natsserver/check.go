package natsserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// InUse reports whether a running process has its store in dir, as far as this
// user can see. It leaves no trace.
func InUse(dir string) (bool, error) {
	f, err := os.Open(filepath.Join(dir, lockName))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("data directory: %w; choose another with --data-dir", err)
	}
	defer f.Close()
	// Closing gives the lock back.
	return syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil, nil
}

// CheckListen says why a server could not listen at an address, host:port. An
// empty one is fine: then it listens nowhere.
func CheckListen(address string) error {
	if address == "" {
		return nil
	}
	if _, _, err := splitAddress(address); err != nil {
		return err
	}
	return probe(address)
}

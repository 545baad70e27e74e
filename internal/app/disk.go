package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// reserve is what a volume keeps free beside the streams: indexes, key-value
// buckets, the leases.
const reserve = 256 << 20

// CheckDisk says whether the store can be written in dir, which need not exist
// yet, and whether streams of total bytes fit on its volume. On a full disk
// publishes get no answer and acknowledging frees no room, so it has to be said
// before. It returns the bytes that the store may have there; nothing is
// created.
func CheckDisk(dir string, total int64) (room int64, err error) {
	if dir == "" {
		return 0, errors.New("data directory: there is no home directory to put it in; say where the embedded server keeps its store, with --data-dir")
	}
	there, err := existing(dir)
	if err != nil {
		return 0, fmt.Errorf("data directory: %w; choose another with --data-dir", err)
	}
	const write, search = 2, 1 // access(2)
	if err := syscall.Access(there, write|search); err != nil {
		return 0, fmt.Errorf("data directory %s: %s cannot be written: %w; choose another with --data-dir", dir, there, err)
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(there, &s); err != nil {
		return 0, fmt.Errorf("data directory %s: %w", dir, err)
	}
	room = int64(s.Bavail)*int64(s.Bsize) + used(dir)
	if need := total + reserve; room < need {
		return room, fmt.Errorf("data directory %s: there is room for %s and the streams may take %s; free some, choose another directory with --data-dir, or lower the sizes under streams: in the configuration",
			dir, Size(room), Size(need))
	}
	return room, nil
}

// existing is dir, or the nearest directory above it that exists.
func existing(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	for err == nil {
		var info fs.FileInfo
		info, err = os.Stat(dir)
		switch {
		case err == nil && !info.IsDir():
			return "", fmt.Errorf("%s is a file, not a directory", dir)
		case err == nil:
			return dir, nil
		case (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)) && dir != filepath.Dir(dir):
			dir, err = filepath.Dir(dir), nil
		}
	}
	return "", err
}

// used is what a store takes already.
func used(dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // files come and go; an estimate is enough
		}
		if i, err := d.Info(); err == nil && i.Mode().IsRegular() {
			n += i.Size()
		}
		return nil
	})
	return n
}

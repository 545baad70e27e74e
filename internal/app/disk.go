package app

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// reserve is what a volume keeps free beside the streams: indexes, key-value
// buckets, the leases.
const reserve = 256 << 20

// checkDisk says whether the streams fit on the volume of the store. On a full
// disk publishes get no answer and acknowledging frees no room, so it has to be
// said before.
func checkDisk(dir string, total int64) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data directory: %w; choose another with --data-dir", err)
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	have := int64(s.Bavail)*int64(s.Bsize) + used(dir)
	if need := total + reserve; have < need {
		return fmt.Errorf("data directory %s: there is room for %s and the streams may take %s; free some, choose another directory with --data-dir, or lower the sizes under streams: in the configuration",
			dir, Size(have), Size(need))
	}
	return nil
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

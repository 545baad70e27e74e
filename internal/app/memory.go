package app

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// defaultMemory is what the process stays below when nothing else is said, in
// bytes. Replaying a million matches peaks at five times of it without a limit,
// and is no faster.
const defaultMemory = 250 << 20

// LimitMemory tells the runtime how much memory to stay below: limit bytes, or
// when it is 0 what GOMEMLIMIT says, else nine tenths of the container's, else
// 250 MiB. The limit is soft: what is really needed is taken.
func LimitMemory(limit int64) {
	switch {
	case limit > 0:
	case os.Getenv("GOMEMLIMIT") != "":
		return
	default:
		limit = containerMemory() / 10 * 9
		if limit <= 0 {
			limit = defaultMemory
		}
	}
	debug.SetMemoryLimit(limit)
}

// containerMemory is the limit of the control group, version 2 or 1; 0 when
// there is none.
func containerMemory() int64 {
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		// Version 1 says "no limit" with a number near the largest.
		if err == nil && n < 1<<50 {
			return n
		}
	}
	return 0
}

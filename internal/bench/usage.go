package bench

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cpu is how long this process has used CPUs, user and system together.
func cpu() time.Duration {
	u := usage()
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak is the largest resident set that this process has had, in bytes.
//
// On Linux it is VmHWM (proc_pid_status(5)), which begins anew with a program:
// ru_maxrss (getrusage(2)) is not less than what the parent had when it started
// the child.
func peak() int64 {
	if n := highWater("/proc/self/status"); n > 0 {
		return n
	}
	n := usage().Maxrss
	if runtime.GOOS != "darwin" {
		n *= 1024 // the unit is bytes there and kilobytes elsewhere
	}
	return n
}

func usage() syscall.Rusage {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail with these arguments
	return u
}

func highWater(status string) int64 {
	f, err := os.Open(status)
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		value, ok := strings.CutPrefix(lines.Text(), "VmHWM:")
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(value, "kB")), 10, 64)
		if err != nil {
			return 0
		}
		return n * 1024
	}
	return 0
}

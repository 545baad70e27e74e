package file_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/trailbell/trailbell/services/forwarder"
	"github.com/trailbell/trailbell/services/forwarder/file"
)

// appendTo makes the test binary a process that appends to the file of that
// name: the alerts of a writer, counted up from 0.
const (
	appendTo = "TRAILBELL_TEST_APPEND_TO"
	writerID = "TRAILBELL_TEST_WRITER"
)

// overfill makes the test binary a process that delivers more to the file of that
// name than it has room for, and once more when there is room.
const overfill = "TRAILBELL_TEST_OVERFILL"

func TestMain(m *testing.M) {
	if path := os.Getenv(overfill); path != "" {
		exit(fillUp(path))
	}
	if path := os.Getenv(appendTo); path != "" {
		exit(write(path, os.Getenv(writerID), 300, os.Stdout))
	}
	goleak.VerifyTestMain(m)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// write appends n alerts, and tells when it has appended half of them.
func write(path, writer string, n int, told io.Writer) error {
	s := file.New(path)
	for i := range n {
		if err := s.Deliver(context.Background(), delivery(writer+"-"+strconv.Itoa(i), 5000)); err != nil {
			return err
		}
		if i == n/2 {
			if _, err := io.WriteString(told, "."); err != nil {
				return err
			}
		}
	}
	return s.Close()
}

// fillUp delivers two alerts. The second one finds room for a part of it only, as
// on a disk that has become full in the middle of a line, and is tried again.
func fillUp(path string) error {
	s := file.New(path)
	if err := s.Deliver(context.Background(), delivery("a", 10)); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	room := uint64(len(line("a")) + 20)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: room, Max: old.Max}); err != nil {
		return err
	}
	if err := s.Deliver(context.Background(), delivery("b", 10)); !errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("the delivery ended with %v, want %v", err, syscall.EFBIG)
	}
	held, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if string(held) != line("a") {
		return fmt.Errorf("the file holds %q, want the first line only", held)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	if err := s.Deliver(context.Background(), delivery("b", 10)); err != nil {
		return err
	}
	return s.Close()
}

// delivery is an alert of about the given size in bytes.
func delivery(id string, size int) forwarder.Delivery {
	return forwarder.Delivery{JSON: fmt.Appendf(nil, `{"id":%q,"revision":1,"records":["%0*d"]}`, id, size, 0)}
}

package file_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
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

func TestMain(m *testing.M) {
	if path := os.Getenv(appendTo); path != "" {
		if err := write(path, os.Getenv(writerID), 300, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
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

// delivery is an alert of about the given size in bytes.
func delivery(id string, size int) forwarder.Delivery {
	return forwarder.Delivery{JSON: fmt.Appendf(nil, `{"id":%q,"revision":1,"records":["%0*d"]}`, id, size, 0)}
}

package stdout_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/screen"
	"github.com/trailbell/trailbell/services/forwarder"
	"github.com/trailbell/trailbell/services/forwarder/stdout"
)

func delivery(t *testing.T, id string) forwarder.Delivery {
	t.Helper()
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	a := alert.Alert{
		ID: id, Revision: 1, State: alert.Ended, Kind: alert.KindDetection, Rule: alert.Rule{Title: "Rule of " + id, Level: "high"},
		FirstSeen: at, LastSeen: at, Account: "111122223333",
	}
	data, err := a.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return forwarder.Delivery{Alert: a, JSON: data}
}

// writes remembers each write: alerts of several sinks must not mix in a
// terminal.
type writes struct{ got []string }

func (w *writes) Write(p []byte) (int, error) {
	w.got = append(w.got, string(p))
	return len(p), nil
}

func TestTextIsForAPerson(t *testing.T) {
	var w writes
	s := stdout.NewText(&w, screen.Look{})
	for _, id := range []string{"a", "b"} {
		if err := s.Deliver(t.Context(), delivery(t, id)); err != nil {
			t.Fatal(err)
		}
	}
	text := func(id string) string {
		return "HIGH      Rule of " + id + "\n  who     in 111122223333\n  when    2026-11-24 12:00:00 UTC\n\n"
	}
	if diff := cmp.Diff([]string{text("a"), text("b")}, w.got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestJSONIsTheAlertAsPublishedOneALine(t *testing.T) {
	var w writes
	s := stdout.NewJSON(&w)
	a, b := delivery(t, "a"), delivery(t, "b")
	b.JSON = json.RawMessage(`{"id":"b","field of tomorrow":1}`)
	for _, d := range []forwarder.Delivery{a, b} {
		if err := s.Deliver(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{string(a.JSON) + "\n", string(b.JSON) + "\n"}, w.got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheDataOfTheDeliveryStaysAsItIs(t *testing.T) {
	d := delivery(t, "a")
	room := append(make([]byte, 0, len(d.JSON)+1), d.JSON...)
	after := room[:len(room)+1]
	d.JSON = room
	if err := stdout.NewJSON(&writes{}).Deliver(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if after[len(room)] != 0 {
		t.Error("the sink wrote behind the alert, into memory that is not its own")
	}
}

type closed struct{}

var errClosed = errors.New("closed")

func (closed) Write([]byte) (int, error) { return 0, errClosed }

func TestAFailedWriteIsAnErrorThatNamesThePlace(t *testing.T) {
	for name, s := range map[string]*stdout.Sink{"text": stdout.NewText(closed{}, screen.Look{}), "json": stdout.NewJSON(closed{})} {
		err := s.Deliver(t.Context(), delivery(t, "a"))
		if !errors.Is(err, errClosed) || !strings.Contains(err.Error(), "standard output") {
			t.Errorf("%s: Deliver returned %v", name, err)
		}
	}
}

func TestAReaderThatStopsReadingDoesNotHoldUpTheEnd(t *testing.T) {
	r, w := io.Pipe()
	s := stdout.NewJSON(w)
	a, b := delivery(t, "a"), delivery(t, "b")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Deliver(ctx, a) }()
	begin := make([]byte, 1)
	if _, err := io.ReadFull(r, begin); err != nil { // and no more
		t.Fatal(err)
	}
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Deliver returned %v, want that it was canceled", err)
	}
	if err := s.Deliver(ctx, b); !errors.Is(err, context.Canceled) {
		t.Errorf("Deliver returned %v while the write before was at work, want that it was canceled", err)
	}

	// The reader goes on: the line that was begun is whole, and the next one
	// comes behind it.
	go func() {
		done <- s.Deliver(t.Context(), b)
		_ = w.Close()
	}()
	rest := make(chan string)
	go func() {
		data, _ := io.ReadAll(r) // the end is that of the pipe
		rest <- string(begin) + string(data)
	}()
	if err := <-done; err != nil {
		t.Errorf("Deliver returned %v", err)
	}
	if diff := cmp.Diff(string(a.JSON)+"\n"+string(b.JSON)+"\n", <-rest); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

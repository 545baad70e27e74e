package app

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/streams"
)

// TestNothingIsThroughThatWasJustStored: between the moment a message is stored
// and the moment a consumer knows of it there is a gap, in which a scan used to
// end without having looked at anything.
func TestNothingIsThroughThatWasJustStored(t *testing.T) {
	_, js := natstest.Connect(t, natstest.Start(t, natstest.Limits()))
	const durable = "reader"
	through := func() bool {
		t.Helper()
		done, err := consumed(t.Context(), js, streams.Events, durable)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	if through() {
		t.Error("a consumer that is not there yet is through")
	}
	// It has read what was delivered to it: that is enough here.
	c, err := js.CreateConsumer(t.Context(), streams.Events, jetstream.ConsumerConfig{Durable: durable, AckPolicy: jetstream.AckNonePolicy})
	if err != nil {
		t.Fatal(err)
	}
	if !through() {
		t.Error("a consumer of an empty stream is not through")
	}
	for i := range 500 {
		if _, err := js.Publish(t.Context(), streams.EventsSubject("111122223333", "us-east-1"), []byte("x")); err != nil {
			t.Fatal(err)
		}
		if through() {
			t.Fatalf("message %d was stored and not read, and the consumer is through", i+1)
		}
		if _, err := c.Next(); err != nil {
			t.Fatal(err)
		}
		if !through() {
			t.Fatalf("message %d was read, and the consumer is not through", i+1)
		}
	}
}

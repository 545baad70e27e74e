package correlator

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/stage"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
	"github.com/trailbell/trailbell/sigma"
)

// publisher publishes what a matcher emits.
type publisher struct{ jetstream.JetStream }

func (p publisher) Emit(ctx context.Context, out stage.Publication) error {
	_, err := p.Publish(ctx, out.Subject, out.Data, jetstream.WithMsgID(out.ID))
	return err
}

func (publisher) Dead(context.Context, *trailbellv1.DeadLetter) error { return nil }

// In a rolling restart with edited rules, partitions are owned by processes that
// do not know a correlation which others match for. What they pass over is not
// lost: the first owner that knows it says it.
func TestAnOwnerSaysWhatOthersCouldNotRead(t *testing.T) {
	byRegion := strings.Replace(bell, "[recipientAccountId, sourceIPAddress]", "[awsRegion, sourceIPAddress]", 1)
	for name, others := range map[string]string{
		"a correlation that is new":    strings.Replace(bell, "name: brute_force", "name: other", 1),
		"a correlation that is edited": byRegion,
	} {
		t.Run(name, func(t *testing.T) {
			s := natstest.Start(t, natstest.Limits())
			_, js := natstest.Connect(t, s)
			before, after := ruleSet(t, others), ruleSet(t, bell)
			match(t, js, after, "first", 0, fiveLogins("id", 7))
			stop := run(t, s, before, options(), "before")
			settle(t, js)
			match(t, js, after, "second", 0, fiveLogins("other", 8))
			settle(t, js)
			stop()
			stop = run(t, s, after, options(), "after")
			match(t, js, after, "third", 0, fiveLogins("last", 9))
			want := fmt.Sprint([]string{"7 [id-0 id-1 id-2 id-3 id-4]", "8 [other-0 other-1 other-2 other-3 other-4]", "9 [last-0 last-1 last-2 last-3 last-4]"})
			for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
				got := fmt.Sprint(living(final(t, js)))
				if got == want {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("living alerts %v, want %v", got, want)
				}
			}
			stop()
		})
	}
}

// match puts into MATCHES what a matcher with these rules makes of logins at a
// sequence of EVENTS.
func match(t *testing.T, js jetstream.JetStream, rules *sigma.Set, object string, sequence uint64, logins []login) {
	t.Helper()
	var entries []entry
	for _, l := range logins {
		entries = append(entries, entry{l.id, l.time(), "ConsoleLogin", l.record()})
	}
	s, err := js.Stream(t.Context(), streams.Matches)
	if err != nil {
		t.Fatal(err)
	}
	m := &matcher{rules: rules, partitions: streams.PartitionsOf(s.CachedInfo().Config), metrics: newMetrics(prometheus.NewRegistry(), rules)}
	message := stage.Message{ID: object, Sequence: sequence, Data: eventBatch(t, object, "signin.amazonaws.com", entries)}
	if err := m.match(t.Context(), message, publisher{js}); err != nil {
		t.Fatal(err)
	}
}

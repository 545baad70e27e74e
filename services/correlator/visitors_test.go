package correlator

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/stage"
	"github.com/trailbell/trailbell/internal/streams"
)

// exactlyTwo is a correlation that a further event can break.
var exactlyTwo = strings.Replace(bell, "{gt: 4}", "{eq: 2}", 1)

// An owner that lost its partition while it was paused may write what it knew
// then. Nothing refuses that if the owner after it had nothing to write, and the
// one that is late may be gone before it could know better.
func TestTheLastWordOfAnOwnerThatIsBehindIsCorrected(t *testing.T) {
	for _, when := range []string{"beside the owner", "between two owners"} {
		t.Run(when, func(t *testing.T) {
			s := natstest.Start(t, natstest.Limits())
			_, js := natstest.Connect(t, s)
			rules := ruleSet(t, exactlyTwo)
			stop := run(t, s, rules, options(), "a")
			// Two of them, before the first was there, were exactly two.
			publish(t, js, "object", login{"id-0", 7, 0}, login{"id-1", 7, 60}, login{"id-2", 7, 120})
			settle(t, js)
			if when == "between two owners" {
				stop()
			}

			st, err := open(t.Context(), js)
			if err != nil {
				t.Fatal(err)
			}
			r := prometheus.NewRegistry()
			late := newOwners(js, rules, options(), st, newMetrics(r, rules), stage.NewMetrics(r, "correlator", streams.Alerts), natstest.Quiet)
			k := keyOf(rules, "192.0.2.7")
			held := alert.Mark{Time: start.Add(2 * time.Minute), EventID: "id-2"}
			a := alert.Alert{
				ID: alert.CorrelationID(k.ledger.Token, "id-2"), Kind: alert.KindCorrelation, State: alert.Open, Revision: 1,
				Rule: k.ledger.Rule, Group: k.ledger.Fields, Anchor: "id-2", Count: 2, EventIDs: []string{"id-1", "id-2"},
				AsOf: alert.AsOf{Epoch: st.epoch, Sequence: 1}, Opened: alert.AsOf{Epoch: st.epoch, Sequence: 1},
				FirstSeen: start.Add(time.Minute), LastSeen: held.Time, Held: alert.Run{First: held, Last: held},
			}
			last, err := late.books.shelf.read(t.Context(), k, func(alert.Alert) {})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := late.books.shelf.write(t.Context(), k, &a, last); err != nil {
				t.Fatal(err)
			}

			if when == "between two owners" {
				stop = run(t, s, rules, options(), "b")
			}
			revisions, err := js.OrderedConsumer(t.Context(), streams.Alerts, jetstream.OrderedConsumerConfig{})
			if err != nil {
				t.Fatal(err)
			}
			for living := true; living; {
				m, err := revisions.Next(jetstream.FetchMaxWait(patience))
				if err != nil {
					t.Fatalf("the alert lives: %v", err)
				}
				b, err := alert.Parse(m.Data())
				if err != nil {
					t.Fatal(err)
				}
				living = b.ID != a.ID || b.State.Living()
			}
			stop()
			want := []string{"7 [id-0 id-1]"}
			if got := living(final(t, js)); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("living alerts %v, want %v", got, want)
			}
		})
	}
}

// The word of somebody else may come before the matches that it is about.
func TestAWordAboutAGroupThatIsNotKnownYetIsCorrected(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	rules := pealOf(t, []string{"no_write"})
	st, err := open(t.Context(), js)
	if err != nil {
		t.Fatal(err)
	}
	own := newOwners(js, rules, options(), st, newMetrics(prometheus.NewRegistry(), rules), stage.NewMetrics(prometheus.NewRegistry(), "correlator", streams.Alerts), natstest.Quiet)
	c := rules.Correlations()[0]
	id := streams.GroupOf(c.Meta().ID, []string{"alice"})
	p, err := own.partition(t.Context(), streams.Partition(id, len(st.written)), func() {})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer p.close()

	// Another owner knew the call that reads, and not the one before it that
	// writes: with both, nothing ever rang.
	calls := []call{{id: "id-1", second: 10, user: "alice"}, {id: "id-0", user: "alice", write: true}}
	k := newKey(&group{id: id, correlation: c, values: []string{"alice"}}, alert.DefaultLimits())
	held := alert.Mark{Time: calls[0].time(), EventID: "id-1"}
	a := alert.Alert{
		ID: alert.CorrelationID(k.ledger.Token, "id-1"), Kind: alert.KindCorrelation, State: alert.Open, Revision: 1,
		Rule: k.ledger.Rule, Group: k.ledger.Fields, Anchor: "id-1", Count: 1, EventIDs: []string{"id-1"},
		AsOf: alert.AsOf{Epoch: st.epoch, Sequence: 1}, Opened: alert.AsOf{Epoch: st.epoch, Sequence: 1},
		FirstSeen: held.Time, LastSeen: held.Time, Held: alert.Run{First: held, Last: held},
	}
	written, err := own.books.shelf.write(t.Context(), k, &a, 0)
	if err != nil {
		t.Fatal(err)
	}
	var known []message
	for i, c := range calls {
		m := messageOf(rules, c, uint64(i+1), start.Unix())
		data, err := proto.Marshal(m.batch)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.Publish(t.Context(), streams.MatchesSubject(p.number), data); err != nil {
			t.Fatal(err)
		}
		known = append(known, m)
	}
	own.visitors.tell(visit{group: id, sequence: written})

	turn := func() {
		t.Helper()
		if err := p.turn(t.Context(), nil, false); err != nil {
			t.Fatal(err)
		}
	}
	for p.heard.until == 0 {
		turn()
	}
	if p.noted != 0 {
		t.Error("what was heard is done with before the log is read")
	}
	p.delivered = 2
	if err := p.owner.fold(t.Context(), known...); err != nil {
		t.Fatal(err)
	}
	turn()
	if got := final(t, js)[a.ID].State; got != alert.Withdrawn {
		t.Errorf("the alert is %s, want it withdrawn", got)
	}
}

// A group's alerts go on when the level and the name of the rule change, on
// another subject.
func TestAlertsGoOnUnderAnotherLevelAndName(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	stop := run(t, s, ruleSet(t, bell), options(), "a")
	publish(t, js, "first", fiveLogins("id", 7)...)
	settle(t, js)
	stop()
	changed := strings.Replace(strings.Replace(bell, "level: high", "level: low", 1), "name: brute_force", "id: "+ruleSet(t, bell).Correlations()[0].Meta().ID+"\nname: slow_force", 1)
	stop = run(t, s, ruleSet(t, changed), options(), "b")
	publish(t, js, "second", login{"id-5", 7, 5})
	settle(t, js)
	stop()
	if a := only(t, js); a.Revision < 2 || a.Count != 6 || a.Rule.Level != "low" || a.Rule.Name != "slow_force" {
		t.Errorf("revision %d of %d events, level %s, by %s", a.Revision, a.Count, a.Rule.Level, a.Rule.Name)
	}
	alerts, err := js.Stream(t.Context(), streams.Alerts)
	if err != nil {
		t.Fatal(err)
	}
	m, err := alerts.GetMsg(t.Context(), alerts.CachedInfo().State.LastSeq)
	if err != nil {
		t.Fatal(err)
	}
	group, _ := streams.GroupOfAlert(m.Subject)
	if want := streams.AlertsSubject("low", "slow_force", "111122223333", "", group.String()); m.Subject != want {
		t.Errorf("the last revision is on %s, want %s", m.Subject, want)
	}
}

// late is ALERTS on a server that has no answer in time to the first fetch.
type late struct{ jetstream.Stream }

func (l late) OrderedConsumer(ctx context.Context, cfg jetstream.OrderedConsumerConfig) (jetstream.Consumer, error) {
	c, err := l.Stream.OrderedConsumer(ctx, cfg)
	return &lateConsumer{Consumer: c}, err
}

type lateConsumer struct {
	jetstream.Consumer
	fetches int
}

func (c *lateConsumer) Fetch(n int, o ...jetstream.FetchOpt) (jetstream.MessageBatch, error) {
	if c.fetches++; c.fetches == 1 {
		nothing := make(fetched)
		close(nothing)
		return nothing, nil
	}
	return c.Consumer.Fetch(n, o...)
}

// What is there is heard of, however slow the server is, and what has been
// dropped is not waited for.
func TestAnOwnerHearsOfAllThatWasWrittenBefore(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	group := streams.GroupOf("c", []string{"x"})
	for range 4 {
		if _, err := js.Publish(t.Context(), streams.AlertsSubject("high", "rule", "", "", group.String()), nil); err != nil {
			t.Fatal(err)
		}
	}
	alerts, err := js.Stream(t.Context(), streams.Alerts)
	if err != nil {
		t.Fatal(err)
	}
	for _, dropped := range []uint64{2, 4} {
		if err := alerts.DeleteMsg(t.Context(), dropped); err != nil {
			t.Fatal(err)
		}
	}
	v := newVisitors(late{alerts})
	v.up = 4
	if err := v.join(t.Context(), 0, 0, func() {}); err != nil {
		t.Fatal(err)
	}
	visits, up := v.take(0)
	if want := []visit{{group, 1}, {group, 3}}; !slices.Equal(visits, want) || up != 4 {
		t.Errorf("heard of %v up to %d, want %v up to 4", visits, up, want)
	}
}

// cutOff is ALERTS behind a connection that ends when it has begun to be read.
type cutOff struct {
	jetstream.Stream
	nc *nats.Conn
}

func (c cutOff) OrderedConsumer(ctx context.Context, cfg jetstream.OrderedConsumerConfig) (jetstream.Consumer, error) {
	is, err := c.Stream.OrderedConsumer(ctx, cfg)
	c.nc.Close()
	return is, err
}

func TestAnOwnerThatIsCutOffStopsListening(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	nc, js := natstest.Connect(t, s)
	if _, err := js.Publish(t.Context(), streams.AlertsSubject("high", "rule", "", "", streams.GroupOf("c", []string{"x"}).String()), nil); err != nil {
		t.Fatal(err)
	}
	alerts, err := js.Stream(t.Context(), streams.Alerts)
	if err != nil {
		t.Fatal(err)
	}
	v := newVisitors(cutOff{alerts, nc})
	v.up = 1
	joined := make(chan error, 1)
	go func() { joined <- v.join(t.Context(), 0, 0, func() {}) }()
	select {
	case err := <-joined:
		if err == nil {
			t.Error("heard of all there is, without a connection")
		}
	case <-time.After(time.Minute):
		t.Fatal("still listening")
	}
}

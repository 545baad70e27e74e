package correlator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/progress"
	"github.com/trailbell/trailbell/internal/stage"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
	"github.com/trailbell/trailbell/sigma"
)

// simulation runs matchers and owners, any number of each at once, against a
// server that lets one request through at a time. What is next, and what goes
// wrong, is drawn. Time stands still but when that is drawn.
type simulation struct {
	*rapid.T
	server     *server
	rules      *sigma.Set
	lesser     *sigma.Set // that some owners have instead; may be nil
	partitions int
	leased     bool // never two owners at once
	options    Options
	sleeps     []time.Duration
	metrics    *metrics

	clients []*client // that live
	started int
	running sync.WaitGroup
}

// simulate runs a property in a bubble of its own. Whoever still works at its
// end is stopped.
func simulate(t *testing.T, property func(*simulation)) {
	// 2,000 cases, unless told otherwise.
	for round := range 20 {
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) {
			t.Parallel()
			metrics := newMetrics(prometheus.NewRegistry(), ruleSet(t, peal))
			rapid.Check(t, func(rt *rapid.T) {
				var end any
				synctest.Test(t, func(*testing.T) {
					s := &simulation{T: rt, metrics: metrics, server: &server{acked: map[uint64]bool{}, ids: map[string]bool{}, values: map[string]*value{}}}
					defer func() {
						end = recover()
						for len(s.clients) > 0 {
							s.crash(s.clients[0])
						}
						s.running.Wait()
					}()
					property(s)
				})
				if f, ok := end.(failure); ok {
					rt.Fatal(f)
				}
				if end != nil {
					panic(end)
				}
			})
		})
	}
}

// failure is a panic in a bubble: it has to end before rapid may know.
type failure string

func (s *simulation) Fatal(args ...any) { panic(failure(fmt.Sprint(args...))) }

func (s *simulation) Fatalf(format string, args ...any) { s.Fatal(fmt.Sprintf(format, args...)) }

func TestWhateverHappensAlertsEndAsEpisodes(t *testing.T) {
	simulate(t, func(s *simulation) {
		names := rapid.SliceOfNDistinct(rapid.SampledFrom(pealNames), 1, 3, rapid.ID).Draw(s.T, "correlations")
		s.rules = pealOf(s, names)
		if n := rapid.IntRange(0, len(names)-1).Draw(s.T, "lesser"); n > 0 {
			s.lesser = pealOf(s, slices.Clip(names[:n]))
		}
		s.partitions = rapid.SampledFrom([]int{1, 1, 1, 3, 16}).Draw(s.T, "partitions")
		s.options = options()
		s.options.Coalesce = rapid.SampledFrom([]time.Duration{0, time.Second, 10 * time.Second}).Draw(s.T, "coalesce")
		s.sleeps = []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, time.Second, 10 * time.Second}
		calls := s.drawTrail()

		s.some(rapid.SampledFrom([]int{0, 100, 300, 600}).Draw(s.T, "steps"))
		switch rapid.IntRange(0, 2).Draw(s.T, "then") {
		case 0:
			s.settle()
			s.wake() // to do what they had in mind
			s.some(rapid.SampledFrom([]int{0, 5, 50}).Draw(s.T, "more steps"))
		case 1:
			s.lastWord()
		}
		alone := rapid.Bool().Draw(s.T, "alone")
		for _, c := range slices.Clone(s.clients) {
			if c.paused = false; alone || rapid.Bool().Draw(s.T, "dies") {
				s.crash(c)
			}
		}
		s.settle()
		s.check(expected(calls, names...))
	})
}

// What is stored within the horizon counts together, and forgetting as such
// says nothing. Alerts only gain, where further events cannot break a condition.
func TestWhateverHappensForgettingTakesNothingBack(t *testing.T) {
	simulate(t, func(s *simulation) {
		s.rules, s.partitions, s.options = pealOf(s, []string{"many"}), 1, options()
		s.options.Horizon = time.Hour
		s.leased = rapid.Bool().Draw(s.T, "leased")
		budget := s.leased && rapid.Bool().Draw(s.T, "budget")
		if budget {
			s.options.MaxEvents = 20
		}
		s.sleeps = []time.Duration{time.Second, 20 * time.Minute, time.Hour, 3 * time.Hour}
		calls := s.drawTrail()
		s.some(rapid.SampledFrom([]int{0, 100, 300}).Draw(s.T, "steps"))
		s.settle()

		said := len(s.server.alerts)
		time.Sleep(3 * time.Hour)
		single := call{id: "single", second: 100_000, user: "zoe"}
		s.server.events = put(s.server.events, "single", eventBatch(s, "single", "test.amazonaws.com", entries([]call{single})))
		s.settle()
		if n := len(s.server.alerts) - said; n > 0 {
			s.Fatalf("%d revisions as all was forgotten", n)
		}
		for _, c := range s.clients {
			if p := c.partition; p != nil && !c.paused {
				w := p.owner.windows
				if got := w.remembered(); got != w.size || got != w.share.budget.size {
					s.Fatalf("the size is %d, that of the budget %d, and %d was counted", w.size, w.share.budget.size, got)
				}
			}
		}
		last := map[string]alert.Alert{}
		for _, m := range s.server.alerts {
			a, err := alert.Parse(m.data)
			if err != nil {
				s.Fatal(err)
			}
			if before := last[a.ID]; !contains(a.EventIDs, before.EventIDs) {
				s.Fatalf("revision %d of %s has %s, and had %s", a.Revision, a.ID, a.EventIDs, before.EventIDs)
			}
			last[a.ID] = a
		}
		if !budget {
			s.together(tolls["many"], calls, slices.Collect(maps.Values(last)))
		}
	})
}

func contains(all, some []string) bool {
	return !slices.ContainsFunc(some, func(id string) bool { return !slices.Contains(all, id) })
}

// together looks for every window that holds, of what was stored within one
// horizon: some alert has all of its events. An episode may be divided over two
// alerts, since it stays cut where an event cut it that is forgotten.
func (s *simulation) together(l toll, calls []call, alerts []alert.Alert) {
	first := map[string]time.Time{} // by identity: when it was stored
	for _, m := range s.server.matches {
		for _, match := range s.matchesOf(m) {
			if _, ok := first[match.GetIdentity()]; !ok {
				first[match.GetIdentity()] = m.at
			}
		}
	}
	for _, m := range s.server.matches {
		var within []call
		for _, c := range calls {
			if at, ok := first[c.id]; ok && !at.After(m.at) && m.at.Sub(at) <= s.options.Horizon {
				within = append(within, c)
			}
		}
		groups, held := l.verdicts(within)
		for _, g := range groups {
			for i, c := range g {
				if !held[c.id] {
					continue
				}
				window := idsOf(l.window(g, i))
				if !slices.ContainsFunc(alerts, func(a alert.Alert) bool { return contains(a.EventIDs, window) }) {
					s.Fatalf("no alert has the events %s, which were all there at message %d", window, m.sequence)
				}
			}
		}
	}
}

func (s *simulation) matchesOf(m *stored) []*trailbellv1.Match {
	var b trailbellv1.MatchBatch
	if err := proto.Unmarshal(m.data, &b); err != nil {
		s.Fatal(err)
	}
	return b.GetMatches()
}

// pealOf returns some correlations of peal with the rules that they need.
func pealOf(t failer, names []string) *sigma.Set {
	var needed []string
	for _, rule := range slices.Backward(strings.Split(peal, "---\n")) { // a rule stands before those that need it
		_, name, _ := strings.Cut(rule, "\nname: ")
		name, _, _ = strings.Cut(name, "\n")
		if slices.Contains(names, name) {
			_, inputs, _ := strings.Cut(rule, "rules: [")
			inputs, _, _ = strings.Cut(inputs, "]")
			names = append(names, strings.Split(inputs, ", ")...)
			needed = append(needed, rule)
		}
	}
	return ruleSet(t, strings.Join(needed, "---\n"))
}

// drawTrail puts batches of calls into EVENTS, some calls several times, in any
// order, and returns the calls that count.
func (s *simulation) drawTrail() []call {
	var calls []call
	for i := range rapid.SampledFrom([]int{4, 10, 20, 40}).Draw(s.T, "calls") {
		c := call{
			id: fmt.Sprintf("id-%03d", (i*97)%1000), second: rapid.SampledFrom([]int{0, 1, 29, 30, 31, 40, 41, 59, 60, 61, 90, 600}).Draw(s.T, "second"), write: rapid.IntRange(0, 3).Draw(s.T, "write") == 3,
			user: rapid.SampledFrom([]string{"alice", "bob", "carol", "dave", ""}).Draw(s.T, "user"),
			host: rapid.SampledFrom([]string{"x", "y", "z", ""}).Draw(s.T, "host"),
			key:  rapid.IntRange(0, 3).Draw(s.T, "key"), size: rapid.SampledFrom([]int{0, 299, 300, 400, 500, 999}).Draw(s.T, "size"),
		}
		switch rapid.IntRange(0, 40).Draw(s.T, "odd") {
		case 40:
			c.second = rapid.SampledFrom([]int{-63_000_000_000, 4_000_000, 250_000_000_000}).Draw(s.T, "absurd")
		case 39:
			c.id = "" // the decoder names it by its place
		}
		calls = append(calls, c)
	}
	for range rapid.IntRange(0, len(calls)/2).Draw(s.T, "repeats") {
		calls = append(calls, rapid.SampledFrom(calls).Draw(s.T, "repeated"))
	}
	var known []call
	calls = rapid.Permutation(calls).Draw(s.T, "arrival")
	for i := range calls {
		if calls[i].id == "" {
			calls[i].id = fmt.Sprint("bucket/key#", i)
		}
		if !slices.Contains(known, calls[i]) {
			known = append(known, calls[i])
		}
	}
	for len(calls) > 0 {
		n := min(rapid.SampledFrom([]int{1, 1, 2, 4}).Draw(s.T, "batch"), len(calls))
		id := fmt.Sprint("batch-", len(s.server.events))
		s.server.events = put(s.server.events, id, eventBatch(s, id, "test.amazonaws.com", entries(calls[:n])))
		calls = calls[n:]
	}
	return known
}

// wake lets what those who are paused ask for through, after all others have
// gone on.
func (s *simulation) wake() {
	for _, c := range s.clients {
		c.paused = false
	}
	requests, _ := s.server.waiting()
	for _, r := range requests {
		s.grant(r, rapid.SampledFrom([]fate{served, unheard, lost}).Draw(s.T, "fate"))
		synctest.Wait()
	}
}

// lastWord has an owner who is about to write stand still, and write when all
// others are done, as the last thing it does.
func (s *simulation) lastWord() {
	for range 200 {
		s.some(1)
		synctest.Wait()
		requests, _ := s.server.waiting()
		writes := slices.DeleteFunc(requests, func(r *request) bool { return !strings.HasPrefix(r.what, "write ") })
		if len(writes) == 0 {
			continue
		}
		r := rapid.SampledFrom(writes).Draw(s.T, "last word")
		r.client.paused = true
		s.settle()
		time.Sleep(rapid.SampledFrom([]time.Duration{0, noteEvery}).Draw(s.T, "later"))
		s.grant(r, served)
		synctest.Wait()
		s.crash(r.client)
		for _, c := range s.clients {
			s.tell(c, len(s.server.alerts))
		}
		// Those who hear of it get this far.
		for range rapid.IntRange(0, 8).Draw(s.T, "steps after") {
			synctest.Wait()
			requests, turns := s.server.waiting()
			for _, r := range requests {
				s.grant(r, served)
				synctest.Wait()
			}
			for _, r := range turns {
				s.turn(r)
			}
		}
		return
	}
}

// some has some things happen.
func (s *simulation) some(steps int) {
	for range steps {
		synctest.Wait()
		s.bury()
		unacked := s.unacked()
		requests, turns := s.server.waiting()
		switch n := rapid.IntRange(0, 63).Draw(s.T, "what"); {
		case n < 36 && len(requests) > 0:
			s.grant(rapid.SampledFrom(requests).Draw(s.T, "request"), served)
		case n < 37 && len(requests) > 0:
			s.grant(rapid.SampledFrom(requests).Draw(s.T, "request"), rapid.SampledFrom([]fate{lost, unheard}).Draw(s.T, "fate"))
		case n < 50 && len(turns) > 0:
			s.turn(rapid.SampledFrom(turns).Draw(s.T, "turn"))
		case n < 53 && len(unacked) > 0:
			s.match(rapid.SampledFrom(unacked).Draw(s.T, "batch"))
		case n < 55:
			rules := s.rules
			if s.lesser != nil && rapid.Bool().Draw(s.T, "with the lesser rules") {
				rules = s.lesser
			}
			s.own(rapid.IntRange(0, s.partitions-1).Draw(s.T, "partition"), rules)
		case n < 56:
			clear(s.server.ids)
		case n < 58:
			time.Sleep(rapid.SampledFrom(s.sleeps).Draw(s.T, "sleep"))
		case n < 61 && len(requests) > 0:
			rapid.SampledFrom(requests).Draw(s.T, "pause").client.paused = true
		case len(s.clients) == 0:
		case n < 62:
			rapid.SampledFrom(s.clients).Draw(s.T, "wake").paused = false
		case n < 63 && rapid.IntRange(0, 3).Draw(s.T, "spared") == 0:
			s.crash(rapid.SampledFrom(s.clients).Draw(s.T, "crash"))
		default:
			s.tell(rapid.SampledFrom(s.clients).Draw(s.T, "told"), len(s.server.alerts))
		}
	}
}

// settle gives everybody who is not paused all there is, until there is nothing
// to do.
func (s *simulation) settle() {
	for range 2000 {
		synctest.Wait()
		s.bury()
		owned := map[int]bool{}
		matching := false
		for _, c := range s.clients {
			switch {
			case c.paused:
			case c.partition == nil:
				matching = true
			default:
				owned[c.partition.number] = owned[c.partition.number] || c.rules == s.rules
				s.tell(c, len(s.server.alerts))
			}
		}
		for n := range s.partitions {
			if !owned[n] {
				s.own(n, s.rules)
			}
		}
		if unacked := s.unacked(); len(unacked) > 0 && !matching {
			s.match(unacked[0])
		}
		synctest.Wait()
		requests, turns := s.server.waiting()
		switch {
		case len(requests) > 0:
			s.grant(rapid.SampledFrom(requests).Draw(s.T, "request"), served)
		case s.settled():
			return
		default:
			time.Sleep(time.Second)
			for _, r := range turns {
				s.turn(r)
			}
		}
	}
	s.Fatal("there is no end to it")
}

// settled reports whether all is matched, told and written.
func (s *simulation) settled() bool {
	written := map[int]uint64{}
	for _, c := range s.clients {
		if p := c.partition; p != nil && !c.paused {
			if p.visitors.inboxes[p.number] == nil {
				return false // it has not begun yet
			}
			visits, up := p.visitors.take(p.number)
			if len(visits) > 0 || len(p.heard.visits) > 0 || up < uint64(len(s.server.alerts)) || len(p.owner.unwritten) > 0 || len(s.unread(c)) > 0 {
				p.visitors.inboxes[p.number].visits = visits
				return false
			}
			if c.rules == s.rules {
				written[p.number] = p.saved
			}
		}
	}
	for _, m := range s.server.matches {
		for n := range s.partitions {
			if m.subject == streams.MatchesSubject(n) && written[n] < m.sequence {
				return false
			}
		}
	}
	return len(s.unacked()) == 0
}

// grant lets a request through, which takes a moment.
func (s *simulation) grant(r *request, f fate) {
	time.Sleep(time.Microsecond)
	s.server.remove(func(o *request) bool { return o == r })
	r.fate <- f
}

// turn is what an owner waits for that has nothing to ask for.
const turn = "turn"

// turn lets an owner go on, with some of what it has not read yet.
func (s *simulation) turn(r *request) {
	c, unread := r.client, s.unread(r.client)
	n := len(unread)
	if n > 0 {
		n -= rapid.IntRange(0, n).Draw(s.T, "under way")
	}
	c.arrived = nil
	for _, m := range unread[:n] {
		c.arrived = append(c.arrived, m)
		c.delivered = m.sequence
	}
	c.idle = n == 0 && !rapid.Bool().Draw(s.T, "woken")
	s.grant(r, served)
}

func (s *simulation) unread(c *client) (messages []*stored) {
	for _, m := range s.server.matches {
		if m.sequence > c.delivered && m.subject == streams.MatchesSubject(c.partition.number) {
			messages = append(messages, m)
		}
	}
	return messages
}

func (s *simulation) unacked() (batches []*stored) {
	for _, m := range s.server.events {
		if !s.server.acked[m.sequence] {
			batches = append(batches, m)
		}
	}
	return batches
}

// start begins the work of a new client. It ends by itself, or when it crashes.
func (s *simulation) start(c *client, work func(ctx context.Context) error) {
	s.started++
	c.server, c.number = s.server, s.started
	ctx, cancel := context.WithCancel(context.Background())
	c.stop = cancel
	s.clients = append(s.clients, c)
	s.running.Go(func() {
		c.err = work(ctx)
		c.ended = true
		cancel()
	})
}

// match has a batch matched.
func (s *simulation) match(m *stored) {
	c := &client{}
	s.start(c, func(ctx context.Context) error {
		matcher := &matcher{rules: s.rules, partitions: s.partitions, metrics: s.metrics}
		err := matcher.match(ctx, stage.Message{Sequence: m.sequence, ID: m.subject, Data: m.data}, c)
		if err == nil {
			err = c.publishing
		}
		if err != nil {
			return err
		}
		return c.ask(ctx, "ack", func() error {
			s.server.acked[m.sequence] = true
			return nil
		})
	})
}

// own has a partition owned, by one more owner if there are some.
func (s *simulation) own(number int, rules *sigma.Set) {
	for _, c := range slices.Clone(s.clients) {
		if s.leased && c.partition != nil {
			s.crash(c)
		}
	}
	c := &client{server: s.server, rules: rules}
	st := &stores{
		events: c.stream(&s.server.events), matches: c.stream(&s.server.matches), alerts: c.stream(&s.server.alerts),
		written: make([]*progress.Progress, s.partitions), epoch: ledgerEpoch,
	}
	var err error
	if st.written[number], err = progress.Open(context.Background(), c, fmt.Sprint("windows-", number), st.epoch); err != nil {
		s.Fatal(err)
	}
	own := newOwners(c, rules, s.options, st, s.metrics, nil, natstest.Quiet)
	own.books.shelf = c
	if c.partition, err = own.partition(context.Background(), number, func() {}); err != nil {
		s.Fatal(err)
	}
	s.start(c, func(ctx context.Context) error {
		defer c.partition.close()
		if err := c.partition.open(ctx); err != nil {
			return err
		}
		for {
			if err := c.ask(ctx, turn, func() error { return nil }); err != nil {
				return err
			}
			if err := c.partition.turn(ctx, c.arrived, c.idle); err != nil {
				return err
			}
		}
	})
}

// crash ends a client: nothing that it asked for happens any more.
func (s *simulation) crash(c *client) {
	synctest.Wait() // else it may be about to ask
	s.server.remove(func(r *request) bool { return r.client == c })
	c.stop()
	s.clients = slices.DeleteFunc(s.clients, func(o *client) bool { return o == c })
}

// bury removes the clients that have ended.
func (s *simulation) bury() {
	s.clients = slices.DeleteFunc(s.clients, func(c *client) bool {
		if c.ended && c.err != nil && !errors.Is(c.err, errLost) {
			s.Fatalf("ended with %v", c.err)
		}
		return c.ended
	})
}

// tell tells an owner of up to n messages in ALERTS that it has not heard of.
func (s *simulation) tell(c *client, n int) {
	if c.partition == nil {
		return
	}
	v := c.partition.visitors
	for ; n > 0 && v.up < uint64(len(s.server.alerts)); n-- {
		at, err := visitOf(s.server.alerts[v.up])
		if err != nil {
			s.Fatal(err)
		}
		v.tell(at)
	}
}

// check compares the living alerts with what should live, and looks at every
// revision.
func (s *simulation) check(want map[string][]string) {
	last := map[string]alert.Alert{}
	for _, m := range s.server.alerts {
		a, err := alert.Parse(m.data)
		if err != nil {
			s.Fatal(err)
		}
		before := last[a.ID]
		if a.Revision != before.Revision+1 {
			s.Fatalf("revision %d of %s follows revision %d", a.Revision, a.ID, before.Revision)
		}
		if a.AsOf.Compare(before.AsOf) < 0 {
			s.Fatalf("as_of of %s fell from %d to %d", a.ID, before.AsOf.Sequence, a.AsOf.Sequence)
		}
		last[a.ID] = a
	}
	if diff := cmp.Diff(want, rung(last)); diff != "" {
		s.Fatalf("episodes (-oracle +alerts):\n%s", diff)
	}
	for _, a := range last {
		for range last {
			if a.State == alert.Superseded {
				a = last[a.SupersededBy]
			}
		}
		if a.ID == "" || a.State == alert.Superseded {
			s.Fatal("an alert is superseded by none")
		}
	}
}

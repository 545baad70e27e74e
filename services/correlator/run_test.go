package correlator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/lease"
	"github.com/trailbell/trailbell/internal/natsserver"
	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/stage"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
	"github.com/trailbell/trailbell/sigma"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds a wait for something that has to happen, on a machine that has
// other things to do.
const patience = 2 * time.Minute

// bell is the rules of the tests: single failures, and more than four of one
// address within 360 s.
const bell = `
title: Failure
name: failure
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: ConsoleLogin, responseElements.ConsoleLogin: Failure}
  condition: selection
level: medium
---
title: Brute force
name: brute_force
correlation:
  type: event_count
  rules: [failure]
  group-by: [recipientAccountId, sourceIPAddress]
  timespan: 360s
  condition: {gt: 4}
level: high
`

// failer is what a test and one of rapid have in common.
type failer interface {
	Helper()
	Fatal(...any)
}

func ruleSet(t failer, text string) *sigma.Set {
	t.Helper()
	c, errs := sigma.Parse("bell.yml", []byte(text))
	if len(errs) > 0 {
		t.Fatal(errors.Join(errs...))
	}
	set, errs := sigma.Compile(c, sigma.Options{})
	if len(errs) > 0 {
		t.Fatal(errors.Join(errs...))
	}
	return set
}

// login is a failed login.
type login struct {
	id      string
	address int
	second  int
}

var start = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

func (l login) time() time.Time { return start.Add(time.Duration(l.second) * time.Second) }

func (l login) record() string {
	return fmt.Sprintf(`{"eventTime":%q,"eventID":%q,"eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","recipientAccountId":"111122223333","awsRegion":"us-east-1","sourceIPAddress":"192.0.2.%d","responseElements":{"ConsoleLogin":"Failure"}}`,
		l.time().Format(time.RFC3339), l.id, l.address)
}

// publish puts logins into EVENTS as one batch of an object.
func publish(t *testing.T, js jetstream.JetStream, object string, logins ...login) {
	t.Helper()
	publishRecords(t, js, object, logins, login.record)
}

func publishRecords(t *testing.T, js jetstream.JetStream, object string, logins []login, record func(login) string) {
	t.Helper()
	var entries []entry
	for _, l := range logins {
		entries = append(entries, entry{l.id, l.time(), "ConsoleLogin", record(l)})
	}
	publishBatch(t, js, object, "signin.amazonaws.com", entries)
}

// entry is a record with what the decoder finds in it.
type entry struct {
	id     string
	time   time.Time
	name   string // eventName
	record string
}

// publishBatch puts records of one eventSource into EVENTS as one batch of an
// object.
func publishBatch(t testing.TB, js jetstream.JetStream, object, source string, entries []entry) {
	t.Helper()
	data := eventBatch(t, object, source, entries)
	if _, err := js.Publish(t.Context(), streams.EventsSubject("111122223333", "us-east-1"), data, jetstream.WithMsgID(object)); err != nil {
		t.Fatal(err)
	}
}

// eventBatch is what the decoder makes of records.
func eventBatch(t failer, object, source string, entries []entry) []byte {
	b := &trailbellv1.EventBatch{Object: &trailbellv1.ObjectRef{Bucket: "b", Key: object}}
	types := map[string]uint32{}
	var text strings.Builder
	for _, e := range entries {
		if _, ok := types[e.name]; !ok {
			types[e.name] = uint32(len(b.Types))
			b.Types = append(b.Types, &trailbellv1.EventType{Source: source, Name: e.name})
		}
		b.Starts = append(b.Starts, uint32(text.Len()))
		b.Lengths = append(b.Lengths, uint32(len(e.record)))
		b.TypeIndex = append(b.TypeIndex, types[e.name])
		b.Times = append(b.Times, e.time.UnixMilli())
		b.Identities = append(b.Identities, e.id)
		text.WriteString(e.record)
	}
	b.Size = uint32(text.Len())
	b.Records = s2.Encode(nil, []byte(text.String()))
	data, err := proto.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// fast hands a partition over at once when its owner stops, and leaves one on a
// busy machine to its owner.
var fast = lease.Timing{Heartbeat: 50 * time.Millisecond, Fence: 3 * time.Second, Dead: 5 * time.Second}

func options() Options {
	return Options{Workers: 2, Horizon: 24 * time.Hour, Coalesce: 10 * time.Millisecond, MaxEvents: 100_000, Limits: alert.DefaultLimits()}
}

// run runs a correlator until the returned function is called.
func run(t *testing.T, s *natsserver.Server, rules *sigma.Set, o Options, holder string) (stop func()) {
	t.Helper()
	return runHeard(t, s, rules, o, holder, prometheus.NewRegistry(), natstest.Quiet)
}

// runHeard is run for who wants to know what the correlator counts and logs.
func runHeard(t *testing.T, s *natsserver.Server, rules *sigma.Set, o Options, holder string, r prometheus.Registerer, log *slog.Logger) (stop func()) {
	t.Helper()
	nc, js := natstest.Connect(t, s)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, js, rules, o, holder, fast, r, log)
	}()
	return func() {
		t.Helper()
		cancel()
		// One that is stopped while it starts says so.
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		nc.Close()
	}
}

// metric returns the value of a counter or a gauge without labels.
func metric(t *testing.T, g prometheus.Gatherer, name string) float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Error(err)
	}
	for _, f := range families {
		if f.GetName() == "trailbell_correlator_"+name {
			m := f.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	t.Errorf("there is no metric %s", name)
	return 0
}

// settle waits until everything in EVENTS has been matched and written.
func settle(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	deadline := time.After(patience)
	for {
		events, err := js.Stream(t.Context(), streams.Events)
		if err != nil {
			t.Fatal(err)
		}
		c, err := events.Consumer(t.Context(), streams.MatcherDurable)
		if err != nil {
			t.Fatal(err)
		}
		// How many messages are pending follows what is stored after a moment.
		if i := c.CachedInfo(); i.NumAckPending == 0 && i.Delivered.Stream >= events.CachedInfo().State.LastSeq {
			written, err := Written(t.Context(), js)
			if err != nil {
				t.Fatal(err)
			}
			if written {
				return
			}
		}
		select {
		case <-deadline:
			t.Fatal("not settled")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// final reads ALERTS, checks the revisions, and returns the last one of each
// alert.
func final(t *testing.T, js jetstream.JetStream) map[string]alert.Alert {
	t.Helper()
	s, err := js.Stream(t.Context(), streams.Alerts)
	if err != nil {
		t.Fatal(err)
	}
	last := map[string]alert.Alert{}
	for next := uint64(1); ; next++ {
		m, err := s.GetMsg(t.Context(), next)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return last
		}
		if err != nil {
			t.Fatal(err)
		}
		a, err := alert.Parse(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		if a.Revision != last[a.ID].Revision+1 {
			t.Errorf("revision %d of %s follows revision %d", a.Revision, a.ID, last[a.ID].Revision)
		}
		if a.AsOf.Compare(last[a.ID].AsOf) < 0 {
			t.Errorf("as_of of %s fell", a.ID)
		}
		last[a.ID] = a
	}
}

// episodes is the oracle: quadratic and obvious.
func episodes(logins []login) []string {
	byAddress := map[int][]login{}
	seen := map[string]bool{}
	for _, l := range logins {
		if !seen[l.id] {
			seen[l.id] = true
			byAddress[l.address] = append(byAddress[l.address], l)
		}
	}
	var all []string
	for address, ls := range byAddress {
		slices.SortFunc(ls, func(a, b login) int {
			if a.second != b.second {
				return a.second - b.second
			}
			return strings.Compare(a.id, b.id)
		})
		var events []string
		flush := func() {
			if events != nil {
				all = append(all, fmt.Sprint(address, " ", events))
			}
			events = nil
		}
		for i, l := range ls {
			var window []string
			for _, w := range ls[:i+1] {
				if l.second-w.second <= 360 {
					window = append(window, w.id)
				}
			}
			if len(window) <= 4 {
				flush()
				continue
			}
			for _, id := range window {
				if !slices.Contains(events, id) {
					events = append(events, id)
				}
			}
		}
		flush()
	}
	slices.Sort(all)
	return all
}

func living(last map[string]alert.Alert) []string {
	var all []string
	for _, a := range last {
		if a.State.Living() && a.Kind == alert.KindCorrelation {
			all = append(all, fmt.Sprint(strings.TrimPrefix(a.Group["sourceIPAddress"], "192.0.2."), " ", a.EventIDs))
		}
	}
	slices.Sort(all)
	return all
}

// only returns the one alert that ever rang; another number of them is a failure.
func only(t *testing.T, js jetstream.JetStream) alert.Alert {
	t.Helper()
	last := final(t, js)
	if len(last) != 1 {
		t.Fatalf("%d alerts, want one", len(last))
	}
	return slices.Collect(maps.Values(last))[0]
}

// fiveLogins of one address, a second apart, are named id-0 to id-4 for "id".
func fiveLogins(name string, address int) (logins []login) {
	for i := range 5 {
		logins = append(logins, login{fmt.Sprint(name, "-", i), address, i})
	}
	return logins
}

// keyOf is the key of an address in the first correlation of rules, which groups
// as bell does.
func keyOf(rules *sigma.Set, address string) key {
	return newKey(groupOf(rules, address), alert.DefaultLimits())
}

func groupOf(rules *sigma.Set, address string) *group {
	c := rules.Correlations()[0]
	values := []string{"111122223333", address}
	return &group{id: streams.GroupOf(c.Meta().ID, values), correlation: c, values: values}
}

// inAnyOrder has a correlator take in all of something, in objects of n, in any
// order, a third of it twice. It is stopped, and another one is started, between
// some of the objects. When it returns everything is written.
func inAnyOrder[T any](t *testing.T, s *natsserver.Server, js jetstream.JetStream, rules *sigma.Set, random *rand.Rand, all []T, n int, publish func(object string, part []T)) {
	t.Helper()
	sent := append(slices.Clone(all), all[:len(all)/3]...)
	random.Shuffle(len(sent), func(i, j int) { sent[i], sent[j] = sent[j], sent[i] })
	workers := func() Options {
		o := options()
		o.Workers = []int{1, 2, 8}[random.IntN(3)]
		return o
	}
	stop := run(t, s, rules, workers(), "0")
	objects := 0
	for part := range slices.Chunk(sent, n) {
		publish(fmt.Sprint("object-", objects), part)
		objects++
		if random.IntN(6) == 0 {
			stop()
			stop = run(t, s, rules, workers(), fmt.Sprint(objects))
		}
	}
	settle(t, js)
	stop()
}

// attack is a random timeline with windows that are just full, and just not.
func attack(random *rand.Rand) []login {
	var all []login
	for address := range 6 {
		second := 0
		for i := range 30 {
			second += []int{1, 60, 89, 90, 91, 359, 360, 361}[random.IntN(8)]
			all = append(all, login{fmt.Sprintf("id-%d-%02d", address, i), address, second})
		}
	}
	return all
}

func TestTheFifthFailureRings(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	stop := run(t, s, ruleSet(t, bell), options(), "a")
	for i, second := range []int{0, 90, 180, 270, 360} {
		publish(t, js, fmt.Sprint("object-", i), login{fmt.Sprint("id-", i), 7, second})
	}
	settle(t, js)
	stop()
	a := only(t, js) // single failures are muted by the correlation
	want := []string{"id-0", "id-1", "id-2", "id-3", "id-4"}
	if diff := cmp.Diff(want, a.EventIDs); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if a.Count != 5 || len(a.Records) != 5 || len(a.Objects) != 5 || a.SourceIP != "192.0.2.7" || a.Account != "111122223333" {
		t.Errorf("count %d, %d records, %d objects, source %s, account %s", a.Count, len(a.Records), len(a.Objects), a.SourceIP, a.Account)
	}
	if !a.FirstSeen.Equal(start) || !a.LastSeen.Equal(start.Add(360*time.Second)) {
		t.Errorf("seen from %v to %v", a.FirstSeen, a.LastSeen)
	}
}

func TestOrderRepeatsAndRestartsChangeNothing(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			s := natstest.Start(t, natstest.Limits())
			_, js := natstest.Connect(t, s)
			logins := attack(random)
			inAnyOrder(t, s, js, ruleSet(t, bell), random, logins, 7, func(object string, part []login) { publish(t, js, object, part...) })
			if diff := cmp.Diff(episodes(logins), living(final(t, js))); diff != "" {
				t.Errorf("episodes (-oracle +alerts):\n%s", diff)
			}
		})
	}
}

// TestTwoOwnersEndInOneAlert has two owners fold and write at once, as after
// one has been paused for longer than its lease.
func TestTwoOwnersEndInOneAlert(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 2))
			s := natstest.Start(t, natstest.Limits())
			_, js := natstest.Connect(t, s)
			rules := ruleSet(t, bell)
			stop := run(t, s, rules, options(), "a")
			_, other := natstest.Connect(t, s)
			_, second := owning(t, other, options(), rules)
			logins := attack(random)
			sent := slices.Clone(logins)
			random.Shuffle(len(sent), func(i, j int) { sent[i], sent[j] = sent[j], sent[i] })
			n := 0
			for part := range slices.Chunk(sent, 5) {
				publish(t, js, fmt.Sprint("object-", n), part...)
				n++
			}
			settle(t, js)
			second()
			stop()
			if diff := cmp.Diff(episodes(logins), living(final(t, js))); diff != "" {
				t.Errorf("episodes (-oracle +alerts):\n%s", diff)
			}
		})
	}
}

// owning runs owners of all partitions, which no lease allows.
func owning(t testing.TB, js jetstream.JetStream, o Options, rules *sigma.Set) (own *owners, stop func()) {
	t.Helper()
	st, err := open(t.Context(), js)
	if err != nil {
		t.Fatal(err)
	}
	r := prometheus.NewRegistry()
	own = newOwners(js, rules, o, st, newMetrics(r, rules), stage.NewMetrics(r, "correlator", streams.Matches, streams.Alerts), natstest.Quiet)
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	for n := range st.written {
		g.Go(func() error { return own.run(ctx, n) })
	}
	return own, func() {
		t.Helper()
		cancel()
		if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("owners ended with %v", err)
		}
	}
}

func TestEventsBeyondTheLimitAreForgottenAndAlertsStay(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	o := options()
	o.MaxEvents = 20
	r := prometheus.NewRegistry()
	var said strings.Builder
	stop := runHeard(t, s, ruleSet(t, bell), o, "a", r, slog.New(slog.NewTextHandler(&said, nil)))
	ring := fiveLogins("id", 1)
	publish(t, js, "first", ring...)
	settle(t, js)
	if n := metric(t, r, "evicted_total"); n != 0 {
		t.Errorf("%v events were forgotten below the limit", n)
	}
	for i := range 60 {
		publish(t, js, fmt.Sprint("noise-", i), login{fmt.Sprint("noise-", i), 2 + i, i})
	}
	settle(t, js)
	// A partition that has nothing else to do forgets when it is told to.
	for deadline := time.After(patience); metric(t, r, "evicted_total") == 0; {
		select {
		case <-deadline:
			t.Fatal("no event was forgotten beyond the limit")
		case <-time.After(5 * time.Millisecond):
		}
	}
	stop()
	if !strings.Contains(said.String(), "too many events to remember") {
		t.Errorf("the log says nothing of the limit:\n%s", &said)
	}
	if diff := cmp.Diff(episodes(ring), living(final(t, js))); diff != "" {
		t.Errorf("episodes (-oracle +alerts):\n%s", diff)
	}
}

// Who asks whether a process is ready hears no while a partition of it is being
// rebuilt, and yes when everything has been folded that was there.
func TestNotReadyWhileWindowsAreRebuilt(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	rules := ruleSet(t, bell)
	match(t, js, rules, "before", 0, fiveLogins("id", 7))
	st, err := open(t.Context(), js)
	if err != nil {
		t.Fatal(err)
	}
	type state struct {
		ready              bool
		rebuilding, folded float64
	}
	told := make(chan state, 10)
	r := prometheus.NewRegistry()
	o := options()
	o.Ready = func(yes bool) {
		told <- state{yes, metric(t, r, "partitions_rebuilding"), metric(t, r, "folded_total")}
	}
	own := newOwners(js, rules, o, st, newMetrics(r, rules), stage.NewMetrics(r, "correlator", streams.Matches, streams.Alerts), natstest.Quiet)
	next := func(want state) {
		t.Helper()
		select {
		case got := <-told:
			if got != want {
				t.Errorf("told %+v, want %+v", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("not told %+v", want)
		}
	}

	own.rebuild(1) // another partition that takes longer
	next(state{false, 1, 0})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- own.run(ctx, streams.Partition(groupOf(rules, "192.0.2.7").id, len(st.written)))
	}()
	next(state{false, 2, 0})
	next(state{false, 1, 5})
	own.rebuild(-1)
	next(state{true, 0, 5})
	cancel()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if len(told) > 0 {
		t.Errorf("told %+v at the end, which nobody wants to know", <-told)
	}
}

// A server whose power failed may have lost the end of a log, and kept what was
// said about it. What takes its place is not taken for it.
func TestALogThatLostItsEndIsWrittenAbout(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	rules := ruleSet(t, bell)
	stop := run(t, s, rules, options(), "a")
	publish(t, js, "kept", fiveLogins("kept", 7)...)
	settle(t, js)
	publish(t, js, "lost", login{"lost", 7, 5})
	settle(t, js)
	stop()
	matches, err := js.Stream(t.Context(), streams.Matches)
	if err != nil {
		t.Fatal(err)
	}
	// Nobody can take a message back from a server. It is the same when all that
	// was said about the log is about a longer one.
	st, err := open(t.Context(), js)
	if err != nil {
		t.Fatal(err)
	}
	end := matches.CachedInfo().State.LastSeq
	for _, p := range st.written {
		if err := p.Raise(t.Context(), end+1000); err != nil {
			t.Fatal(err)
		}
	}
	for id, a := range final(t, js) {
		a.Revision++
		a.AsOf.Sequence += 1000
		k := keyOf(rules, "192.0.2.7")
		shelf := &stand{js: js, alerts: st.alerts, shell: stage.NewMetrics(prometheus.NewRegistry(), "correlator", streams.Alerts), log: natstest.Quiet}
		last, err := shelf.read(t.Context(), k, func(alert.Alert) {})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := shelf.write(t.Context(), k, &a, last); err != nil {
			t.Fatalf("write %s: %v", id, err)
		}
	}
	stop = run(t, s, rules, options(), "b")
	publish(t, js, "old group", login{"more", 7, 6})
	publish(t, js, "new group", fiveLogins("new", 8)...)
	settle(t, js)
	stop()
	want := []string{"7 [kept-0 kept-1 kept-2 kept-3 kept-4 lost more]", "8 [new-0 new-1 new-2 new-3 new-4]"}
	if diff := cmp.Diff(want, living(final(t, js))); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
}

func TestEvidenceThatIsGoneLeavesTheAlert(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	o := options()
	stop := run(t, s, ruleSet(t, bell), o, "a")
	for i := range 4 {
		publish(t, js, fmt.Sprint("object-", i), login{fmt.Sprint("id-", i), 1, i})
	}
	settle(t, js)
	events, err := js.Stream(t.Context(), streams.Events)
	if err != nil {
		t.Fatal(err)
	}
	if err := events.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	publish(t, js, "last", login{"id-4", 1, 4})
	settle(t, js)
	stop()
	if a := only(t, js); a.Count != 5 || len(a.EventIDs) != 5 || len(a.Records) != 1 {
		t.Errorf("count %d, %d events, %d records; want 5, 5 and the one record that is left", a.Count, len(a.EventIDs), len(a.Records))
	}
}

func TestEvidenceIsNotTakenFromAnotherStreamOfEvents(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	stop := run(t, s, ruleSet(t, bell), options(), "a")
	for i := range 4 {
		publish(t, js, fmt.Sprint("object-", i), login{fmt.Sprint("id-", i), 1, i})
	}
	settle(t, js)
	stop()
	if err := js.DeleteStream(t.Context(), streams.Events); err != nil {
		t.Fatal(err)
	}
	if err := streams.Ensure(t.Context(), js, natstest.Limits(), true); err != nil {
		t.Fatal(err)
	}
	stop = run(t, s, ruleSet(t, bell), options(), "b")
	for i := range 4 { // where those of the alert were
		publish(t, js, fmt.Sprint("other-", i), login{fmt.Sprint("other-", i), 2, i})
	}
	publish(t, js, "last", login{"id-4", 1, 4})
	settle(t, js)
	stop()
	if a := only(t, js); a.Count != 5 || len(a.Records) != 1 || !strings.Contains(string(a.Records[0]), `"id-4"`) {
		t.Errorf("count %d and records %s; want 5 and the one record that is left", a.Count, a.Records)
	}
}

// Records may hold texts that no message has room for.
func TestAnAlertIsPublishedWhateverItsRecordsHold(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	stop := run(t, s, ruleSet(t, bell), options(), "a")
	publishRecords(t, js, "object", fiveLogins("id", 7), func(l login) string {
		if l.id != "id-4" { // the first at which the condition holds
			return l.record()
		}
		// What is not UTF-8 becomes three bytes.
		return strings.TrimSuffix(l.record(), "}") + `,"userIdentity":{"type":"IAMUser","userName":"` + strings.Repeat("\xff", 3<<20) + `"}}`
	})
	settle(t, js)
	stop()
	a := only(t, js)
	if a.Count != 5 || len(a.EventIDs) != 5 || !strings.HasSuffix(a.Actor, "…") || len(a.Actor) > 2000 {
		t.Errorf("count %d, identities %s, an actor of %d bytes; want all five, and the beginning of a name", a.Count, a.EventIDs, len(a.Actor))
	}
}

// EVENTS may lose its end when the power fails, and has other records there then.
func TestEvidenceIsNotTakenFromWhatReplacedIt(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	rules := ruleSet(t, bell)
	// The matches say that the records are in the first batches of EVENTS.
	for i := range 5 {
		publish(t, js, fmt.Sprint("other-", i), login{fmt.Sprint("other-", i), 2, i})
		match(t, js, rules, fmt.Sprint("object-", i), uint64(i+1), []login{{fmt.Sprint("id-", i), 1, i}})
	}
	stop := run(t, s, rules, options(), "a")
	settle(t, js)
	stop()
	for _, a := range final(t, js) {
		own := map[string]int{"192.0.2.1": 0, "192.0.2.2": 5}[a.Group["sourceIPAddress"]]
		if a.Count != 5 || len(a.Records) != own || (a.SourceIP == "") != (own == 0) {
			t.Errorf("the alert of %s counts %d and has %d records and the address %q; want 5, %d, and its own address or none", a.Group["sourceIPAddress"], a.Count, len(a.Records), a.SourceIP, own)
		}
	}
}

// Nor is an alert that stands where those of another group do.
func TestAMessageThatIsNoAlertSilencesNoGroup(t *testing.T) {
	rules := ruleSet(t, bell)
	other := keyOf(rules, "192.0.2.8").ledger
	misplaced := alert.Alert{
		ID: alert.CorrelationID(other.Token, "id-4"), Kind: alert.KindCorrelation, State: alert.Open, Revision: 1, Rule: other.Rule, Group: other.Fields,
		Anchor: "id-4", Count: 7, AsOf: alert.AsOf{Epoch: start, Sequence: 1}, Opened: alert.AsOf{Epoch: start, Sequence: 1},
		FirstSeen: start, LastSeen: start, Held: alert.Run{First: alert.Mark{Time: start, EventID: "id-4"}, Last: alert.Mark{Time: start, EventID: "id-4"}},
	}
	data, err := misplaced.JSON()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"no alert": []byte("hello"), "an alert of another group": data} {
		t.Run(name, func(t *testing.T) { silencesNoGroup(t, rules, data) })
	}
}

func silencesNoGroup(t *testing.T, rules *sigma.Set, foreign []byte) {
	t.Helper()
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	where := keyOf(rules, "192.0.2.7").subject()
	if _, err := js.Publish(t.Context(), where, foreign); err != nil {
		t.Fatal(err)
	}
	stop := run(t, s, rules, options(), "a")
	for i := range 5 {
		publish(t, js, fmt.Sprint("object-", i), login{fmt.Sprint("id-", i), 7, i})
	}
	settle(t, js)
	stop()
	alerts, err := js.Stream(t.Context(), streams.Alerts)
	if err != nil {
		t.Fatal(err)
	}
	m, err := alerts.GetMsg(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject != where {
		t.Errorf("the alert is on %s and not where the other message was, %s", m.Subject, where)
	}
	if a, err := alert.Parse(m.Data); err != nil || a.Count != 5 || a.Revision != 1 || a.Group["sourceIPAddress"] != "192.0.2.7" {
		t.Errorf("alert of %d events, revision %d, group %s, %v", a.Count, a.Revision, a.Group, err)
	}
}

// Bytes that are not UTF-8, which anybody can send as a user agent, must not
// hide the records beside them.
func TestAGroupThatIsNotUTF8HidesNothing(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	by := strings.Replace(bell, "sourceIPAddress]", "requestID]", 1)
	stop := run(t, s, ruleSet(t, by), options(), "a")
	publishRecords(t, js, "object", fiveLogins("id", 7), func(l login) string {
		group := "a"
		if l.id == "id-2" {
			group = "x\xff"
		}
		return strings.Replace(l.record(), `"awsRegion"`, `"requestID":"`+group+`","awsRegion"`, 1)
	})
	publishRecords(t, js, "more", []login{{"id-5", 7, 5}}, func(l login) string {
		return strings.Replace(l.record(), `"awsRegion"`, `"requestID":"a","awsRegion"`, 1)
	})
	settle(t, js)
	stop()
	if diff := cmp.Diff([]string{"id-0", "id-1", "id-3", "id-4", "id-5"}, only(t, js).EventIDs); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

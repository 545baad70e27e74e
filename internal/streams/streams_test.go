package streams_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"pgregory.net/rapid"

	"github.com/trailbell/trailbell/internal/natsserver"
	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/streams"
)

func TestToken(t *testing.T) {
	for in, want := range map[string]string{
		"":             "none",
		"eu-west-1":    "eu-west-1",
		"111122223333": "111122223333",
		"-":            "-",
		"my.trail":     "my-trail-",
		"Upper":        "upper-",
		"*":            "--",
		">":            "--",
		"a b":          "a-b-",
	} {
		got := streams.Token(in)
		if got != want && !(strings.HasSuffix(want, "-") && strings.HasPrefix(got, want) && len(got) == len(want)+6) {
			t.Errorf("Token(%q) = %q, want %q and six digits of a hash", in, got, want)
		}
	}
}

func TestTokensAreSafeAndDistinct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		ta, tb := streams.Token(a), streams.Token(b)
		if ta == "" || len(ta) > 48 || strings.ContainsAny(ta, ".*> \t\r\n") {
			t.Fatalf("Token(%q) = %q is no subject token", a, ta)
		}
		if a != b && ta == tb && a != "" && b != "" {
			t.Fatalf("%q and %q have the same token %q", a, b, ta)
		}
	})
}

func TestIDsTellTheirPartsApart(t *testing.T) {
	if streams.ObjectID("a", "b/c") == streams.ObjectID("a/b", "c") || streams.ObjectID("ab", "c") == streams.ObjectID("a", "bc") {
		t.Error("two objects have one id")
	}
	if streams.GroupOf("c", []string{"a", "b"}) == streams.GroupOf("c", []string{"ab"}) {
		t.Error("two groups have one id")
	}
}

func TestEnsureMayBeCalledBySeveralAtOnce(t *testing.T) {
	s, err := natsserver.Start(natsserver.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	for _, of := range []string{"a bare server", "one that has them"} {
		var wg sync.WaitGroup
		for range 5 {
			_, js := natstest.Connect(t, s)
			wg.Go(func() {
				if err := streams.Ensure(t.Context(), js, natstest.Limits(), false); err != nil {
					t.Errorf("of %s: %v", of, err)
				}
			})
		}
		wg.Wait()
	}
}

func TestEnsureRefusesAStreamOfSomebodyElse(t *testing.T) {
	for name, c := range map[string]struct {
		config jetstream.StreamConfig
		limits streams.Limits
		want   string
	}{
		"other subjects":   {jetstream.StreamConfig{Name: streams.Keys, Subjects: []string{"doors.>"}}, natstest.Limits(), "its subjects are"},
		"other retention":  {jetstream.StreamConfig{Name: streams.Keys, Subjects: []string{"trailbell.keys.>"}}, natstest.Limits(), "its retention is"},
		"other partitions": {limits: func() streams.Limits { l := natstest.Limits(); l.Partitions = 8; return l }(), want: "it has 16 partitions, not 8"},
	} {
		t.Run(name, func(t *testing.T) {
			s := natstest.Start(t, natstest.Limits())
			_, js := natstest.Connect(t, s)
			if c.config.Name != "" {
				if err := js.DeleteStream(t.Context(), c.config.Name); err != nil {
					t.Fatal(err)
				}
				if _, err := js.CreateStream(t.Context(), c.config); err != nil {
					t.Fatal(err)
				}
			}
			err := streams.Ensure(t.Context(), js, c.limits, false)
			var incompatible *streams.IncompatibleError
			if !errors.As(err, &incompatible) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Ensure returned %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestEnsureChangesLimitsOnlyForAnAdoptedServer(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	larger := natstest.Limits()
	larger.Events *= 2
	for _, c := range []struct {
		adopt bool
		want  int64
	}{{false, natstest.Limits().Events}, {true, larger.Events}} {
		if err := streams.Ensure(t.Context(), js, larger, c.adopt); err != nil {
			t.Fatal(err)
		}
		st, err := js.Stream(t.Context(), streams.Events)
		if err != nil {
			t.Fatal(err)
		}
		if got := st.CachedInfo().Config.MaxBytes; got != c.want {
			t.Errorf("adopt %v: EVENTS keeps %d bytes, want %d", c.adopt, got, c.want)
		}
	}
}

func TestRedactHidesPasswordsAndTokens(t *testing.T) {
	for address, want := range map[string]string{
		"nats://127.0.0.1:4222":              "nats://127.0.0.1:4222",
		"127.0.0.1:4222":                     "127.0.0.1:4222",
		"nats://me:secret@host:4222":         "nats://me:xxxxx@host:4222",
		"me:secret@host:4222":                "me:xxxxx@host:4222",
		"nats://secret@host:4222":            "nats://xxxxx@host:4222",
		"nats://me:secret@a,nats://me:2nd@b": "nats://me:xxxxx@a,nats://me:xxxxx@b",
		"nats://a, nats://secret@b":          "nats://a,nats://xxxxx@b",
		"nats://me:sec ret@host:4222":        "(an address that is not a URL)",
	} {
		if got := streams.Redact(address); got != want {
			t.Errorf("Redact(%q) = %q, want %q", address, got, want)
		}
	}
}

func TestAnAddressThatCannotBeReadDoesNotShowItsPassword(t *testing.T) {
	_, _, err := streams.Connect("nats://me:sec ret@127.0.0.1:1", "test", natstest.Quiet)
	if err == nil || strings.Contains(err.Error(), "sec ret") {
		t.Errorf("got %v", err)
	}
}

func TestInspectSeesWhatEnsureWouldDoAndDoesNothing(t *testing.T) {
	limits := natstest.Limits()
	s := natstest.Start(t, limits)
	_, js := natstest.Connect(t, s)
	ctx := t.Context()
	if missing, err := streams.Inspect(ctx, js, limits); err != nil || len(missing) != 0 {
		t.Errorf("behind Ensure: missing %v, %v", missing, err)
	}
	for _, name := range []string{streams.Keys, streams.Alerts} {
		if err := js.DeleteStream(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		missing, err := streams.Inspect(ctx, js, limits)
		if want := []string{streams.Keys, streams.Alerts}; err != nil || !slices.Equal(missing, want) {
			t.Errorf("missing %v, want %v (%v)", missing, want, err)
		}
	}
	for _, name := range []string{streams.Keys, streams.Alerts} {
		if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{"other." + name}}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := streams.Inspect(ctx, js, limits)
	if err == nil || strings.Count(err.Error(), "\n") != 1 || !strings.Contains(err.Error(), "stream KEYS") || !strings.Contains(err.Error(), "stream ALERTS") {
		t.Errorf("got %v, want both streams", err)
	}
}

func TestReclaimGivesUpWhatAnEarlierRunHeld(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	leases, err := js.KeyValue(t.Context(), streams.LeaseBucket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leases.Create(t.Context(), "windows", []byte("killed")); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), streams.KeysSubject("my-trail"), []byte("reference")); err != nil {
		t.Fatal(err)
	}
	fetcher, err := js.Consumer(t.Context(), streams.Keys, streams.FetcherDurable)
	if err != nil {
		t.Fatal(err)
	}
	// A consumer hears of a message a moment after its publisher does, so a
	// message that has to be there is waited for: well below AckWait, behind
	// which it would come again by itself.
	take := func(wait time.Duration) int {
		batch, err := fetcher.Fetch(1, jetstream.FetchMaxWait(wait))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for range batch.Messages() {
			n++
		}
		return n
	}
	const atOnce = 50 * time.Second
	if n := take(atOnce); n != 1 {
		t.Fatalf("%d messages came, want the one published", n)
	}
	if n := take(100 * time.Millisecond); n != 0 {
		t.Fatalf("%d messages came while it was in somebody's hands", n)
	}
	if err := streams.Reclaim(t.Context(), js); err != nil {
		t.Fatal(err)
	}
	if n := take(atOnce); n != 1 {
		t.Error("what the earlier run held does not come again at once")
	}
	if _, err := leases.Create(t.Context(), "windows", []byte("restarted")); err != nil {
		t.Errorf("the lease of the earlier run is not free: %v", err)
	}
}

package lister_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/trailbell/trailbell/services/lister"

	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
)

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestAPollPublishesWhatIsNew(t *testing.T) {
	one, two := log(alice, "eu-west-1", day(23), "a"), log(alice, "eu-west-1", day(24), "b")
	b := newBench(t, one)
	same(t, "first poll", b.poll(tuesday), one)
	same(t, "nothing new", b.poll(tuesday.Add(time.Hour)))
	b.bucket.put(two)
	same(t, "a new file", b.poll(tuesday.Add(2*time.Hour)), two)
	b.restart()
	same(t, "after a restart", b.poll(tuesday.Add(3*time.Hour)))
}

func TestAReferenceSaysWhatTheKeySays(t *testing.T) {
	key := log(alice, "eu-west-1", day(24), "a")
	b := newBench(t, key)
	b.poll(tuesday)
	want := &trailbellv1.ObjectRef{
		Bucket: "trail", Key: key, Size: 100, Account: alice, Region: "eu-west-1", Delivered: timestamppb.New(day(24)),
	}
	if diff := cmp.Diff([]*trailbellv1.ObjectRef{want}, b.reader.refs, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func TestAFileThatArrivesLateAndSortsEarlierIsFound(t *testing.T) {
	known := log(alice, "eu-west-1", day(24), "zzzz")
	b := newBench(t, known)
	b.poll(tuesday)
	// Same minute, earlier in the alphabet; and the first day of the look-back.
	late := []string{log(alice, "eu-west-1", day(22), "aaaa"), log(alice, "eu-west-1", day(24), "aaaa")}
	b.bucket.put(late...)
	same(t, "late files", b.poll(tuesday.Add(5*time.Minute)), late...)
}

func TestTheFirstPollBeginsWithTheLookBackAndNotWithTheBucket(t *testing.T) {
	var keys []string
	for d := 1; d <= 24; d++ {
		keys = append(keys, log(alice, "eu-west-1", day(d), "a"))
	}
	b := newBench(t, keys...)
	same(t, "first poll", b.poll(tuesday), keys[21:]...)
	same(t, "no history was asked for", b.history())
	if got := b.config.Start(tuesday); !got.Equal(day(22).Truncate(24 * time.Hour)) {
		t.Errorf("Start says %s", got)
	}
}

func TestAfterAWeeksRestTheWeekIsListed(t *testing.T) {
	before, during := log(alice, "eu-west-1", day(3), "a"), log(alice, "eu-west-1", day(5), "b")
	elsewhere := log(bob, "us-east-1", day(4), "c") // an account that was not there before
	b := newBench(t, before)
	b.poll(day(3))
	b.bucket.put(during, elsewhere)
	b.restart()
	same(t, "after the rest", b.poll(tuesday), during, elsewhere)
}

func TestWhatWasForgottenIsNotPublishedAgain(t *testing.T) {
	var keys []string
	for d := 1; d <= 20; d++ {
		keys = append(keys, log(alice, "eu-west-1", day(d), "a"))
	}
	b := newBench(t)
	for d := 1; d <= 20; d++ {
		b.bucket.put(keys[d-1])
		same(t, fmt.Sprintf("day %d", d), b.poll(day(d)), keys[d-1])
		b.restart()
	}
	// Head and progress, and one chunk for each day of the look-back.
	if len(b.store.values) != 2+3 {
		t.Errorf("the store holds %d values: %v", len(b.store.values), sorted(b.store.values))
	}
}

func TestTwoCrashesWhileForgettingPublishNothingAgain(t *testing.T) {
	for first := range 12 {
		for second := range 12 {
			for _, applied := range []bool{false, true} {
				b := newBench(t, log(alice, "eu-west-1", day(20), "a"), log(alice, "eu-west-1", day(23), "a"))
				b.poll(day(20))
				b.poll(day(23).Add(-24 * time.Hour))
				for _, step := range []int{first, second} {
					b.store.fault = &fault{after: step, applied: applied}
					_, err := b.lister.Poll(t.Context(), tuesday)
					if (b.store.hit != "") != (err != nil) {
						t.Fatalf("fault %q, error %v", b.store.hit, err)
					}
				}
				b.store.fault = &fault{after: -1}
				b.restart()
				b.poll(tuesday)
				for key, n := range b.reader.counts {
					if n != 1 {
						t.Errorf("faults at step %d and then %d: %s was published %d times", first, second, key, n)
					}
				}
			}
		}
	}
}

func TestOnlyLogsArePublished(t *testing.T) {
	logKey := log(alice, "eu-west-1", day(24), "a")
	b := newBench(t,
		logKey,
		strings.ReplaceAll(logKey, "CloudTrail", "CloudTrail-Digest"),
		strings.Replace(logKey, ".json.gz", ".tmp", 1),
		"AWSLogs/"+alice+"/CloudTrail/eu-west-1/2026/11/24/",
		"AWSLogs/"+alice+"/Config/eu-west-1/2026/11/24/x.json.gz",
	)
	report, err := b.lister.Poll(t.Context(), tuesday)
	if err != nil {
		t.Fatal(err)
	}
	want := lister.Report{Trails: 1, Requests: 3, Listed: 3, New: 1, Bytes: 100, Ignored: 2, Newest: day(24)}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Error(diff)
	}
	same(t, "published", b.reader.keys(), logKey)
}

func TestAPollCostsARequestAThousandKeys(t *testing.T) {
	for _, test := range []struct{ old, watched, requests int }{
		{0, 1, 1}, {0, 999, 1}, {0, 1000, 1}, {0, 1001, 2}, {0, 2500, 3}, {5000, 1, 1}, {5000, 2500, 3},
	} {
		b := newBench(t)
		for i := range test.old {
			b.bucket.put(log(alice, "eu-west-1", day(2), fmt.Sprint(i)))
		}
		for i := range test.watched {
			b.bucket.put(log(alice, "eu-west-1", day(22+i%3), fmt.Sprint(i)))
		}
		// AWSLogs/, ACCOUNT/CloudTrail/, and then the listing.
		for round := range 2 {
			b.bucket.requests = 0
			report, err := b.lister.Poll(t.Context(), tuesday)
			if err != nil {
				t.Fatal(err)
			}
			if want := 2 + test.requests; report.Requests != want || b.bucket.requests != want {
				t.Errorf("%d old and %d watched keys, poll %d: reported %d requests, made %d, want %d",
					test.old, test.watched, round, report.Requests, b.bucket.requests, want)
			}
		}
	}
}

func TestARestingPollStoresNothing(t *testing.T) {
	b := newBench(t, log(alice, "eu-west-1", day(24), "a"), log(bob, "eu-west-1", day(24), "a"))
	b.poll(tuesday)
	puts := b.store.puts
	b.poll(tuesday.Add(time.Hour))
	if b.store.puts != puts {
		t.Errorf("%d values were stored", b.store.puts-puts)
	}
}

func TestADayOfManyKeysIsStoredInPieces(t *testing.T) {
	// A piece has 8192 keys; 8500 cross the border with the last page.
	for _, n := range []int{8191, 8192, 8193, 8500, 20_000} {
		b := newBench(t)
		for i := range n {
			b.bucket.put(log(alice, "eu-west-1", day(24), fmt.Sprintf("%05d", i)))
		}
		if got := b.poll(tuesday); len(got) != n {
			t.Errorf("%d of %d were published", len(got), n)
		}
		b.restart()
		if got := b.poll(tuesday); len(got) != 0 {
			t.Errorf("%d of %d were published again", len(got), n)
		}
		b.poll(tuesday.AddDate(0, 0, 5)) // all of it is forgotten
		if len(b.store.values) != 2 {
			t.Errorf("of %d the store still holds %v", n, sorted(b.store.values))
		}
	}
}

func TestWhatCouldNotBeStoredIsStoredByTheNextPoll(t *testing.T) {
	key := log(alice, "eu-west-1", day(24), "a")
	b := newBench(t, key)
	b.store.fault = &fault{after: 4} // gets of progress and head, puts of both; then the known keys
	_, err := b.lister.Poll(t.Context(), tuesday)
	if !errors.Is(err, errFault) || b.store.hit != "put" || b.reader.counts[key] != 1 {
		t.Fatalf("error %v at %q, published %v", err, b.store.hit, b.reader.counts)
	}
	same(t, "the next poll", b.poll(tuesday))
	b.restart()
	same(t, "after a restart", b.poll(tuesday))
}

func TestABucketDoesNotMoveOnPastATrailThatFailed(t *testing.T) {
	key := log(bob, "eu-west-1", day(20), "a")
	b := newBench(t, log(alice, "eu-west-1", day(20), "a"))
	b.config.Parallel = 1
	b.restart()
	b.poll(day(20))
	b.bucket.put(key)
	// Three days later the new account cannot be listed: three requests for
	// folders, one listing, and then its own.
	b.bucket.fault = &fault{after: 4}
	if _, err := b.lister.Poll(t.Context(), day(23)); !errors.Is(err, errFault) {
		t.Fatal(err)
	}
	b.bucket.fault = &fault{after: -1}
	b.restart()
	same(t, "when it can", b.poll(day(24)), key)
}

func TestAnAccountThatComesLaterBeginsWithTheBucket(t *testing.T) {
	b := newBench(t, log(alice, "eu-west-1", day(24), "a"))
	b.config.Since = day(24)
	b.restart()
	b.poll(tuesday)
	key := log(bob, "eu-west-1", day(23), "a")
	b.bucket.put(key)
	b.config.Since = day(22)
	b.restart()
	same(t, "with an earlier since", b.poll(tuesday), key)
}

func TestNobodyPublishesWhileAnotherDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		for i := range 20 {
			b.put(log(alice, fmt.Sprintf("eu-west-%d", i), day(24), "a"))
		}
		r := newReader()
		slow := func(ctx context.Context, refs []*trailbellv1.ObjectRef) error {
			return r.slowly(ctx, refs, time.Minute)
		}
		begin := time.Now()
		if _, err := lister.New(lister.Config{Bucket: "trail"}, b, newStore(t), slow).Poll(t.Context(), tuesday); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != 20*time.Minute || len(r.refs) != 20 {
			t.Errorf("%d references took %s", len(r.refs), took)
		}
	})
}

func TestAPollEndsWhileItWaitsToPublish(t *testing.T) {
	b := newBucket()
	for i := range 20 {
		b.put(log(alice, fmt.Sprintf("eu-west-%d", i), day(24), "a"))
	}
	ctx, cancel := context.WithCancel(t.Context())
	full := func(ctx context.Context, _ []*trailbellv1.ObjectRef) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	if _, err := lister.New(lister.Config{Bucket: "trail"}, b, newStore(t), full).Poll(ctx, tuesday); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestOneTrailsErrorDoesNotHoldUpTheOthers(t *testing.T) {
	key := log(bob, "eu-west-1", day(24), "a")
	b := newBench(t, key)
	b.poll(tuesday) // so that there is a state to break
	for k := range b.store.values {
		if strings.HasPrefix(k, bob) && !strings.Contains(k, "2026") {
			b.store.values[k] = []byte(`{"from":"yesterday"}`)
		}
	}
	other := log(alice, "eu-west-1", day(24), "a")
	b.bucket.put(other)
	b.restart()
	_, err := b.lister.Poll(t.Context(), tuesday)
	if err == nil || !strings.Contains(err.Error(), bob) || !strings.Contains(err.Error(), "yesterday") {
		t.Errorf("error %v", err)
	}
	if b.reader.counts[other] != 1 {
		t.Error("the other trail was not listed")
	}
}

func TestAStoreThatHoldsSomethingElseIsSaid(t *testing.T) {
	key := log(alice, "eu-west-1", day(24), "a")
	for name, spoil := range map[string]func(string, []byte) []byte{
		"progress": func(k string, v []byte) []byte {
			if strings.HasPrefix(k, "bucket/") {
				return []byte("{}")
			}
			return v
		},
		"known keys": func(k string, v []byte) []byte {
			if strings.HasSuffix(k, "/0") {
				return v[:5]
			}
			return v
		},
	} {
		b := newBench(t, key)
		b.poll(tuesday)
		for k, v := range b.store.values {
			b.store.values[k] = spoil(k, v)
		}
		b.restart()
		if _, err := b.lister.Poll(t.Context(), tuesday); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "delete the value") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestWhenPublishingFailsThePollStops(t *testing.T) {
	b := newBench(t)
	for i := range 40 {
		b.bucket.put(log(alice, fmt.Sprintf("eu-west-%d", i), day(24), "a"))
	}
	b.config.Parallel = 1
	b.restart()
	b.reader.after = 3
	_, err := b.lister.Poll(t.Context(), tuesday)
	if !errors.Is(err, errFault) || len(b.reader.refs) != 3 {
		t.Errorf("published %d, error %v", len(b.reader.refs), err)
	}
	b.reader.after = -1
	if got := b.poll(tuesday); len(got) != 37 {
		t.Errorf("the next poll published %d, want the other 37", len(got))
	}
}

// Keys arrive in any order, the lister crashes at any step of a poll, rests
// for days, and comes back with its memory or without.
func TestEveryKeyOfTheLookBackIsPublishedAndOnceUnlessACrashFellBetween(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var (
			now     = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
			bucket  = newBucket()
			store   = newStore(t)
			reader  = newReader()
			config  = lister.Config{Bucket: "trail", PageKeys: 1, Parallel: rapid.IntRange(1, 3).Draw(t, "parallel")}
			settled = map[string]bool{} // published and certainly remembered
			serial  int
		)
		bucket.page = rapid.IntRange(1, 5).Draw(t, "page")
		start := func() *lister.Lister { return lister.New(config, bucket, store, reader.publish) }
		l := start()

		poll := func(f *fault) error {
			bucket.fault, store.fault, reader.fault = f, f, f
			before := len(reader.refs)
			_, err := l.Poll(t.Context(), now)
			if _, empty := errors.AsType[*lister.Empty](err); empty && !errors.Is(err, errFault) {
				err = nil
			}
			inPoll := map[string]bool{}
			for _, ref := range reader.refs[before:] {
				if settled[ref.Key] {
					t.Errorf("%s was published again without a crash", ref.Key)
				}
				if inPoll[ref.Key] {
					t.Errorf("%s was published twice by one poll", ref.Key)
				}
				inPoll[ref.Key] = true
			}
			if (f.hit != "") != (err != nil) {
				t.Fatalf("fault %q, error %v", f.hit, err)
			}
			if f.hit == "" || f.hit == "list" {
				// Nothing went wrong between publishing and remembering.
				for key := range inPoll {
					settled[key] = true
				}
			}
			if err == nil {
				for key := range reader.counts {
					settled[key] = true
				}
			}
			return err
		}
		if err := poll(&fault{after: -1}); err != nil {
			t.Fatal(err)
		}
		t.Repeat(map[string]func(*rapid.T){
			"time passes": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 240).Draw(t, "hours")) * time.Hour / 4)
			},
			"a file arrives": func(t *rapid.T) {
				first := now.Add(-lister.DefaultLookBack).Truncate(24 * time.Hour)
				minutes := int(now.Sub(first) / time.Minute)
				delivered := first.Add(time.Duration(rapid.IntRange(0, minutes).Draw(t, "minute")) * time.Minute)
				serial++
				suffix := fmt.Sprintf("%c%d", 'a'+rune(rapid.IntRange(0, 25).Draw(t, "letter")), serial)
				account := rapid.SampledFrom([]string{alice, bob}).Draw(t, "account")
				region := rapid.SampledFrom([]string{"eu-west-1", "us-east-1"}).Draw(t, "region")
				bucket.put(log(account, region, delivered, suffix))
			},
			"a poll": func(*rapid.T) { _ = poll(&fault{after: -1}) },
			"a poll that breaks": func(t *rapid.T) {
				_ = poll(&fault{after: rapid.IntRange(0, 30).Draw(t, "step"), applied: rapid.Bool().Draw(t, "applied")})
			},
			"a restart": func(*rapid.T) { l = start() },
		})
		if err := poll(&fault{after: -1}); err != nil {
			t.Fatal(err)
		}
		for key := range bucket.keys {
			if reader.counts[key] == 0 {
				t.Errorf("%s was never published", key)
			}
		}
	})
}

package lister_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/trailbell/trailbell/services/lister"
)

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// month is one log a day, from the first of the month on.
func month(days int) []string {
	keys := make([]string, days)
	for i := range keys {
		keys[i] = log(alice, "eu-west-1", day(i+1), "a")
	}
	return keys
}

func TestAnEarlierSinceIsListedOnce(t *testing.T) {
	keys := month(24)
	b := newBench(t, keys...)
	b.config.Since = day(10)
	b.restart()
	same(t, "the poll comes first", b.poll(tuesday), keys[21:]...)
	same(t, "the history", b.history(), keys[9:21]...)
	same(t, "the history again", b.history())
	b.restart()
	same(t, "a poll after a restart", b.poll(tuesday))
	same(t, "the history after a restart", b.history())
}

func TestAStillEarlierSinceListsOnlyWhatIsMissing(t *testing.T) {
	keys := month(24)
	b := newBench(t, keys...)
	for _, step := range []struct {
		since time.Time
		want  []string
	}{
		{day(15), keys[14:21]},
		{day(5), keys[4:14]},
		{day(20), nil},
		{time.Time{}, nil},
		{day(1), keys[:4]},
	} {
		b.config.Since = step.since
		b.restart()
		b.poll(tuesday)
		same(t, fmt.Sprintf("since %s", step.since), b.history(), step.want...)
	}
}

func TestALaterSinceBeginsLaterAndAnEarlierOneThenFillsIn(t *testing.T) {
	keys := month(24)
	b := newBench(t, keys...)
	b.config.Since = day(24)
	b.restart()
	same(t, "only today", b.poll(tuesday), keys[23])
	b.config.Since = day(1)
	b.restart()
	same(t, "the rest of the look-back", b.poll(tuesday), keys[21], keys[22])
	same(t, "the history", b.history(), keys[:21]...)
	late := log(alice, "eu-west-1", day(22), "late")
	b.bucket.put(late)
	same(t, "a late file", b.poll(tuesday), late)
}

func TestAHistoryGoesOnWithoutItsFlag(t *testing.T) {
	keys := month(24)
	b := newBench(t, keys...)
	b.bucket.page = 2
	b.config.Since = day(1)
	b.restart()
	b.poll(tuesday)
	b.reader.refs = nil
	if _, done, err := b.lister.History(t.Context(), 2); done || err != nil {
		t.Fatalf("done %t, error %v", done, err)
	}
	same(t, "the beginning", b.reader.keys(), keys[:4]...)
	b.config.Since = time.Time{}
	b.restart()
	b.poll(tuesday)
	same(t, "the rest", b.history(), keys[4:21]...)
}

func TestAHistoryIsCutShortByALaterSince(t *testing.T) {
	keys := month(24)
	b := newBench(t, keys...)
	b.bucket.page = 2
	b.config.Since = day(1)
	b.restart()
	b.poll(tuesday)
	if _, done, err := b.lister.History(t.Context(), 1); done || err != nil {
		t.Fatalf("done %t, error %v", done, err)
	}
	b.config.Since = day(20)
	b.restart()
	b.poll(tuesday)
	same(t, "the rest", b.history(), keys[19:21]...)
}

func TestAHistoryCostsARequestAThousandKeys(t *testing.T) {
	b := newBench(t)
	for i := range 2500 {
		b.bucket.put(log(alice, "eu-west-1", day(1+i%20), fmt.Sprint(i)))
	}
	b.config.Since = day(1)
	b.restart()
	b.poll(tuesday)
	b.bucket.requests = 0
	report, done, err := b.lister.History(t.Context(), 100)
	if err != nil || !done || report.Requests != 3 || b.bucket.requests != 3 || report.New != 2500 {
		t.Errorf("report %+v, %d requests made, done %t, error %v", report, b.bucket.requests, done, err)
	}
}

// The history breaks at any step and is restarted, polls come between, and
// what is asked for changes.
func TestEveryKeySinceTheDayAskedForIsPublished(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bucket, store, reader := newBucket(), newStore(t), newReader()
		bucket.page = rapid.IntRange(1, 7).Draw(t, "page")
		for i := range rapid.IntRange(0, 60).Draw(t, "keys") {
			bucket.put(log(
				rapid.SampledFrom([]string{alice, bob}).Draw(t, "account"), "eu-west-1",
				day(rapid.IntRange(1, 24).Draw(t, "day")), fmt.Sprint(i)))
		}
		config := lister.Config{Bucket: "trail", PageKeys: 1}
		crashed := false
		run := func(f *fault, work func(*lister.Lister) error, l *lister.Lister) {
			bucket.fault, store.fault, reader.fault = f, f, f
			err := work(l)
			if _, empty := errors.AsType[*lister.Empty](err); err != nil && !empty && !errors.Is(err, errFault) {
				t.Fatal(err)
			}
			crashed = crashed || f.hit != "" && f.hit != "list"
		}
		work := func(l *lister.Lister) error {
			if _, err := l.Poll(t.Context(), tuesday); err != nil {
				return err
			}
			for {
				_, done, err := l.History(t.Context(), rapid.IntRange(1, 4).Draw(t, "limit"))
				if done || err != nil {
					return err
				}
			}
		}
		earliest := 24
		for range rapid.IntRange(0, 5).Draw(t, "runs") {
			since := rapid.IntRange(1, earliest).Draw(t, "since")
			earliest = since
			config.Since = day(since)
			l := lister.New(config, bucket, store, reader.publish)
			run(&fault{after: rapid.IntRange(0, 40).Draw(t, "step"), applied: rapid.Bool().Draw(t, "applied")}, work, l)
		}
		config.Since = day(earliest)
		run(&fault{after: -1}, work, lister.New(config, bucket, store, reader.publish))
		first := day(earliest).Truncate(24 * time.Hour)
		for key := range bucket.keys {
			n := reader.counts[key]
			if inside := key >= prefixOf(key)+first.Format("2006/01/02"); inside && n == 0 {
				t.Errorf("%s was never published", key)
			}
			if n > 1 && !crashed {
				t.Errorf("%s was published %d times without a crash", key, n)
			}
		}
	})
}

// prefixOf is a key up to its year.
func prefixOf(key string) string { return key[:len("AWSLogs/111122223333/CloudTrail/eu-west-1/")] }

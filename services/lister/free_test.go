package lister_test

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// A poll makes one request at least, and S3 answers it with a thousand keys. As
// long as a trail has no more, its days cost nothing and are kept.

func TestAFileThatIsMonthsLateIsFoundInASmallTrail(t *testing.T) {
	spring := time.Date(2026, 3, 7, 9, 30, 0, 0, time.UTC)
	old := []string{log("111122223333", "eu-west-1", spring, "b"), log("111122223333", "eu-west-1", spring.AddDate(0, 0, 1), "b")}
	b := newBench(t, old...)
	b.config.PageKeys = 0 // as in S3
	b.config.Since = spring
	b.restart()
	if got := b.poll(tuesday); !slices.Equal(got, old) {
		t.Fatalf("the first poll published %v, want %v", got, old)
	}
	if got := b.history(); len(got) != 0 {
		t.Errorf("the history published %v", got)
	}
	late := log("111122223333", "eu-west-1", spring, "a") // sorts before what is known
	b.bucket.put(late)
	b.restart()
	if got := b.poll(tuesday.Add(time.Hour)); !slices.Equal(got, []string{late}) {
		t.Errorf("after the late file %v was published, want %s", got, late)
	}
}

func TestDaysAreGivenUpWhenTheyCostARequest(t *testing.T) {
	b := newBench(t)
	b.config.PageKeys = 10
	b.config.Since = day(1)
	b.restart()
	for d := 1; d <= 20; d++ {
		b.bucket.put(log("111122223333", "eu-west-1", day(d), "b"))
		b.poll(day(d))
	}
	for d, found := range map[int]bool{19: true, 15: true, 5: false} {
		late := log("111122223333", "eu-west-1", day(d), fmt.Sprintf("a%d", d))
		b.bucket.put(late)
		if got := slices.Contains(b.poll(day(20)), late); got != found {
			t.Errorf("a file of day %d that arrives on day 20 is found: %v, want %v", d, got, found)
		}
	}
}

func TestManyOldFilesAreHistory(t *testing.T) {
	var old []string
	for d := 1; d <= 20; d++ {
		old = append(old, log("111122223333", "eu-west-1", day(d), "b"))
	}
	b := newBench(t, old...)
	b.config.PageKeys = 10
	b.bucket.page = 10
	b.config.Since = day(1)
	b.restart()
	if got := b.poll(tuesday); len(got) != 0 {
		t.Errorf("the poll published %v: all of it is older than the look-back", got)
	}
	if got := b.history(); !slices.Equal(got, old) {
		t.Errorf("the history published %v, want %v", got, old)
	}
}

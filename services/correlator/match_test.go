package correlator

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
)

// Matches with long groups and many values go into several messages, in order;
// those of one partition stay there.
func TestMatchesAreCutIntoMessages(t *testing.T) {
	const partitions = 4
	w := &matches{batch: &trailbellv1.EventBatch{Object: &trailbellv1.ObjectRef{Bucket: "b", Key: "k"}}, partitions: partitions, byPartition: map[int]*part{}}
	long := strings.Repeat("x", maxMatches/8)
	want := map[string][]string{} // identities, by key
	for i := range 60 {
		key := fmt.Sprint("key ", i%7)
		m := &trailbellv1.Match{Correlation: "c", Group: []string{key}, Identity: fmt.Sprint("id ", i)}
		switch i % 3 {
		case 0:
			m.Counts = []*trailbellv1.Count{{Level: 1, Group: []string{long}}}
		case 1:
			m.Counts = []*trailbellv1.Count{{Values: make([]int64, len(long)/8)}}
		case 2:
			m.Values = make([]int64, len(long)/8)
		}
		w.put(m, "c")
		want[key] = append(want[key], m.GetIdentity())
	}
	if len(w.byPartition) < 2 {
		t.Error("all keys are in one partition")
	}
	got, home := map[string][]string{}, map[string]int{}
	for n, p := range w.byPartition {
		if n < 0 || n >= partitions {
			t.Errorf("partition %d", n)
		}
		for _, b := range p.messages {
			if size := proto.Size(b); size > maxMatches+maxMatches/16 || len(b.GetMatches()) == 0 {
				t.Errorf("a message of %d bytes with %d matches", size, len(b.GetMatches()))
			}
			for _, m := range b.GetMatches() {
				key := m.GetGroup()[0]
				if at, ok := home[key]; ok && at != n {
					t.Errorf("%s is in partitions %d and %d", key, at, n)
				}
				home[key] = n
				got[key] = append(got[key], m.GetIdentity())
			}
		}
	}
	for key := range want {
		if !slices.Equal(got[key], want[key]) {
			t.Errorf("%s: got %q, want %q", key, got[key], want[key])
		}
	}
}

// A record may group by something as long as itself. It does not take those
// beside it along.
func TestAMatchThatIsTooLargeIsLeftOut(t *testing.T) {
	w := &matches{batch: &trailbellv1.EventBatch{}, partitions: 1, byPartition: map[int]*part{}}
	w.put(&trailbellv1.Match{Correlation: "c", Group: []string{"a"}, Record: 1}, "c")
	w.put(&trailbellv1.Match{Correlation: "c", Group: []string{strings.Repeat("x", maxMatch)}, Record: 2}, "c")
	w.put(&trailbellv1.Match{Correlation: "c", Group: []string{"a"}, Record: 3}, "c")
	if len(w.tooLarge) != 1 || w.tooLarge[0].record != 2 || w.tooLarge[0].size <= maxMatch {
		t.Errorf("too large: %+v, want record 2", w.tooLarge)
	}
	var records []uint32
	for _, b := range w.byPartition[0].messages {
		for _, m := range b.GetMatches() {
			records = append(records, m.GetRecord())
		}
	}
	if !slices.Equal(records, []uint32{1, 3}) {
		t.Errorf("records %v have matches, want 1 and 3", records)
	}
}

// A letter names each correlation for which a record does not count.
func TestARecordThatIsTooLargeForTwoCorrelationsHasTwoLetters(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	stop := run(t, s, ruleSet(t, bell+`---
title: Many agents
id: 00000000-0000-4000-8000-00000000000a
correlation:
  type: event_count
  rules: [failure]
  group-by: [userAgent]
  timespan: 60s
  condition: {gt: 4}
---
title: Many agents of an address
id: 00000000-0000-4000-8000-00000000000b
correlation:
  type: event_count
  rules: [failure]
  group-by: [sourceIPAddress, userAgent]
  timespan: 60s
  condition: {gt: 4}
`), options(), "a")
	publishRecords(t, js, "first", fiveLogins("id", 1), func(l login) string {
		if l.id != "id-1" {
			return l.record()
		}
		return strings.TrimSuffix(l.record(), "}") + `,"userAgent":"` + strings.Repeat("x", maxMatch) + `"}`
	})
	settle(t, js)
	stop()
	dead, err := js.Stream(t.Context(), streams.Dead)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for next := range dead.CachedInfo().State.LastSeq {
		m, err := dead.GetMsg(t.Context(), next+1)
		if err != nil {
			t.Fatal(err)
		}
		var d trailbellv1.DeadLetter
		if err := proto.Unmarshal(m.Data, &d); err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.Split(d.GetReason(), ":")[0])
	}
	slices.Sort(got)
	var want []string
	for _, c := range []string{"00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"} {
		want = append(want, "does not count for correlation "+c)
	}
	if !slices.Equal(got, want) {
		t.Errorf("dead letters: %q, want %q", got, want)
	}
	// It counts for the one that does not group by what is large.
	if a := only(t, js); a.Count != 5 {
		t.Errorf("%d failures rang, want 5", a.Count)
	}
}

package correlator

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

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
		w.put(m)
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
	w.put(&trailbellv1.Match{Correlation: "c", Group: []string{"a"}, Record: 1})
	w.put(&trailbellv1.Match{Correlation: "c", Group: []string{strings.Repeat("x", maxMatch)}, Record: 2})
	w.put(&trailbellv1.Match{Correlation: "c", Group: []string{"a"}, Record: 3})
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

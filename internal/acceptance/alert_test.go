package acceptance_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/app"
	"github.com/trailbell/trailbell/internal/generator"
	"github.com/trailbell/trailbell/internal/streams"
)

// said is what an alert says that has to be the same in every run.
type said struct {
	Rule, Group string
	State       alert.State
	First, Last time.Time
	Count       int
	Events      string
}

func sorted(all []said) []said {
	slices.SortFunc(all, func(a, b said) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return all
}

// living returns what the alerts say that are left in the end, of revisions one
// a line.
func living(t *testing.T, lines [][]byte) []said {
	t.Helper()
	last := map[string]alert.Alert{}
	for _, line := range lines {
		a := parse(t, line)
		if a.Revision >= last[a.ID].Revision {
			last[a.ID] = a
		}
	}
	var all []said
	for a := range maps.Values(last) {
		if a.State.Living() {
			group := fmt.Sprint(a.Group) // in the order of the keys
			all = append(all, said{a.Rule.Name, group, a.State, a.FirstSeen, a.LastSeen, a.Count, strings.Join(a.EventIDs, " ")})
		}
	}
	return sorted(all)
}

func parse(t *testing.T, line []byte) alert.Alert {
	t.Helper()
	a, err := alert.Parse(line)
	if err != nil {
		t.Fatalf("not an alert: %v: %s", err, line)
	}
	return a
}

// planted is what trails have to ring by the shipped rules, without what is not
// planted but follows: groups and states.
func planted(trails ...*generator.Trail) []said {
	var all []said
	for _, trail := range trails {
		for _, p := range trail.Planted() {
			all = append(all, said{Rule: p.Rule, First: p.First, Last: p.Last, Count: len(p.EventIDs), Events: strings.Join(p.EventIDs, " ")})
		}
	}
	return sorted(all)
}

// asPlanted leaves out of what was said what planted does not know.
func asPlanted(all []said) []said {
	var some []said
	for _, s := range all {
		if !strings.HasPrefix(s.Rule, everyday) {
			s.Group, s.State = "", ""
			some = append(some, s)
		}
	}
	return sorted(some)
}

// everyday begins the names of the rules in testdata, which ring for what is not
// planted.
const everyday = "everyday_"

// revisions reads ALERTS.
func revisions(t *testing.T, js jetstream.JetStream) [][]byte {
	t.Helper()
	s, err := js.Stream(t.Context(), streams.Alerts)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for next := uint64(1); ; {
		m, err := s.GetMsg(t.Context(), next, jetstream.WithGetMsgSubject(streams.AllAlerts))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m.Data)
		next = m.Sequence + 1
	}
}

// checkRevisions checks what holds for every alert in every run: revisions run
// 1, 2, 3 and know more and more, and a record rings a rule once.
func checkRevisions(t *testing.T, lines [][]byte) {
	t.Helper()
	last := map[string]alert.Alert{}
	detections := map[string]string{}
	for _, line := range lines {
		a := parse(t, line)
		before := last[a.ID]
		if a.Revision != before.Revision+1 {
			t.Errorf("revision %d of alert %s follows revision %d", a.Revision, a.ID, before.Revision)
		}
		if a.AsOf.Compare(before.AsOf) < 0 {
			t.Errorf("as_of of alert %s fell from %v to %v", a.ID, before.AsOf, a.AsOf)
		}
		last[a.ID] = a
		if a.Kind == alert.KindDetection {
			what := a.Rule.Name + " " + a.EventIDs[0]
			if id, ok := detections[what]; ok && id != a.ID {
				t.Errorf("%s rang as %s and as %s", what, id, a.ID)
			}
			detections[what] = a.ID
		}
	}
}

// checkArchive checks that a file sink has what is in ALERTS, in order. A sink
// that was killed may repeat the line that it wrote last, and no other.
func checkArchive(t *testing.T, path string, alerts [][]byte) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSuffix(file, []byte("\n")), []byte("\n"))
	written := len(lines)
	lines = slices.CompactFunc(lines, bytes.Equal)
	if n := written - len(lines); n > 0 {
		t.Logf("%d of %d lines of the file are repeats", n, written)
	}
	for i := range max(len(alerts), len(lines)) {
		switch {
		case i >= len(lines):
			t.Fatalf("the file ends behind %d of %d revisions", i, len(alerts))
		case i >= len(alerts):
			t.Fatalf("the file goes on behind %d revisions: %s", i, lines[i])
		case !bytes.Equal(alerts[i], lines[i]):
			t.Fatalf("revision %d of ALERTS is\n%s\nand in the file\n%s", i, alerts[i], lines[i])
		}
	}
}

// settle waits until as many objects have come out at the far end and what rang
// is right, and returns ALERTS. It does not wait for ever: what is wrong shows
// in what is returned.
func settle(t *testing.T, js jetstream.JetStream, objects int, right func([][]byte) bool) [][]byte {
	t.Helper()
	for deadline := time.Now().Add(patience); ; wait(t, 50*time.Millisecond) {
		keys, err := js.Stream(t.Context(), streams.Keys)
		listed := err == nil && keys.CachedInfo().State.LastSeq >= uint64(objects)
		done, err := app.Drained(t.Context(), js, []string{"archive"})
		over := time.Now().After(deadline)
		if over {
			t.Errorf("not at rest after %s: all objects listed %v, drained %v, %v", patience, listed, done, err)
		}
		if listed && done || over {
			if alerts := revisions(t, js); over || right(alerts) {
				return alerts
			}
		}
	}
}

// size of a stream in messages.
func size(ctx context.Context, js jetstream.JetStream, stream string) (uint64, error) {
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return 0, err
	}
	return s.CachedInfo().State.Msgs, nil
}

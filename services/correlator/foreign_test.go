package correlator

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
)

// chained is a chain of the rules of the bell.
const chained = bell + `
---
title: Brute force again
name: brute_force_again
correlation:
  type: event_count
  rules: [brute_force]
  group-by: [recipientAccountId, sourceIPAddress]
  timespan: 360s
  condition: {gte: 1}
level: high
`

// Anybody who may publish can put anything into MATCHES. What no matcher writes
// must neither silence the groups beside it nor end the process, since it would
// end the next one as well. And a match of ours names a record that is not there
// when EVENTS has lost its end and holds something else in its place.
func TestAMatchThatMeansNothingSilencesNoGroup(t *testing.T) {
	for name, c := range map[string]struct {
		rules string
		spoil func(b *trailbellv1.MatchBatch, m *trailbellv1.Match)
	}{
		"a record that its batch does not have":  {bell, func(_ *trailbellv1.MatchBatch, m *trailbellv1.Match) { m.Record = 99 }},
		"a batch that is none":                   {bell, func(b *trailbellv1.MatchBatch, _ *trailbellv1.Match) { b.EventsSequence = 1 }},
		"an identity that is too long":           {bell, func(_ *trailbellv1.MatchBatch, m *trailbellv1.Match) { m.Identity += strings.Repeat("\x01", 600<<10) }},
		"a time behind all times":                {bell, func(_ *trailbellv1.MatchBatch, m *trailbellv1.Match) { m.Time = math.MaxInt64 }},
		"a group without its fields":             {bell, func(_ *trailbellv1.MatchBatch, m *trailbellv1.Match) { m.Group = nil }},
		"a level that its chain does not have":   {chained, func(_ *trailbellv1.MatchBatch, m *trailbellv1.Match) { m.Counts[0].Level = 2 }},
		"a level beyond what a number can count": {chained, func(_ *trailbellv1.MatchBatch, m *trailbellv1.Match) { m.Counts[0].Level = math.MaxUint32 }},
	} {
		t.Run(name, func(t *testing.T) {
			s := natstest.Start(t, natstest.Limits())
			_, js := natstest.Connect(t, s)
			if _, err := js.Publish(t.Context(), streams.EventsSubject("111122223333", "us-east-1"), []byte("\xff no event batch")); err != nil {
				t.Fatal(err)
			}
			stop := run(t, s, ruleSet(t, c.rules), options(), "a")
			publish(t, js, "object", login{"id", 7, 0})
			settle(t, js)
			matches, err := js.Stream(t.Context(), streams.Matches)
			if err != nil {
				t.Fatal(err)
			}
			ours, err := matches.GetMsg(t.Context(), matches.CachedInfo().State.LastSeq)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 5 {
				var b trailbellv1.MatchBatch
				if err := proto.Unmarshal(ours.Data, &b); err != nil {
					t.Fatal(err)
				}
				b.Matches[0].Identity = fmt.Sprint("foreign-", i)
				c.spoil(&b, b.Matches[0])
				data, err := proto.Marshal(&b)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := js.Publish(t.Context(), ours.Subject, data); err != nil {
					t.Fatal(err)
				}
			}
			// So many that some are in the same partition.
			const addresses = 60
			for i := range 5 {
				var logins []login
				for address := range addresses {
					logins = append(logins, login{fmt.Sprint("id-", address, "-", i), 100 + address, i})
				}
				publish(t, js, fmt.Sprint("object-", i), logins...)
			}
			settle(t, js)
			stop()
			rang := map[string]bool{}
			for _, a := range final(t, js) {
				rang[a.Group["sourceIPAddress"]] = true
			}
			for address := range addresses {
				if !rang[fmt.Sprint("192.0.2.", 100+address)] {
					t.Errorf("nothing rang for address %d", 100+address)
				}
			}
		})
	}
}

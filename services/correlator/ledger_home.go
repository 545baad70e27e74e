package correlator

import (
	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/sigma/window"
)

// homes returns, for each alert, the episode that it belongs to, or none.
func (p *plan) homes(stored []alert.Alert) []int {
	// The anchors are few and the events may be many: one pass over the
	// events finds all anchors.
	anchored := make(map[string]int, len(stored))
	for _, a := range stored {
		anchored[a.Anchor] = none
	}
	for i, e := range p.episodes {
		for n := range e.Holding() {
			if _, ok := anchored[n.ID]; ok {
				anchored[n.ID] = i
			}
		}
	}
	homes := make([]int, len(stored))
	for i, a := range stored {
		homes[i] = anchored[a.Anchor]
		if homes[i] == none {
			homes[i] = p.meeting(a)
		}
		// The events decide only if all of them are there: episodes share
		// contributing events, and the one that the alert belongs to may be
		// forgotten.
		if homes[i] == none && len(p.episodes) > 0 && !p.forgot(a) {
			homes[i] = p.sharing(a)
		}
	}
	return homes
}

// meeting returns the latest episode whose run meets that of an alert. After a
// revision has been written for an episode, its run is that of the episode,
// and meets no other: runs do not overlap.
func (p *plan) meeting(a alert.Alert) int {
	for i := len(p.episodes) - 1; i >= 0; i-- {
		r := runOf(p.episodes[i])
		if r.First.Compare(a.Held.Last) <= 0 && r.Last.Compare(a.Held.First) >= 0 {
			return i
		}
	}
	return none
}

// sharing returns the episode that shares most of an alert's events; of
// several the earliest.
func (p *plan) sharing(a alert.Alert) int {
	listed := setOf(a.EventIDs)
	home, most := none, 0
	for i, e := range p.episodes {
		shared := 0
		for n := range e.Events() {
			if _, ok := listed[n.ID]; ok {
				shared++
			}
		}
		if shared > most {
			home, most = i, shared
		}
	}
	return home
}

// runOf returns from where to where the condition holds in an episode.
func runOf(e window.Episode) alert.Run {
	return alert.Run{First: markOf(e.FirstHeld()), Last: markOf(e.Last())}
}

func markOf(e window.Event) alert.Mark {
	return alert.Mark{Time: alert.Time(e.Time), EventID: e.ID}
}

package lister

import (
	"context"
	"strings"
)

// History publishes the days that Config.Since asks for and that lie before
// everything listed so far, each of them once, oldest first. It makes about
// limit requests and says whether it is through; then call it again, after a
// poll if one is due: what is happening now should not wait for last year. It
// works on the trails that polls have found.
//
// Unlike a poll it trusts the order of keys, and so remembers one key where a
// poll remembers them all: the days are behind the look-back, and nothing is
// delivered to them any more.
func (l *Lister) History(ctx context.Context, limit int) (Report, bool, error) {
	var r Report
	for _, dir := range sortedKeys(l.states) {
		s := l.states[dir]
		l.plan(s)
		for s.History != nil {
			if r.Requests >= limit {
				return r, false, nil
			}
			if err := l.past(ctx, s, limit, &r); err != nil {
				return r, false, err
			}
		}
	}
	return r, true, nil
}

// plan decides what is missing. Without a since a history that was begun is
// brought to its end, as a restart brings everything to its end.
func (l *Lister) plan(s *state) {
	since := l.since()
	switch {
	case since == "":
	case since >= s.From:
		s.History = nil
	case s.History == nil, since > s.History.reached(s.Dir):
		s.History = &history{From: since}
	}
	// A since before History.From comes next, once From has moved there.
}

// reached is the day that a history is at.
func (h *history) reached(dir string) date {
	if rest, ok := strings.CutPrefix(h.After, dir); ok && len(rest) > len(dateLayout) {
		return date(rest[:len(dateLayout)])
	}
	return h.From
}

// past lists the days before From until limit.
func (l *Lister) past(ctx context.Context, s *state, limit int, r *Report) error {
	h := s.History
	after := h.After
	if after == "" {
		after = s.Dir + string(h.From) + "/"
	}
	end := s.Dir + string(s.From) + "/" // the first that polls have listed
	first := r.Requests
	for page, err := range l.source.Objects(ctx, s.Dir, after) {
		r.Requests++
		if err != nil {
			return err
		}
		through := false
		for i, o := range page {
			if o.Key > end {
				page, through = page[:i], true
				break
			}
		}
		if len(page) > 0 {
			refs := r.logs(l.config.Bucket, page, nil)
			if len(refs) > 0 {
				if err := l.send(ctx, refs); err != nil {
					return err
				}
				r.publish(refs)
			}
			h.After = page[len(page)-1].Key
		}
		if through {
			break
		}
		if err := s.save(ctx, l.store); err != nil {
			return err
		}
		if r.Requests >= limit {
			return nil // the next call sees whether there is more
		}
	}
	if r.Requests == first {
		r.Requests++ // a listing of nothing
	}
	s.From, s.History = h.From, nil
	l.plan(s) // since may reach further back still
	return s.save(ctx, l.store)
}

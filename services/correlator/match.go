package correlator

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"
	"google.golang.org/protobuf/proto"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/stage"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
	"github.com/trailbell/trailbell/sigma"
)

// matcher is the stage: an event batch in; its detections, and its matches for
// the windows, out.
type matcher struct {
	rules      *sigma.Set
	partitions int
	limits     alert.Limits
	metrics    *metrics
}

// emitter takes what a batch gives: [stage.Output].
type emitter interface {
	Emit(ctx context.Context, p stage.Publication) error
	Dead(ctx context.Context, d *trailbellv1.DeadLetter) error
}

// buffers hold decompressed slices while their records are looked at.
// Whatever outlives that is copied.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func (m *matcher) match(ctx context.Context, msg stage.Message, out emitter) error {
	var b trailbellv1.EventBatch
	if err := proto.Unmarshal(msg.Data, &b); err != nil {
		return stage.Permanent(fmt.Errorf("not an event batch: %w", err))
	}
	candidates, some := m.candidates(&b)
	if some {
		if err := m.matchRecords(ctx, &b, candidates, msg, out); err != nil {
			return err
		}
	}
	// Last, so that what is tried again is not counted twice.
	m.metrics.records.Add(float64(len(b.GetStarts())))
	return nil
}

func (m *matcher) matchRecords(ctx context.Context, b *trailbellv1.EventBatch, candidates []sigma.Candidates, msg stage.Message, out emitter) error {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	data, err := s2.Decode(*buffer, b.GetRecords())
	if err != nil {
		return stage.Permanent(fmt.Errorf("event batch of %s/%s: %w", b.GetObject().GetBucket(), b.GetObject().GetKey(), err))
	}
	*buffer = data[:cap(data)]
	w := &matches{batch: b, id: msg.ID, sequence: msg.Sequence, partitions: m.partitions, byPartition: map[int]*part{}}
	var hits []*sigma.CompiledRule
	for i, start := range b.GetStarts() {
		c := candidates[b.GetTypeIndex()[i]]
		if c.Len() == 0 {
			continue
		}
		record := data[start : start+b.GetLengths()[i]]
		hits = c.AppendMatches(hits[:0], record)
		for _, rule := range hits {
			m.metrics.matches.WithLabelValues(label(rule.Meta())).Inc()
			if rule.Alerts() {
				if err := m.detect(ctx, rule, b, i, record, out); err != nil {
					return err
				}
			}
		}
		w.add(hits, i, record)
	}
	return w.emit(ctx, out)
}

// candidates asks the index once a distinct type of the batch.
func (m *matcher) candidates(b *trailbellv1.EventBatch) ([]sigma.Candidates, bool) {
	all := make([]sigma.Candidates, len(b.GetTypes()))
	some := false
	for i, t := range b.GetTypes() {
		all[i] = m.rules.Candidates(t.GetSource(), t.GetName())
		some = some || all[i].Len() > 0
	}
	return all, some
}

func (m *matcher) detect(ctx context.Context, rule *sigma.CompiledRule, b *trailbellv1.EventBatch, i int, record []byte, out emitter) error {
	a := alert.Detection(ruleOf(rule.Meta()), b.GetIdentities()[i], b.GetTimes()[i], record,
		alert.Object{Bucket: b.GetObject().GetBucket(), Key: b.GetObject().GetKey()}, m.limits, time.Now())
	p, err := publication(&a, streams.AlertsSubject(a.Rule.Level, label(rule.Meta()), a.Account, a.Region, detectionGroup))
	if err != nil {
		return err
	}
	p.ID = a.ID
	return out.Emit(ctx, p)
}

// detectionGroup stands where a correlation has its group.
const detectionGroup = "-"

// label is the name under which a rule is known to people: in subjects and
// metrics.
func label(m *sigma.Meta) string {
	if m.Name != "" {
		return m.Name
	}
	return m.ID
}

func ruleOf(m *sigma.Meta) alert.Rule {
	return alert.Rule{
		ID: m.ID, Name: m.Name, Title: m.Title, Level: m.Level.String(),
		Tags: m.Tags, FalsePositives: m.FalsePositives, References: m.References,
	}
}

const (
	// maxMatches is about how many bytes of matches stand in one message.
	maxMatches = streams.MaxMatches / 4
	// maxMatch bounds one match. Group values come out of records and may be as
	// long as they are.
	maxMatch = streams.MaxMatches / 2
)

// matches collects the matches of a batch by partition.
type matches struct {
	batch       *trailbellv1.EventBatch
	id          string
	sequence    uint64
	partitions  int
	byPartition map[int]*part
	tooLarge    []tooLarge
	fed         []*sigma.CompiledCorrelation
	hits        []sigma.Hit
}

// tooLarge is a match that no message has room for.
type tooLarge struct {
	correlation string
	record      uint32
	size        int
}

// part is what goes to one partition: one message, or several if need be.
type part struct {
	messages []*trailbellv1.MatchBatch
	size     int // of the last message, about, in bytes
}

// add adds what a record gives to the correlations that its rules feed.
func (w *matches) add(matched []*sigma.CompiledRule, i int, record []byte) {
	w.fed = w.fed[:0]
	for _, rule := range matched {
		for _, c := range rule.Feeds() {
			if slices.Contains(w.fed, c) {
				continue // one match a record, which says all of its rules
			}
			w.fed = append(w.fed, c)
			w.hits = c.Hits(w.hits[:0], matched, record)
			for _, h := range w.hits {
				w.put(matchOf(c, h, w.batch, i), label(c.Meta()))
			}
		}
	}
}

func matchOf(c *sigma.CompiledCorrelation, h sigma.Hit, b *trailbellv1.EventBatch, i int) *trailbellv1.Match {
	m := &trailbellv1.Match{
		Correlation: c.Meta().ID, Definition: c.Fingerprint(), Group: h.Key,
		Identity: b.GetIdentities()[i], Time: b.GetTimes()[i], Record: uint32(i),
	}
	if !c.Chained() {
		m.Inputs, m.Values = h.Counts[0].Inputs, h.Counts[0].Values
		return m
	}
	for _, n := range h.Counts {
		m.Counts = append(m.Counts, &trailbellv1.Count{Level: uint32(n.Level), Group: n.Group, Inputs: n.Inputs, Values: n.Values})
	}
	return m
}

func (w *matches) put(m *trailbellv1.Match, correlation string) {
	size := proto.Size(m)
	if size > maxMatch {
		w.tooLarge = append(w.tooLarge, tooLarge{correlation, m.GetRecord(), size})
		return
	}
	n := streams.Partition(streams.GroupOf(m.GetCorrelation(), m.GetGroup()), w.partitions)
	p := w.byPartition[n]
	if p == nil {
		p = &part{}
		w.byPartition[n] = p
	}
	if len(p.messages) == 0 || p.size+size > maxMatches {
		p.messages = append(p.messages, &trailbellv1.MatchBatch{Object: w.batch.GetObject(), EventsSequence: w.sequence})
		p.size = 0
	}
	last := p.messages[len(p.messages)-1]
	last.Matches = append(last.Matches, m)
	p.size += size
}

func (w *matches) emit(ctx context.Context, out emitter) error {
	for _, m := range w.tooLarge {
		err := out.Dead(ctx, &trailbellv1.DeadLetter{
			Reason: fmt.Sprintf("does not count for correlation %s: its group and values take %d bytes, and a match at most %d", m.correlation, m.size, maxMatch),
			Object: w.batch.GetObject(), Offset: proto.Uint64(w.batch.GetOffset() + uint64(w.batch.GetStarts()[m.record])),
		})
		if err != nil {
			return err
		}
	}
	for _, n := range slices.Sorted(maps.Keys(w.byPartition)) {
		for _, b := range w.byPartition[n].messages {
			data, err := proto.MarshalOptions{Deterministic: true}.Marshal(b)
			if err != nil {
				return stage.Permanent(fmt.Errorf("encode matches: %w", err))
			}
			err = out.Emit(ctx, stage.Publication{
				Stream: streams.Matches, Subject: streams.MatchesSubject(n),
				ID: streams.MatchesID(w.id, n, data), Data: data,
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

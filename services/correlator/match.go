package correlator

import (
	"context"
	"fmt"
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
	metrics    *metrics
}

// buffers hold decompressed slices while their records are looked at.
// Whatever outlives that is copied.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func (m *matcher) match(ctx context.Context, msg stage.Message, out *stage.Output) error {
	var b trailbellv1.EventBatch
	if err := proto.Unmarshal(msg.Data, &b); err != nil {
		return stage.Permanent(fmt.Errorf("not an event batch: %w", err))
	}
	m.metrics.records.Add(float64(len(b.GetStarts())))
	candidates, any := m.candidates(&b)
	if !any {
		return nil
	}
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	data, err := s2.Decode(*buffer, b.GetRecords())
	if err != nil {
		return stage.Permanent(fmt.Errorf("event batch of %s/%s: %w", b.GetObject().GetBucket(), b.GetObject().GetKey(), err))
	}
	*buffer = data[:cap(data)]
	w := &matches{batch: &b, id: msg.ID, sequence: msg.Sequence, partitions: m.partitions, byPartition: map[int]*trailbellv1.MatchBatch{}}
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
				if err := m.detect(ctx, rule, &b, i, record, out); err != nil {
					return err
				}
			}
			for _, c := range rule.Feeds() {
				w.add(c, i, record)
			}
		}
	}
	return w.emit(ctx, out)
}

// candidates asks the index once a distinct type of the batch.
func (m *matcher) candidates(b *trailbellv1.EventBatch) ([]sigma.Candidates, bool) {
	all := make([]sigma.Candidates, len(b.GetTypes()))
	any := false
	for i, t := range b.GetTypes() {
		all[i] = m.rules.Candidates(t.GetSource(), t.GetName())
		any = any || all[i].Len() > 0
	}
	return all, any
}

func (m *matcher) detect(ctx context.Context, rule *sigma.CompiledRule, b *trailbellv1.EventBatch, i int, record []byte, out *stage.Output) error {
	a := alert.Detection(ruleOf(rule.Meta()), b.GetIdentities()[i], b.GetTimes()[i], record,
		alert.Object{Bucket: b.GetObject().GetBucket(), Key: b.GetObject().GetKey()}, time.Now())
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

// matches collects the matches of a batch by partition.
type matches struct {
	batch       *trailbellv1.EventBatch
	id          string
	sequence    uint64
	partitions  int
	byPartition map[int]*trailbellv1.MatchBatch
	values      []string
}

func (w *matches) add(c *sigma.CompiledCorrelation, i int, record []byte) {
	values, ok := c.Group(record, w.values[:0])
	w.values = values
	if !ok {
		return // a record that lacks a group-by field does not count
	}
	group := append([]string(nil), values...)
	p := streams.Partition(streams.GroupID(c.Meta().ID, group), w.partitions)
	b := w.byPartition[p]
	if b == nil {
		b = &trailbellv1.MatchBatch{Object: w.batch.GetObject(), EventsSequence: w.sequence}
		w.byPartition[p] = b
	}
	b.Matches = append(b.Matches, &trailbellv1.Match{
		Correlation: c.Meta().ID, Group: group,
		Identity: w.batch.GetIdentities()[i], Time: w.batch.GetTimes()[i], Record: uint32(i),
	})
}

func (w *matches) emit(ctx context.Context, out *stage.Output) error {
	for p := range w.partitions {
		b := w.byPartition[p]
		if b == nil {
			continue
		}
		data, err := proto.MarshalOptions{Deterministic: true}.Marshal(b)
		if err != nil {
			return stage.Permanent(fmt.Errorf("encode matches: %w", err))
		}
		err = out.Emit(ctx, stage.Publication{
			Stream: streams.Matches, Subject: streams.MatchesSubject(p),
			ID: streams.MatchesID(w.id, p, data), Data: data,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

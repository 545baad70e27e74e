package stage

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailbell/trailbell/internal/streams"
)

// Metrics of one stage.
type Metrics struct {
	messages   *prometheus.CounterVec // by result
	published  *prometheus.CounterVec // by stream
	duplicates *prometheus.CounterVec // by stream
	bytes      *prometheus.CounterVec // by stream
	blocked    *prometheus.CounterVec // by stream
	dead       prometheus.Counter
	lost       *prometheus.CounterVec // by stream
	inFlight   prometheus.Gauge
	seconds    prometheus.Histogram
}

// results of a message
const (
	done    = "done"
	failed  = "failed"
	retried = "retried"
	given   = "given_back"
)

// NewMetrics registers the metrics of a stage that publishes to the given
// streams.
func NewMetrics(r prometheus.Registerer, stage string, targets ...string) *Metrics {
	r = prometheus.WrapRegistererWith(prometheus.Labels{"stage": stage}, r)
	r = prometheus.WrapRegistererWithPrefix("trailbell_stage_", r)
	vec := func(name, help string, label string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
		r.MustRegister(v)
		return v
	}
	m := &Metrics{
		messages:   vec("messages_total", "Inputs, by what became of them.", "result"),
		published:  vec("published_total", "Messages stored, by stream.", "stream"),
		duplicates: vec("duplicates_total", "Messages that a stream knew already, by stream.", "stream"),
		bytes:      vec("published_bytes_total", "Bytes stored, by stream.", "stream"),
		blocked:    vec("blocked_total", "Publishes that a full stream refused, by stream.", "stream"),
		lost:       vec("lost_total", "Messages that a stream dropped before a required reader had read them, by stream.", "stream"),
		dead:       prometheus.NewCounter(prometheus.CounterOpts{Name: "dead_letters_total", Help: "Dead letters."}),
		inFlight:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "in_flight", Help: "Inputs that are held and not yet acknowledged."}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "seconds", Help: "Time from taking an input to everything it caused being durable.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
	}
	r.MustRegister(m.dead, m.inFlight, m.seconds)
	for _, result := range []string{done, failed, retried, given} {
		m.messages.WithLabelValues(result)
	}
	for _, t := range append(targets, streams.Dead) {
		m.published.WithLabelValues(t)
		m.duplicates.WithLabelValues(t)
		m.bytes.WithLabelValues(t)
		m.blocked.WithLabelValues(t)
		m.lost.WithLabelValues(t)
	}
	return m
}

// Lost returns what tells an operator that a stream dropped messages before a
// required reader had read them.
func (m *Metrics) Lost(log *slog.Logger, stream string) func(n uint64) {
	return func(n uint64) {
		m.lost.WithLabelValues(stream).Add(float64(n))
		log.Error("a stream dropped messages that had not been read; it is too small", "stream", stream, "messages", n)
	}
}

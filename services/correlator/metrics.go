package correlator

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailbell/trailbell/sigma"
)

type metrics struct {
	records prometheus.Counter
	matches *prometheus.CounterVec // by rule

	groups     prometheus.Gauge
	events     prometheus.Gauge
	folded     prometheus.Counter
	repeats    prometheus.Counter
	outdated   prometheus.Counter
	evicted    prometheus.Counter
	revisions  *prometheus.CounterVec // by correlation
	conflicts  prometheus.Counter
	late       prometheus.Counter
	owned      prometheus.Gauge
	rebuilding prometheus.Gauge
}

func newMetrics(r prometheus.Registerer, rules *sigma.Set) *metrics {
	r = prometheus.WrapRegistererWithPrefix("trailbell_correlator_", r)
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		r.MustRegister(c)
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		r.MustRegister(g)
		return g
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
		r.MustRegister(v)
		return v
	}
	m := &metrics{
		records:    counter("records_total", "Records that the rules have seen."),
		matches:    vec("matches_total", "Records that a rule matched, by rule.", "rule"),
		groups:     gauge("groups", "Groups of correlations that are remembered."),
		events:     gauge("events", "Events of correlations that are remembered, and their values and places in chains."),
		folded:     counter("folded_total", "Matches folded into groups."),
		repeats:    counter("repeats_total", "Matches that a group knew already."),
		outdated:   counter("outdated_total", "Matches passed over because their correlation is not there any more or defined in another way."),
		evicted:    counter("evicted_total", "Events forgotten early because there were too many."),
		revisions:  vec("revisions_total", "Revisions of alerts written, by correlation.", "correlation"),
		conflicts:  counter("conflicts_total", "Revisions refused because another owner wrote first."),
		late:       counter("late_total", "Matches that arrived later than the horizon after they happened, and count with what arrived within the horizon of them only."),
		owned:      gauge("partitions", "Partitions of the windows that this process owns."),
		rebuilding: gauge("partitions_rebuilding", "Partitions of these that are being rebuilt from the log."),
	}
	for _, rule := range rules.Rules() {
		m.matches.WithLabelValues(label(rule.Meta()))
	}
	for _, c := range rules.Correlations() {
		m.revisions.WithLabelValues(label(c.Meta()))
	}
	return m
}

package lister

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	polls, requests, listed, found, ignored *prometheus.CounterVec
	failing, newest                         *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) metrics {
	r = prometheus.WrapRegistererWithPrefix("trailbell_lister_", r)
	counter := func(name, help string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"bucket"})
		r.MustRegister(v)
		return v
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"bucket"})
		r.MustRegister(v)
		return v
	}
	return metrics{
		polls:    counter("polls_total", "Polls of a bucket, failed ones included."),
		requests: counter("requests_total", "Listing requests, without retries."),
		listed:   counter("listed_total", "Keys that listings returned."),
		found:    counter("found_total", "Log objects that were new."),
		ignored:  counter("ignored_total", "Keys that are no logs of CloudTrail."),
		failing:  gauge("failing", "1 while the last poll failed."),
		newest:   gauge("newest_object_timestamp_seconds", "Delivery time of the newest log object."),
	}
}

// bucketMetrics are the metrics of one bucket.
type bucketMetrics struct {
	polls, requests, listed, found, ignored prometheus.Counter
	failing, newest                         prometheus.Gauge
}

func (m metrics) of(bucket string) bucketMetrics {
	return bucketMetrics{
		polls: m.polls.WithLabelValues(bucket), requests: m.requests.WithLabelValues(bucket),
		listed: m.listed.WithLabelValues(bucket), found: m.found.WithLabelValues(bucket),
		ignored: m.ignored.WithLabelValues(bucket), failing: m.failing.WithLabelValues(bucket),
		newest: m.newest.WithLabelValues(bucket),
	}
}

func (m bucketMetrics) observe(r Report, err error) {
	m.polls.Inc()
	m.requests.Add(float64(r.Requests))
	m.listed.Add(float64(r.Listed))
	m.found.Add(float64(r.New))
	m.ignored.Add(float64(r.Ignored))
	if !r.Newest.IsZero() {
		m.newest.Set(float64(r.Newest.UnixNano()) / float64(time.Second))
	}
	if err != nil && !isEmpty(err) {
		m.failing.Set(1)
	} else {
		m.failing.Set(0)
	}
}

// Package streams is the one place that knows how Trailbell uses JetStream:
// the names of its streams, the subjects, the limits, the durable consumers
// that must exist, and the message ids that make a repeat a duplicate.
//
// Everything here is idempotent: whoever starts first creates the streams, and
// several may start at once.
package streams

// Package stage is the shell around a stage of the pipeline: it pulls messages
// from a durable consumer, keeps them alive while they are worked on, publishes
// what they cause, and acknowledges them when that is durable. It is the only
// package that acknowledges and publishes.
//
// A stage itself is a [Func]: it emits as it goes and does no queue work. What
// it returns says what becomes of its input:
//
//	nil             acknowledged, once everything it emitted was
//	Permanent(err)  a dead letter, then acknowledged
//	RetryAfter(d)   tried again after d
//	another error   tried again, after a delay that grows
//
// An error while the stage stops is none of these: the input is given back.
package stage

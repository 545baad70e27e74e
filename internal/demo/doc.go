// Package demo shows Trailbell at work on one machine, without AWS, NATS,
// configuration or network: it grows a trail with planted attacks into an S3
// server of this process, runs the services of `trailbell up` on it, and says
// whether what was planted was found.
//
//	scenario -> store (S3, in memory) -> app.Up -> tally -> summary
//	    \________________ planted ___________________/
package demo

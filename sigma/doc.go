// Package sigma reads Sigma rules and matches them against AWS CloudTrail
// records.
//
// The language is that of the Sigma specification 2.1
// (https://sigmahq.io/sigma-specification/). The part of it that this version
// knows, and how it reads what the specification leaves open, is written down
// in docs/rules.md of the repository; what it does not know it refuses with an
// error that names the file, the line and the column.
//
// The way of a rule is
//
//	YAML --Load--> Collection (syntax trees) --Compile--> Set --Candidates--> matches
//
// A [Collection] is plain data that may be merged, filtered and printed. A
// [Set] is immutable and safe for concurrent use; it holds compiled matchers
// and an index by eventSource and eventName, so that a record meets only rules
// that could match it.
//
// The package does no network I/O and never reads the clock.
package sigma

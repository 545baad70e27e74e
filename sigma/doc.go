// Package sigma reads Sigma rules, correlations and filters, and matches them
// against AWS CloudTrail records.
//
// The language is that of the Sigma specification 2.1
// (https://sigmahq.io/sigma-specification/). How it reads what the
// specification leaves open is written down in docs/rules.md of the
// repository; what it does not know it refuses with an error that names the
// file, the line and the column.
//
// The way of a rule is
//
//	YAML --Load--> Collection --Compile--> Set
//	               Rules                   Rules
//	               Correlations            Correlations
//	               Filters                 Warnings, Skipped
//	               Skipped, Broken
//
// and that of a record
//
//	record --Set.Candidates--> Candidates --AppendMatches--> []*CompiledRule
//	                                                              |
//	                              CompiledRule.Alerts: an alert --+-- CompiledRule.Feeds
//	                                                                       |
//	                                            CompiledCorrelation.Hits --+
//	                                                 |
//	                 window.Group or window.Chain  <-+  one for each Hit.Key
//	                       |
//	                   episodes: alerts
//
// A [Collection] is plain data that may be merged, filtered and printed. A
// [Set] is immutable and safe for concurrent use; it holds compiled matchers
// and an index by eventSource and eventName, so that a record meets only rules
// that could match it. What a correlation counts, package window decides;
// package correlate puts the two together for records in memory.
//
// For the authors of rules there are [Set.Warnings], about what runs and may
// not do what was meant, [Set.Explain], about why a rule matches a record or
// does not, and package ruletest, which runs the tests that stand beside rules.
//
// The package does no network I/O and never reads the clock.
package sigma

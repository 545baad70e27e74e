// Package generator grows CloudTrail trails from a seed: log objects as S3
// would hold them, with attacks planted at known places. The same options give
// the same bytes. It is pure: no network, no queue, no clock.
//
// Sizes, shares and compression follow what was measured over real logs (see
// TestTrailLooksLikeARealOne). Account numbers, addresses and names are those
// that are reserved for documentation.
package generator

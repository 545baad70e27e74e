// Package bench measures what Trailbell costs beside the least that anybody
// could pay: decompressing the same objects and doing nothing with them.
//
// Each measurement is a process of its own, so that its CPU time and its peak
// of memory are those of the measured and not of the measurer:
//
//	parent            grows trails into a temporary directory, starts children
//	  child floor     gunzip of every file, one after the other
//	  child scan      the code of `trailbell scan` over the directory
//
// A child prints its Sample as JSON.
package bench

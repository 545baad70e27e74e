//go:build !race

package sigma

import (
	"encoding/json"
	"strings"
	"testing"
)

// Not under -race, where sync.Pool drops what it is given at random.
func TestReadingsThatMatchNothingCostNoAllocation(t *testing.T) {
	for _, item := range []string{
		`ip|cidr: 192.168.0.0/16`, `ips|cidr: 192.168.0.0/16`, `service|cidr: 10.0.0.0/8`,
		`huge|gt: 9007199254740993`, `object|lt: 1`, `time|hour: 3`, `not_time|week: 3`,
		`user|fieldref: other`, `users|fieldref|contains: longname`, `powershell|wide|base64offset|contains: nothing`,
		`command|windash|contains: -in`, `user|neq: alice`, `team|expand: '%many%'`, `user|re: 'z$'`,
		`missing.more.still: x`, `object.s.t: x`, `requestParameters: x`, `escaped: nothing`, `nested.escaped: [x, y]`, `nested|contains: nothing`,
		`'|all': [nothing, here]`,
	} {
		_, set := compileDetection(t, "  sel:\n    "+item+"\n  condition: sel\n")
		record := []byte(strings.TrimRight(modified, " }") + `, "escaped": "a \"quoted\" text", "nested": {"es\u0063aped": "C:\\\\dir\n"}}`)
		if !json.Valid(record) {
			t.Fatal("not a record")
		}
		candidates := set.Candidates("ec2.amazonaws.com", "RunInstances")
		if got := candidates.AppendMatches(nil, record); len(got) != 0 { // fills the pool
			t.Errorf("%s matches", item)
		}
		// A garbage collection may empty the pool once in between.
		if n := testing.AllocsPerRun(200, func() { candidates.AppendMatches(nil, record) }); n >= 1 {
			t.Errorf("%s: %v allocations", item, n)
		}
	}
}

package check

import (
	"fmt"
	"testing"

	"github.com/trailbell/trailbell/services/lister"
)

func TestOfManyTrailsAFewAreChosenOverAllAccounts(t *testing.T) {
	trails := func(accounts int, regions ...string) (all []lister.Trail) {
		for i := range accounts {
			for _, r := range regions {
				all = append(all, lister.Trail{Account: fmt.Sprintf("%012d", i), Region: r})
			}
		}
		return all
	}
	for _, c := range []struct {
		name             string
		trails           []lister.Trail
		chosen, accounts int
		global           int
	}{
		{"none", nil, 0, 0, 0},
		{"few", trails(2, "eu-west-1", "us-east-1"), 4, 2, 2},
		{"many regions", trails(1, "a-1", "b-1", "c-1", "us-east-1"), 4, 1, 1},
		{"many accounts", trails(100, "eu-west-1", "us-east-1"), mostTrails, mostTrails, mostTrails},
		{"many accounts without the global region", trails(100, "eu-west-1", "eu-west-2"), mostTrails, mostTrails, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			chosen := choose(c.trails)
			accounts, global := map[string]bool{}, 0
			seen := map[lister.Trail]bool{}
			for _, trail := range chosen {
				accounts[trail.Account] = true
				if trail.Region == globalRegion {
					global++
				}
				if seen[trail] {
					t.Errorf("%v was chosen twice", trail)
				}
				seen[trail] = true
			}
			if len(chosen) != c.chosen || len(accounts) != c.accounts || global != c.global {
				t.Errorf("%d trails of %d accounts, %d in %s; want %d of %d, %d", len(chosen), len(accounts), global, globalRegion, c.chosen, c.accounts, c.global)
			}
		})
	}
}

package generator

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Attack is something to plant.
type Attack string

// What can be planted.
const (
	// FailedLogins are two failed console logins: too few for a brute force.
	FailedLogins Attack = "failed logins"
	// SuccessfulLogin is a console login with MFA.
	SuccessfulLogin Attack = "successful login"
	// LoginWithoutMFA is a console login of an IAM user without MFA.
	LoginWithoutMFA Attack = "login without MFA"
	// BruteForce is five failed logins to one account from one address within
	// 360 s.
	BruteForce Attack = "brute force from one address"
	// BruteForceAtBorder is the same with the first and the fifth exactly 360 s
	// apart, which is inside.
	BruteForceAtBorder Attack = "brute force, 360 s apart"
	// SlowFailures are five failed logins of which the first and the fifth are
	// 361 s apart, so that no brute force may ring.
	SlowFailures Attack = "five failed logins, 361 s apart"
	// BruteForceSpread is five failed logins to one account from five addresses
	// within 360 s.
	BruteForceSpread Attack = "brute force from five addresses"
	// RunInstances and TerminateInstances are one such call each.
	RunInstances       Attack = "RunInstances"
	TerminateInstances Attack = "TerminateInstances"
	// StopLogging and the next three are one call each that blinds a trail.
	StopLogging       Attack = "StopLogging"
	DeleteTrail       Attack = "DeleteTrail"
	UpdateTrail       Attack = "UpdateTrail"
	PutEventSelectors Attack = "PutEventSelectors"
	// RootWithoutMFA is a console login of the root user without MFA, and a call
	// of it.
	RootWithoutMFA Attack = "root without MFA"
	// OpenSecurityGroup opens a security group to all of IPv4, then another to
	// all of IPv6.
	OpenSecurityGroup Attack = "security group opened to the world"
)

// Attacks is all that can be planted, in the order above.
func Attacks() []Attack {
	return []Attack{
		FailedLogins, SuccessfulLogin, LoginWithoutMFA, BruteForce, BruteForceAtBorder, SlowFailures, BruteForceSpread,
		RunInstances, TerminateInstances, StopLogging, DeleteTrail, UpdateTrail, PutEventSelectors, RootWithoutMFA, OpenSecurityGroup,
	}
}

// Planted is one alert that a trail has to ring, by the shipped rules.
type Planted struct {
	// Attack is what it is a part of.
	Attack Attack
	// Rule is the name of the rule that has to ring.
	Rule string
	// EventIDs are the records that it has to name, by their time: one for a
	// detection, all of the episode for a correlation.
	EventIDs []string
	// Account and Region are those of the records.
	Account, Region string
	// SourceIP is the address of the records; empty when there are several.
	SourceIP string
	// First and Last are the times of the first record and of the last.
	First, Last time.Time
}

// call is a kind of planted record.
type call uint8

const (
	failedLogin call = iota
	loginWithMFA
	loginWithoutMFA
	rootLogin
	rootCall
	runInstances
	terminateInstances
	stopLogging
	deleteTrail
	updateTrail
	putEventSelectors
	openToIPv4
	openToIPv6
)

// rings is which shipped rules every single record of a kind rings. What five
// of them ring together is in correlations.
var rings = [...][]string{
	failedLogin:        {"console_login_failure"},
	loginWithMFA:       {"console_login_success"},
	loginWithoutMFA:    {"console_login_success", "console_login_without_mfa"},
	rootLogin:          {"console_login_success", "console_login_without_mfa", "root_activity", "root_console_login_without_mfa"},
	rootCall:           {"root_activity"},
	runInstances:       {"run_instances"},
	terminateInstances: {"terminate_instances"},
	stopLogging:        {"trail_tampering"},
	deleteTrail:        {"trail_tampering"},
	updateTrail:        {"trail_changed"},
	putEventSelectors:  {"trail_changed"},
	openToIPv4:         {"security_group_open_to_world"},
	openToIPv6:         {"security_group_open_to_world"},
}

// correlations is which shipped correlations all records of an attack ring
// together.
var correlations = map[Attack][]string{
	BruteForce:         {"console_brute_force", "console_brute_force_account"},
	BruteForceAtBorder: {"console_brute_force", "console_brute_force_account"},
	BruteForceSpread:   {"console_brute_force_account"},
}

// spacing is how far apart two attacks on one account are at least, so that no
// window holds records of both.
const spacing = 15 * time.Minute

// longest is how long an attack lasts at most.
const longest = 361 * time.Second

// event is a planted record.
type event struct {
	call   call
	at     int64 // seconds since the Unix epoch
	id     string
	source string
	user   int // of people
	number int // of the record within its attack
}

// plan lays out an attack that begins at a time.
func (a Attack) plan(r *rand.Rand, start time.Time, number int) ([]event, error) {
	at := start.Unix()
	var events []event
	add := func(c call, after int64, source string) {
		events = append(events, event{
			call: c, at: at + after, id: string(appendUUID(nil, r)), source: source,
			user: number % len(people), number: len(events),
		})
	}
	// An address an attack.
	source := attacker(number)
	failures := func(last int64, source func(i int) string) {
		for i, after := range []int64{0, last / 5, last / 2, last * 4 / 5, last} {
			if after != 0 && after != last {
				after += r.Int64N(10)
			}
			add(failedLogin, after, source(i))
		}
	}
	one := func(int) string { return source }
	switch a {
	case FailedLogins:
		add(failedLogin, 0, source)
		add(failedLogin, 40, source)
	case SuccessfulLogin:
		add(loginWithMFA, 0, source)
	case LoginWithoutMFA:
		add(loginWithoutMFA, 0, source)
	case BruteForce:
		failures(120+r.Int64N(180), one)
	case BruteForceAtBorder:
		failures(360, one)
	case SlowFailures:
		failures(361, one)
	case BruteForceSpread:
		failures(120+r.Int64N(180), func(i int) string { return attacker(number + 50*i) })
	case RunInstances:
		add(runInstances, 0, source)
	case TerminateInstances:
		add(terminateInstances, 0, source)
	case StopLogging:
		add(stopLogging, 0, source)
	case DeleteTrail:
		add(deleteTrail, 0, source)
	case UpdateTrail:
		add(updateTrail, 0, source)
	case PutEventSelectors:
		add(putEventSelectors, 0, source)
	case RootWithoutMFA:
		add(rootLogin, 0, source)
		add(rootCall, 75, source)
	case OpenSecurityGroup:
		add(openToIPv4, 0, source)
		add(openToIPv6, 30, source)
	default:
		return nil, fmt.Errorf("there is no attack %q; see generator.Attacks", string(a))
	}
	return events, nil
}

// attacker gives an address out of the range that nobody else is in.
func attacker(number int) string { return fmt.Sprintf("203.0.113.%d", 1+number%250) }

// planted says what the events of an attack have to ring.
func (a Attack) planted(events []event, account, region string) []Planted {
	of := func(rule string, events ...event) Planted {
		p := Planted{
			Attack: a, Rule: rule, Account: account, Region: region, SourceIP: events[0].source,
			First: time.Unix(events[0].at, 0).UTC(), Last: time.Unix(events[len(events)-1].at, 0).UTC(),
		}
		for _, e := range events {
			p.EventIDs = append(p.EventIDs, e.id)
			if e.source != p.SourceIP {
				p.SourceIP = ""
			}
		}
		return p
	}
	var all []Planted
	for _, e := range events {
		for _, rule := range rings[e.call] {
			all = append(all, of(rule, e))
		}
	}
	for _, rule := range correlations[a] {
		all = append(all, of(rule, events...))
	}
	return all
}

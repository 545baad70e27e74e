package demo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/trailbell/trailbell/internal/cloudtrail"
	"github.com/trailbell/trailbell/internal/generator"
)

// span is how far back the trail reaches: inside the look-back of `up`, so that
// its default start finds all of it.
const span = 47 * time.Hour

// attacks are planted in this order. A person reads all the alerts, so there
// are not as many of them as the generator knows.
var attacks = []generator.Attack{
	generator.FailedLogins, generator.SuccessfulLogin,
	generator.RunInstances, generator.BruteForce,
	generator.TerminateInstances, generator.BruteForceSpread,
	generator.StopLogging, generator.OpenSecurityGroup,
	generator.RootWithoutMFA,
}

// scenario is the trail of the demo. One object of it, without which a brute
// force cannot ring, arrives late.
type scenario struct {
	planted []generator.Planted
	first   []generator.Object
	late    generator.Object
	// before is how many objects of the first wave, of the same day, sort
	// behind the late one.
	before int
	bytes  int64
}

func newScenario(seed uint64, records int, now time.Time) (*scenario, error) {
	trail, err := generator.New(generator.Options{
		Seed: seed, Records: records, Start: now.Add(-span), End: now,
		Accounts: []string{"111122223333", "444455556666"},
		Regions:  []string{"us-east-1", "eu-west-1"},
		Attacks:  attacks,
	})
	if err != nil {
		return nil, err
	}
	s := &scenario{planted: trail.Planted(), first: slices.Collect(trail.Objects())}
	for _, o := range s.first {
		s.bytes += int64(len(o.Body))
	}
	return s, s.holdBack()
}

// holdBack takes an object out of the first wave: one that a brute force needs,
// and that sorts before others of its day. A lister that trusted the order of
// the keys would never see it.
func (s *scenario) holdBack() error {
	for _, p := range s.planted {
		if p.Attack != generator.BruteForce || len(p.EventIDs) < 2 {
			continue
		}
		for i, o := range s.first {
			part, err := holdsAny(o, p)
			if err != nil {
				return err
			}
			if !part {
				continue
			}
			if n := s.sortBehind(o.Key); n > 0 {
				s.late, s.before = o, n
				s.first = slices.Delete(s.first, i, i+1)
				return nil
			}
		}
	}
	return errors.New("the trail has no object to hold back")
}

// sortBehind counts the objects of the same day that sort behind a key.
func (s *scenario) sortBehind(key string) int {
	k, err := cloudtrail.ParseKey(key)
	if err != nil {
		return 0
	}
	n := 0
	for _, o := range s.first {
		if o.Key > key && len(o.Key) > len(k.DayDir()) && o.Key[:len(k.DayDir())] == k.DayDir() {
			n++
		}
	}
	return n
}

// holdsAny reports whether an object holds a record of what was planted.
func holdsAny(o generator.Object, p generator.Planted) (bool, error) {
	k, err := cloudtrail.ParseKey(o.Key)
	if err != nil {
		return false, err
	}
	// Records are delivered after they happen, and not much later.
	if k.Account != p.Account || k.Region != p.Region || k.Delivered.Before(p.First) || k.Delivered.After(p.Last.Add(time.Hour)) {
		return false, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(o.Body))
	if err != nil {
		return false, fmt.Errorf("%s: %w", o.Key, err)
	}
	content, err := io.ReadAll(z)
	if err != nil {
		return false, fmt.Errorf("%s: %w", o.Key, err)
	}
	return slices.ContainsFunc(p.EventIDs, func(id string) bool { return bytes.Contains(content, []byte(id)) }), nil
}

// Package check looks at everything that Trailbell needs before it is started:
// configuration, rules, NATS, and each bucket from the credentials to the
// newest object. It changes nothing, neither in a bucket, nor on a server, nor
// on the disk.
package check

// Status is how a check came out.
type Status int

const (
	// OK is as it should be.
	OK Status = iota
	// Odd works, and may not be what was meant.
	Odd
	// Failed does not work; the text says what to try.
	Failed
	// Skipped was not looked at; the text says why.
	Skipped
)

// Item is one line of a checklist.
type Item struct {
	Status Status
	// Name is a word or two.
	Name string
	// Text is a sentence without its full stop. It may hold what others have
	// written, such as folders of a bucket: Section.Format makes it safe.
	Text string
}

// Section is the part of a checklist that is about one thing.
type Section struct {
	Title string
	Items []Item
}

// Failed reports how many checks of the section failed.
func (s Section) Failed() int { return s.count(Failed) }

// Odd reports how many checks of the section came out as odd.
func (s Section) Odd() int { return s.count(Odd) }

func (s Section) count(status Status) int {
	n := 0
	for _, i := range s.Items {
		if i.Status == status {
			n++
		}
	}
	return n
}

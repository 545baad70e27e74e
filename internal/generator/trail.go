package generator

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/trailbell/trailbell/internal/cloudtrail"
)

// Options say which trail to grow.
type Options struct {
	// Seed decides everything that the other options leave open.
	Seed uint64
	// Records is how many there are in all, planted ones included.
	Records int
	// RecordsPerFile is how many are in one object; the objects that planted
	// records are in have fewer. 0 is as in a small account: a median of 20 and
	// a mean of 53, at most 394.
	RecordsPerFile int
	// Start and End bound the delivery of the objects, to the minute. The events
	// are up to 15 minutes older.
	Start, End time.Time
	// Accounts and Regions of the trail; one of each when empty.
	Accounts, Regions []string
	// Prefix stands before AWSLogs/, Organization behind it; both may be empty.
	Prefix, Organization string
	// Attacks to plant, in this order, evenly between Start and End. One may
	// occur more than once.
	Attacks []Attack
}

// Trail is a trail that has been laid out. It may be walked more than once,
// also at the same time.
type Trail struct {
	options  Options
	accounts []*account
	planted  []Planted
	// files that hold planted events, by the time of their delivery.
	files []file
	// everyday is how many records are not planted.
	everyday int
}

// file is an object with planted events.
type file struct {
	delivered int64 // seconds, a whole minute
	account   int
	region    string
	events    []event
}

// Object is a log object as it lies in S3.
type Object struct {
	Key string
	// Body is compressed with gzip. It is the receiver's.
	Body []byte
	// Records in it, and their Bytes decompressed, with what is around them.
	Records, Bytes int
}

// New lays out a trail. Little is done and held before Objects is walked.
func New(options Options) (*Trail, error) {
	if len(options.Accounts) == 0 {
		options.Accounts = []string{"111122223333"}
	}
	if len(options.Regions) == 0 {
		options.Regions = []string{"us-east-1"}
	}
	options.Start, options.End = options.Start.UTC().Truncate(time.Minute), options.End.UTC().Truncate(time.Minute)
	if options.Records < 0 || options.RecordsPerFile < 0 {
		return nil, errors.New("generator: the number of records is negative")
	}
	if !options.Start.Before(options.End) {
		return nil, errors.New("generator: the trail has to end a minute or more behind its start")
	}
	t := &Trail{options: options}
	for _, id := range options.Accounts {
		if !cloudtrail.IsAccount(id) {
			return nil, fmt.Errorf("generator: %q is not an account number, which is 12 digits", id)
		}
		t.accounts = append(t.accounts, newAccount(options.Seed, id))
	}
	if err := t.plant(); err != nil {
		return nil, err
	}
	return t, nil
}

// plant lays out the attacks and the files that they are in.
func (t *Trail) plant() error {
	o := t.options
	n := len(o.Attacks)
	// Attacks take turns on the accounts. The last has to be delivered in time.
	first, last := o.Start.Add(time.Minute), o.End.Add(-longest-5*time.Minute)
	if n > 1 {
		apart := last.Sub(first) / time.Duration(n-1) * time.Duration(len(o.Accounts))
		if apart < spacing && n > len(o.Accounts) {
			need := time.Duration((n-1)/len(o.Accounts)+1)*spacing + longest + 6*time.Minute
			return fmt.Errorf("generator: %d attacks on %d accounts do not fit between %s and %s without running into each other; %s are enough",
				n, len(o.Accounts), o.Start.Format(time.RFC3339), o.End.Format(time.RFC3339), need.Round(time.Minute))
		}
	}
	if n > 0 && last.Before(first) {
		return errors.New("generator: an attack needs 13 minutes between start and end")
	}
	total := 0
	for i, attack := range o.Attacks {
		start := first
		if n > 1 {
			start = first.Add(last.Sub(first) * time.Duration(i) / time.Duration(n-1))
		}
		r := rand.New(rand.NewPCG(o.Seed, 1<<63|uint64(i)))
		events, err := attack.plan(r, start, i)
		if err != nil {
			return err
		}
		total += len(events)
		account := i % len(o.Accounts)
		region := o.Regions[i%len(o.Regions)]
		t.planted = append(t.planted, attack.planted(events, o.Accounts[account], region)...)

		// Three objects, minutes apart, and not in order: what happened first may
		// well arrive last.
		end := events[len(events)-1].at
		files := make([]file, min(3, len(events)))
		for k := range files {
			files[k] = file{delivered: (end/60 + 1 + int64(k+k*k/2)) * 60, account: account, region: region}
		}
		for k, e := range events {
			f := &files[(2*k+2)%len(files)]
			f.events = append(f.events, e)
		}
		t.files = append(t.files, files...)
	}
	slices.SortStableFunc(t.files, func(a, b file) int { return cmp.Compare(a.delivered, b.delivered) })
	if t.everyday = o.Records - total; t.everyday < 0 {
		return fmt.Errorf("generator: %d records do not hold the %d that are to be planted", o.Records, total)
	}
	return nil
}

// Planted is what the trail has to ring, attack by attack. A rule that is not
// named here has to be silent.
func (t *Trail) Planted() []Planted { return slices.Clone(t.planted) }

// Objects grows the objects, by the time of their delivery. One is held in
// memory at a time.
func (t *Trail) Objects() iter.Seq[Object] {
	return func(yield func(Object) bool) {
		g := newGrower(t)
		r := rand.New(rand.NewPCG(t.options.Seed, 1<<62))
		attacks, left := t.files, t.everyday
		span := t.options.End.Sub(t.options.Start).Minutes()
		for left > 0 || len(attacks) > 0 {
			n := min(left, t.size(r))
			// Delivered when their share of the time has passed.
			done := 1.0
			if t.everyday > 0 {
				done = float64(t.everyday-left+n) / float64(t.everyday)
			}
			f := file{
				delivered: t.options.Start.Unix() + int64(done*span)*60,
				account:   r.IntN(len(t.accounts)),
				region:    t.options.Regions[r.IntN(len(t.options.Regions))],
			}
			if len(attacks) > 0 && (left == 0 || attacks[0].delivered <= f.delivered) {
				f, attacks = attacks[0], attacks[1:]
				// Among some everyday records, but not so many that they would
				// change the sizes of the files.
				n = min(left, r.IntN(12))
			}
			left -= n
			if !yield(g.object(f, n)) {
				return
			}
		}
	}
}

// size draws how many records a file has: log-normal around a median of 20,
// with the tail, which would go on for ever, laid below 394.
func (t *Trail) size(r *rand.Rand) int {
	if t.options.RecordsPerFile > 0 {
		return t.options.RecordsPerFile
	}
	n := int(math.Round(20 * math.Exp(1.65*r.NormFloat64())))
	if n > 394 {
		n = 280 + r.IntN(115)
	}
	return max(n, 1)
}

// grower makes objects and keeps what can be used again.
type grower struct {
	trail     *Trail
	catalogue *catalogue
	w         writer
	moments   []moment
	files     uint64
	body      bytes.Buffer
	zip       *gzip.Writer
}

// moment is when something happens; event is nil for what happens every day.
type moment struct {
	at    int64
	event *event
}

func newGrower(t *Trail) *grower {
	return &grower{trail: t, catalogue: loadCatalogue(), zip: gzip.NewWriter(nil)}
}

// object grows one object. Each has its own random numbers, so that it depends
// on its number alone.
func (g *grower) object(f file, everyday int) Object {
	g.files++
	w := &g.w
	w.r = rand.New(rand.NewPCG(g.trail.options.Seed, g.files))
	w.account, w.region = g.trail.accounts[f.account], f.region
	w.b = append(w.b[:0], `{"Records":[`...)

	g.moments = g.moments[:0]
	for range everyday {
		// From 15 minutes to seconds ago.
		g.moments = append(g.moments, moment{at: f.delivered - 5 - w.r.Int64N(895)})
	}
	for i := range f.events {
		g.moments = append(g.moments, moment{f.events[i].at, &f.events[i]})
	}
	slices.SortStableFunc(g.moments, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	// Most files are not quite in order.
	if n := len(g.moments); n > 2 && w.share(660) {
		for range 1 + n/8 {
			i, j := w.r.IntN(n), w.r.IntN(n)
			g.moments[i], g.moments[j] = g.moments[j], g.moments[i]
		}
	}

	var last work
	for i, m := range g.moments {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.at, w.choice = m.at, w.r.IntN(4)+int(g.files%7000)
		if m.event != nil {
			w.plant(g.catalogue, m.event)
		} else {
			last = w.background(g.catalogue, last)
		}
	}
	w.b = append(w.b, "]}"...)

	g.body.Reset()
	g.zip.Reset(&g.body)
	// Writing to memory does not fail.
	_, _ = g.zip.Write(w.b)
	_ = g.zip.Close()
	object := Object{Body: bytes.Clone(g.body.Bytes()), Records: len(g.moments), Bytes: len(w.b)}
	object.Key = g.key(f)
	return object
}

// key names an object. The suffix is random, so that its order says nothing.
func (g *grower) key(f file) string {
	g.w.b = g.w.b[:0]
	g.w.digits(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789ab")
	delivered := time.Unix(f.delivered, 0).UTC()
	return cloudtrail.Key{
		Prefix: g.trail.options.Prefix, Organization: g.trail.options.Organization,
		Account: g.trail.accounts[f.account].id, Kind: cloudtrail.KindLog, Region: f.region,
		Day: delivered, Delivered: delivered, Suffix: string(g.w.b),
	}.String()
}

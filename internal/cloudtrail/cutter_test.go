package cloudtrail

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// cut is all that a Cutter says about an object.
type cut struct {
	Records []string
	Slices  []string // offset+length
	Bad     []BadRecord
	Err     error
}

// cutAll cuts to the end, and checks what holds for any input: slices are runs
// of the object, ascending, each no longer than it may be, and records lie
// within them from the first byte to the last.
func cutAll(t interface {
	Helper()
	Fatalf(string, ...any)
}, object []byte, r io.Reader, options CutterOptions) cut {
	t.Helper()
	var got cut
	options.Bad = func(b BadRecord) error {
		if b.Offset+b.Length > uint64(len(object)) || b.Length == 0 {
			t.Fatalf("bad record %+v does not lie in an object of %d bytes", b, len(object))
		}
		got.Bad = append(got.Bad, b)
		return nil
	}
	c := NewCutter(r, options)
	var last uint64
	for {
		s, err := c.Next()
		if err != nil {
			got.Err = err
			if again, err2 := c.Next(); err2 != err || len(again.Data) != 0 {
				t.Fatalf("after the error %v, Next gives %v and %q", err, err2, again.Data)
			}
			return got
		}
		if len(s.Starts) == 0 || len(s.Starts) != len(s.Lengths) {
			t.Fatalf("a slice of %d starts and %d lengths", len(s.Starts), len(s.Lengths))
		}
		if s.Offset < last {
			t.Fatalf("slice at %d after one that ends at %d", s.Offset, last)
		}
		last = s.Offset + uint64(len(s.Data))
		if last > uint64(len(object)) || !bytes.Equal(s.Data, object[s.Offset:last]) {
			t.Fatalf("slice at %d is not what stands there: %q", s.Offset, s.Data)
		}
		if limit := max(c.sliceBytes, c.maxRecord); len(s.Data) > limit {
			t.Fatalf("a slice of %d bytes, and %d is the limit", len(s.Data), limit)
		}
		end := uint32(0)
		for i := range s.Starts {
			if s.Starts[i] < end {
				t.Fatalf("record %d begins at %d, and the one before ends at %d", i, s.Starts[i], end)
			}
			end = s.Starts[i] + s.Lengths[i]
			got.Records = append(got.Records, string(s.Record(i)))
		}
		if s.Starts[0] != 0 || int(end) != len(s.Data) {
			t.Fatalf("a slice of %d bytes whose records reach from %d to %d", len(s.Data), s.Starts[0], end)
		}
		got.Slices = append(got.Slices, fmt.Sprintf("%d+%d", s.Offset, len(s.Data)))
	}
}

func cutString(t *testing.T, object string, options CutterOptions) cut {
	t.Helper()
	return cutAll(t, []byte(object), strings.NewReader(object), options)
}

func TestCutterFindsTheShapeByContent(t *testing.T) {
	const a, b = `{"eventName":"A","x":{"y":[1,{"z":null}]}}`, `{"eventName":"B"}`
	for _, tt := range []struct {
		name   string
		object string
		want   []string
	}{
		{"a log file", `{"Records":[` + a + `,` + b + `]}`, []string{a, b}},
		{"a log file, indented", "{\n  \"Records\" : [\n    " + a + ",\n    " + b + "\n  ]\n}\n", []string{a, b}},
		{"keys before and after the records", `{"v":"1","w":{"Records":[0]},"Records":[` + a + `],"z":[[]]}`, []string{a}},
		{"no record", `{"Records":[]}`, nil},
		{"Records twice", `{"Records":[` + a + `],"Records":[` + b + `]}`, []string{a, b}},
		{"Records with an escape", `{"\u0052ecords":[` + a + `]}`, []string{a}},
		{"Records as a value first", `{"kind":"Records","Records":[` + a + `]}`, []string{a}},
		{"files one behind the other", `{"Records":[` + a + `]}{"Records":[` + b + "]}\n", []string{a, b}},
		{"an array", `[` + a + `,` + b + `]`, []string{a, b}},
		{"an empty array", ` [ ] `, nil},
		{"an array whose elements are anything", `[1, "two, \"2\"]", [3,[]], null, true,-1.5e3 ]`, []string{`1`, `"two, \"2\"]"`, `[3,[]]`, `null`, `true`, `-1.5e3`}},
		{"one record a line", a + "\n" + b + "\n", []string{a, b}},
		{"one record a line, from Windows, without the last end of line", a + "\r\n\r\n" + b, []string{a, b}},
		{"records one behind the other", a + b, []string{a, b}},
		{"a single record", a, []string{a}},
		{"records over several lines", "{\n\"eventName\"\n:\n\"A\"\n}\n" + b + "\n{\"eventName\":\n\"C\"}", []string{"{\n\"eventName\"\n:\n\"A\"\n}", b, "{\"eventName\":\n\"C\"}"}},
		{"a log file over several lines behind one record a line", a + "\n{\"Records\":\n[\n" + b + "\n]\n}\n" + a, []string{a, b, a}},
		{"a byte order mark and white space first", "\xef\xbb\xbf \n\t" + `{"Records":[` + a + `]}`, []string{a}},
		{"borders inside strings", `[{"a":"}],[{\"}"},{"b\\":"\\"},{"c":"\\\""}]`, []string{`{"a":"}],[{\"}"}`, `{"b\\":"\\"}`, `{"c":"\\\""}`}},
		{"a record whose brackets do not fit, for the decoder to refuse", `[{"a":[1}],` + b + `]`, []string{`{"a":[1}]`, b}},
		{"a key Records deeper down", `{"eventName":"C","x":{"Records":[1]}}`, []string{`{"eventName":"C","x":{"Records":[1]}}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := cutString(t, tt.object, CutterOptions{})
			if diff := cmp.Diff(tt.want, got.Records); diff != "" {
				t.Errorf("records (-want +got)\n%s", diff)
			}
			if got.Err != io.EOF || got.Bad != nil {
				t.Errorf("got %v and %v, want the end", got.Err, got.Bad)
			}
		})
	}
}

func TestCutterRefuses(t *testing.T) {
	const a = `{"eventName":"A"}`
	for _, tt := range []struct {
		name    string
		object  string
		records int
		offset  uint64
		reason  string
	}{
		{"nothing", "", 0, 0, "the object is empty"},
		{"white space", " \n", 0, 2, "the object is empty"},
		{"a byte order mark alone", byteOrderMark, 0, 3, "the object is empty"},
		{"text", "hello", 0, 0, "not JSON: it begins with neither { nor ["},
		{"UTF-16", "\xff\xfe{\x00", 0, 0, "not JSON: it begins with neither { nor ["},
		{"a digest", `{"awsAccountId":"111122223333","digestStartTime":"2026-03-09T14:00:00Z"}`, 0, 0, "a digest of CloudTrail, which lists log files and has no records"},
		{"any other object", ` {"foo":1}`, 0, 1, "a JSON object that has no Records and is no record"},
		{"Records that is no array", `{"Records":{"a":1}}`, 0, 11, "Records is not an array"},
		{"a file cut off in a record", `{"Records":[` + a + `,{"eventName`, 1, 41, "the object ends in the middle of a record"},
		{"a file cut off in an escape", `{"Records":[` + a + `,{"eventName\`, 1, 42, "the object ends in the middle of a record"},
		{"a file cut off between records", `{"Records":[` + a + `,`, 1, 30, "the object ends before the ] of its records"},
		{"a file cut off at the last brace", `{"Records":[` + a + `]`, 1, 30, "the object ends in the middle of a JSON object"},
		{"a file cut off before its records", `{"Records":`, 0, 11, "the object ends in the middle of a JSON object"},
		{"a last line cut off", a + "\n" + a[:5], 1, 23, "the object ends in the middle of a JSON object"},
		{"a number cut off, as one cannot know", `[1`, 0, 2, "the object ends in the middle of a record"},
		{"a brace too many", `{"Records":[` + a + `}]}`, 1, 29, "a } stands between the records"},
		{"text behind a file", `{"Records":[` + a + `]}` + "\nhello", 1, 32, "something follows the end of the JSON"},
		{"text behind an array", `[` + a + `],`, 1, 19, "something follows the end of the JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := cutString(t, tt.object, CutterOptions{})
			if len(got.Records) != tt.records {
				t.Errorf("got %d records, want %d", len(got.Records), tt.records)
			}
			var format *FormatError
			if !errors.As(got.Err, &format) {
				t.Fatalf("got %v, want a FormatError", got.Err)
			}
			if diff := cmp.Diff(FormatError{tt.offset, tt.reason}, *format); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestCutterLeavesOut(t *testing.T) {
	const a, b = `{"eventName":"A"}`, `{"eventName":"B"}`
	long := `{"eventName":"` + strings.Repeat("x", 90) + `"}`
	for _, tt := range []struct {
		name   string
		object string
		want   []string
		bad    []BadRecord
	}{
		{"a record that is too long", `[` + a + `,` + long + `,` + b + `]`, []string{a, b}, []BadRecord{{19, 106, "a record of more than 100 bytes"}}},
		{"a line that is too long", a + "\n" + long + "\n" + b, []string{a, b}, []BadRecord{{18, 106, "a record of more than 100 bytes"}}},
		{"a scalar that is too long", `[` + strings.Repeat("1", 200) + `,` + b + `]`, []string{b}, []BadRecord{{1, 200, "a record of more than 100 bytes"}}},
		{"a line that is no record", a + "\n{\"foo\":1}\n" + b, []string{a, b}, []BadRecord{{18, 9, "a JSON object that has no Records and is no record"}}},
		{"a first line that is no record", "{\"foo\":1}\n" + b, []string{b}, []BadRecord{{0, 9, "a JSON object that has no Records and is no record"}}},
		{"lines that are not JSON", a + "\nfoo bar\n" + b + " }\n]", []string{a, b}, []BadRecord{
			{18, 7, "a line that is not a JSON object"}, {44, 1, "a line that is not a JSON object"}, {46, 1, "a line that is not a JSON object"},
		}},
		{"a line that breaks off", a + "\n" + `{"eventName` + "\n" + b, []string{a, b}, []BadRecord{{18, 11, "a line that is not a JSON object"}}},
		{"lines that break off anywhere", a + "\n" + `{"eventName"` + "\r\n" + `{"eventName":"\` + "\n" + `{"x":{"y":[` + "\n\n" + `{` + "\n" + b, []string{a, b}, []BadRecord{
			{18, 13, "a line that is not a JSON object"}, {32, 15, "a line that is not a JSON object"}, {48, 11, "a line that is not a JSON object"}, {61, 1, "a line that is not a JSON object"},
		}},
		{"a line that breaks off and is too long", a + "\n" + long[:104] + "\n" + b, []string{a, b}, []BadRecord{{18, 104, "a line that is not a JSON object"}}},
		{"long keys before the records are no record", `{"comment":"` + strings.Repeat("x", 200) + `","Records":[` + a + `]}`, []string{a}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, chunk := range []int{1, 7, len(tt.object)} {
				r := &chunked{data: []byte(tt.object), size: func() int { return chunk }}
				got := cutAll(t, []byte(tt.object), r, CutterOptions{MaxRecord: 100})
				if diff := cmp.Diff(cut{Records: tt.want, Bad: tt.bad}, cut{Records: got.Records, Bad: got.Bad}); diff != "" {
					t.Errorf("read by %d (-want +got)\n%s", chunk, diff)
				}
				if got.Err != io.EOF {
					t.Errorf("got %v, want the end", got.Err)
				}
			}
		})
	}
}

func TestCutterFillsSlices(t *testing.T) {
	// Records of 17 bytes, a comma between them.
	const a = `{"eventName":"A"}`
	object := `[` + a + `,` + a + `,` + a + `,` + a + `,` + a + `]`
	for _, tt := range []struct {
		name       string
		sliceBytes int
		want       []string
	}{
		{"exactly two fit", 35, []string{"1+35", "37+35", "73+17"}},
		{"a byte too few for two", 34, []string{"1+17", "19+17", "37+17", "55+17", "73+17"}},
		{"a record longer than a slice is a slice", 5, []string{"1+17", "19+17", "37+17", "55+17", "73+17"}},
		{"all fit", 89, []string{"1+89"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := cutString(t, object, CutterOptions{SliceBytes: tt.sliceBytes})
			if diff := cmp.Diff(tt.want, got.Slices); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestCutterNeedsLittleMemory(t *testing.T) {
	// Each is 2 MB in which there is nothing to keep, or too much.
	const size = 2 << 20
	const limit = 2 * (16<<10 + 16<<10 + longestKey + readBytes)
	for _, tt := range []struct{ name, before, fill, after string }{
		{"white space between two records", `[{},`, " ", `{}]`},
		{"a record that is too long", `[{},"`, "x", `",{}]`},
		{"a key that is too long", `{"Records":[{},`, " ", `{}],"` + strings.Repeat("k", 200) + `":1}`},
		{"quotes escaped", `[{},"`, `\"`, `",{}]`},
		{"brackets", `[{},`, `[`, ``},
		{"records", `[{},`, `{"eventName":"A"},`, `{}]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := io.MultiReader(strings.NewReader(tt.before), &repeated{text: tt.fill, left: size / len(tt.fill)}, strings.NewReader(tt.after))
			c := NewCutter(r, CutterOptions{SliceBytes: 16 << 10, MaxRecord: 16 << 10})
			records := 0
			for {
				s, err := c.Next()
				if err != nil {
					break
				}
				records += len(s.Starts)
			}
			if records == 0 {
				t.Error("no record")
			}
			if cap(c.buf) > limit {
				t.Errorf("the buffer has grown to %d bytes, want at most %d", cap(c.buf), limit)
			}
		})
	}
}

var errCut = errors.New("connection reset")

func TestCutterGivesBackTheErrorOfTheReader(t *testing.T) {
	const a = `{"eventName":"A"}`
	r := io.MultiReader(strings.NewReader(`[`+a+`,`+a+`,`+a+`,`+a), iotest.ErrReader(errCut))
	c := NewCutter(r, CutterOptions{SliceBytes: 40})
	s, err := c.Next()
	if err != nil || len(s.Starts) != 2 {
		t.Fatalf("got %d records and %v, want the two of the full slice", len(s.Starts), err)
	}
	// The slice begun is not given: it would have another length next time.
	_, err = c.Next()
	var format *FormatError
	if !errors.Is(err, errCut) || errors.As(err, &format) {
		t.Errorf("got %v, want the error of the reader", err)
	}
}

func TestCutterGivesUpOnAReaderThatGivesNothing(t *testing.T) {
	r := &chunked{data: []byte("["), size: func() int { return 0 }}
	if _, err := NewCutter(r, CutterOptions{}).Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got %v, want %v", err, io.ErrNoProgress)
	}
}

func TestCutterEndsWhenBadDoes(t *testing.T) {
	stop := errors.New("stop")
	for _, object := range []string{
		"{\"eventID\":1}\nx\n{\"eventID\":2}\n",
		"{\"eventID\":1}\nx",
		"{\"foo\":1}\n{\"eventID\":2}\n",
		"{\"eventID\":1}\n{\"foo\":2}\n{\"eventID\":3}",
	} {
		c := NewCutter(strings.NewReader(object), CutterOptions{Bad: func(BadRecord) error { return stop }})
		if _, err := c.Next(); err != stop {
			t.Errorf("%q: got %v, want %v", object, err, stop)
		}
	}
}

// TestCutsDependOnContentOnly: however the bytes arrive, the cuts are the same,
// also of the same Cutter used again. Identities of records rest on it.
func TestCutsDependOnContentOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		object := drawObject(t)
		options := CutterOptions{
			SliceBytes: rapid.IntRange(1, 200).Draw(t, "slice"),
			MaxRecord:  rapid.IntRange(1, 200).Draw(t, "record"),
		}
		want := cutAll(t, object, bytes.NewReader(object), options)
		r := &chunked{data: object, size: func() int { return rapid.IntRange(1, 40).Draw(t, "chunk") }}
		got := cutAll(t, object, r, options)
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b error) bool { return a.Error() == b.Error() })); diff != "" {
			t.Fatalf("of %q (-whole +in pieces)\n%s", object, diff)
		}
	})
}

// drawObject draws something of the alphabet that the cutter looks at, valid
// now and then.
func drawObject(t *rapid.T) []byte {
	piece := rapid.SampledFrom([]string{
		`{`, `}`, `[`, `]`, `"`, `\`, `,`, `:`, "\n", ` `, `1`, `a`, `{"Records":[`, `]}`, `"Records"`, `"eventTime":`,
		`{"eventTime":"x"}`, `{"eventTime":"x"},`, `{"foo":1}`, "\xef\xbb\xbf", `"\\"`, `"\"]"`, strings.Repeat("x", 60), strings.Repeat(`\`, 3),
	})
	return []byte(strings.Join(rapid.SliceOfN(piece, 0, 30).Draw(t, "object"), ""))
}

// FuzzCutter compares with encoding/json: where that reads the object, the same
// records are found.
func FuzzCutter(f *testing.F) {
	for _, seed := range []string{
		`{"Records":[{"eventName":"A"},{"b":[1,"}"]}],"x":1}`,
		`{"x":{"Records":[]},"Records":[]}`,
		`[{"a":"\\\""},2,"x",null]`,
		"{\"eventTime\":1}\n{\"eventTime\":2}\n",
		`{"foo":1}`, ``, "\xef\xbb\xbf[]", `{"\u0052ecords":[{}]}`, `{"Records":[{}]}{"Records":[1]}`,
	} {
		f.Add([]byte(seed), uint16(100))
	}
	f.Fuzz(func(t *testing.T, object []byte, slice uint16) {
		options := CutterOptions{SliceBytes: 1 + int(slice)}
		got := cutAll(t, object, bytes.NewReader(object), options)
		pieces := cutAll(t, object, iotest.OneByteReader(bytes.NewReader(object)), options)
		if diff := cmp.Diff(got, pieces, cmp.Comparer(func(a, b error) bool { return a.Error() == b.Error() })); diff != "" {
			t.Fatalf("(-whole +byte by byte)\n%s", diff)
		}
		want, ok := naive(object)
		if !ok {
			return
		}
		if diff := cmp.Diff(want, got.Records); diff != "" {
			t.Fatalf("(-encoding/json +got)\n%s", diff)
		}
		if got.Err != io.EOF || got.Bad != nil {
			t.Fatalf("encoding/json reads it to the end, but %v, %v", got.Err, got.Bad)
		}
	})
}

// naive finds the records with encoding/json, and reports whether the object is
// in one of the shapes of a Cutter.
func naive(object []byte) (records []string, ok bool) {
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(object, []byte(byteOrderMark))))
	for values := 0; ; values++ {
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return records, err == io.EOF && values > 0
		}
		if value[0] == '[' {
			records = append(records, elements(value)...)
			continue
		}
		if value[0] != '{' {
			return nil, false
		}
		var inner []string
		holds, looks, array := false, false, true
		eachKey(value, func(key string, value json.RawMessage) {
			switch key {
			case "Records":
				holds = true
				if value[0] != '[' {
					array = false
					return
				}
				inner = append(inner, elements(value)...)
			case "eventTime", "eventName", "eventSource", "eventID", "eventVersion", "userIdentity":
				looks = true
			}
		})
		switch {
		case holds && array:
			records = append(records, inner...)
		case !holds && looks:
			records = append(records, string(value))
		default:
			return nil, false
		}
	}
}

// elements of a valid JSON array, as they stand there.
func elements(array json.RawMessage) (found []string) {
	d := json.NewDecoder(bytes.NewReader(array))
	_, _ = d.Token()
	for d.More() {
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			panic(err)
		}
		found = append(found, string(value))
	}
	return found
}

// eachKey calls f for each key of a valid JSON object, in order, repeated ones
// too.
func eachKey(object json.RawMessage, f func(key string, value json.RawMessage)) {
	d := json.NewDecoder(bytes.NewReader(object))
	_, _ = d.Token()
	for d.More() {
		key, err := d.Token()
		if err != nil {
			panic(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			panic(err)
		}
		f(key.(string), value)
	}
}

// chunked is a reader that gives as many bytes as size says.
type chunked struct {
	data []byte
	size func() int
}

func (c *chunked) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.size())], c.data)
	c.data = c.data[n:]
	return n, nil
}

// repeated is a reader that gives a text many times.
type repeated struct {
	text string
	rest string
	left int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if r.rest == "" {
			if r.left == 0 {
				if n == 0 {
					return 0, io.EOF
				}
				return n, nil
			}
			r.rest, r.left = r.text, r.left-1
		}
		m := copy(p[n:], r.rest)
		r.rest = r.rest[m:]
		n += m
	}
	return n, nil
}

func BenchmarkCutter(b *testing.B) {
	for _, bm := range []struct {
		name   string
		object []byte
	}{
		{"file", []byte(`{"Records":[` + strings.Repeat(sampleRecord+",", 3000) + sampleRecord + `]}`)},
		{"lines", []byte(strings.Repeat(sampleRecord+"\n", 3000))},
	} {
		b.Run(bm.name, func(b *testing.B) {
			c := NewCutter(nil, CutterOptions{})
			b.SetBytes(int64(len(bm.object)))
			b.ReportAllocs()
			for b.Loop() {
				c.Reset(&chunked{data: bm.object, size: func() int { return 32 << 10 }})
				for {
					if _, err := c.Next(); err != nil {
						break
					}
				}
			}
		})
	}
}

func ExampleCutter() {
	object := strings.NewReader(`{"Records":[{"eventName":"GetObject"},{"eventName":"ConsoleLogin"}]}`)
	c := NewCutter(object, CutterOptions{})
	for {
		slice, err := c.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		for i := range slice.Starts {
			fmt.Printf("%d: %s\n", slice.Offset+uint64(slice.Starts[i]), slice.Record(i))
		}
	}
	// Output:
	// 12: {"eventName":"GetObject"}
	// 38: {"eventName":"ConsoleLogin"}
}

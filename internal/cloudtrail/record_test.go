package cloudtrail

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var sampleOrigin = Origin{Bucket: "trail", Key: "a/b.json.gz", Offset: 12}

// show is Hot in a form that reads well.
type show struct {
	Time                                    string
	Identity, Source, Name, Account, Region string
}

func shown(h Hot) show {
	return show{
		time.UnixMilli(h.Time).UTC().Format(time.RFC3339Nano),
		string(h.Identity), string(h.Source), string(h.Name), string(h.Account), string(h.Region),
	}
}

func TestDecode(t *testing.T) {
	const at = "2026-03-09T14:48:55Z"
	for _, tt := range []struct {
		name   string
		record string
		want   show
	}{
		{"a usual record", sampleRecord, show{at, "e1d2c3b4-a596-4877-8695-a4b3c2d1e0f9", "ec2.amazonaws.com", "DescribeInstances", "111122223333", "eu-west-1"}},
		{"white space wherever it may be", " { \"eventID\" : \"x\" , \"a\" : [ 1 , { \"b\" : { } } , [ ] ] ,\n\t\"eventTime\" : \"" + at + "\" } \r\n", show{at, "x", "", "", "", ""}},
		{"only a time: the identity is where it stands", `{"eventTime":"` + at + `"}`, show{at, "trail/a/b.json.gz#12", "", "", "", ""}},
		{"an empty eventID", `{"eventTime":"` + at + `","eventID":""}`, show{at, "trail/a/b.json.gz#12", "", "", "", ""}},
		{"an eventID as long as it may be", `{"eventTime":"` + at + `","eventID":"` + strings.Repeat("x", MaxIdentity) + `"}`, show{at, strings.Repeat("x", MaxIdentity), "", "", "", ""}},
		{"an eventID that is longer", `{"eventTime":"` + at + `","eventID":"` + strings.Repeat("x", MaxIdentity+1) + `"}`, show{at, "sha256:d2bc1d811fcb4da2cc5719f1fc1654084a6ed72d777e7c1bed597f6dbf007829", "", "", "", ""}},
		{"an eventID that is a number", `{"eventTime":"` + at + `","eventID":7}`, show{at, "trail/a/b.json.gz#12", "", "", "", ""}},
		{"the first of two keys counts", `{"eventTime":"` + at + `","eventName":"A","eventName":"B"}`, show{at, "trail/a/b.json.gz#12", "", "A", "", ""}},
		{"the first of two keys counts, though it is no string", `{"eventTime":"` + at + `","eventName":null,"eventName":"B"}`, show{at, "trail/a/b.json.gz#12", "", "", "", ""}},
		{"an update of another record", `{"eventTime":"` + at + `","eventID":"new","addendum":{"reason":"UPDATED_DATA","updatedFields":"responseElements","originalEventID":"old"}}`, show{at, "old", "", "", "", ""}},
		{"an addendum before the eventID", `{"eventTime":"` + at + `","addendum":{"originalEventID":"old","reason":"UPDATED_DATA"},"eventID":"new"}`, show{at, "old", "", "", "", ""}},
		{"an addendum of a late delivery is a record of its own", `{"eventTime":"` + at + `","eventID":"new","addendum":{"reason":"DELIVERY_DELAY","originalEventID":"old"}}`, show{at, "new", "", "", "", ""}},
		{"an update that does not say of what", `{"eventTime":"` + at + `","eventID":"new","addendum":{"reason":"UPDATED_DATA"}}`, show{at, "new", "", "", "", ""}},
		{"an addendum that is no object", `{"eventTime":"` + at + `","eventID":"new","addendum":["UPDATED_DATA"]}`, show{at, "new", "", "", "", ""}},
		{"escapes in values and keys", `{"event\u0054ime":"2026-03-09T14:48:55\u005a","eventName":"A\/\"\\\n\u00e9\ud83d\ude00"}`, show{at, "trail/a/b.json.gz#12", "", "A/\"\\\né😀", "", ""}},
		{"half a surrogate pair", `{"eventTime":"` + at + `","eventName":"\ud83d"}`, show{at, "trail/a/b.json.gz#12", "", "\uFFFD", "", ""}},
		{"bytes that are not UTF-8", `{"eventTime":"` + at + `","x":"` + "\xff" + `","eventName":"a` + "\xff" + `b"}`, show{at, "trail/a/b.json.gz#12", "", "a\uFFFDb", "", ""}},
		{"fields of the same name deeper down", `{"x":{"eventTime":"no","eventName":"no"},"eventTime":"` + at + `"}`, show{at, "trail/a/b.json.gz#12", "", "", "", ""}},
		{"a time with a fraction", `{"eventTime":"2026-03-09T14:48:55.123456Z"}`, show{"2026-03-09T14:48:55.123Z", "trail/a/b.json.gz#12", "", "", "", ""}},
		{"a time in another zone", `{"eventTime":"2026-03-09T16:48:55+02:00"}`, show{at, "trail/a/b.json.gz#12", "", "", "", ""}},
		{"a time before 1970", `{"eventTime":"1969-12-31T23:59:59Z"}`, show{"1969-12-31T23:59:59Z", "trail/a/b.json.gz#12", "", "", "", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Decode([]byte(tt.record), sampleOrigin)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, shown(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	const head = `{"eventTime":"2026-03-09T14:48:55Z","x":`
	syntax := func(offset uint64, reason string) error { return &FormatError{offset, "not valid JSON: " + reason} }
	for _, tt := range []struct {
		name   string
		record string
		want   error
	}{
		{"nothing", ``, ErrNotObject},
		{"an array", `[1]`, ErrNotObject},
		{"a string", `"eventTime"`, ErrNotObject},
		{"no eventTime", `{"eventName":"A"}`, ErrNoTime},
		{"an empty object", `{}`, ErrNoTime},
		{"an eventTime that is a number", `{"eventTime":1}`, ErrOddTime},
		{"an eventTime in words", `{"eventTime":"Mar 9, 2026, 2:48:55 PM"}`, ErrOddTime},
		{"an eventTime on the 29th of February of a year without", `{"eventTime":"2026-02-29T14:48:55Z"}`, ErrOddTime},
		{"a second eventTime does not help", `{"eventTime":1,"eventTime":"2026-03-09T14:48:55Z"}`, ErrOddTime},
		{"cut off in a string", `{"event`, syntax(7, "it ends too early")},
		{"cut off in a literal", head + `tru`, syntax(43, "it ends too early")},
		{"cut off behind a value", head + `[1`, syntax(42, "it ends too early")},
		{"a key without quotes", `{a:1}`, syntax(1, "no key where one belongs")},
		{"a comma at the end", `{"a":1,}`, syntax(7, "no key where one belongs")},
		{"a comma at the end, further in", `{"a":{"b":1,}}`, syntax(12, "no key where one belongs")},
		{"a comma at the end of an array", `{"a":[1,]}`, syntax(8, "no value where one belongs")},
		{"no colon", `{"a" 1}`, syntax(5, "no colon behind a key")},
		{"no comma", `{"a":1 "b":2}`, syntax(7, "neither comma nor end behind a value")},
		{"brackets that do not fit", `{"a":[1}}`, syntax(7, "neither comma nor end behind a value")},
		{"a number with a zero first", `{"a":01}`, syntax(6, "neither comma nor end behind a value")},
		{"a number that ends in a point", `{"a":1.}`, syntax(7, "a number that is none")},
		{"a minus alone", `{"a":-}`, syntax(6, "no value where one belongs")},
		{"a word that is no literal", `{"a":nil}`, syntax(6, "no value where one belongs")},
		{"an end of line in a string", "{\"a\":\"x\n\"}", syntax(7, "a control character in a string")},
		{"an escape that is none", `{"a":"\x"}`, syntax(7, "an unknown escape in a string")},
		{"an escape with too few digits", `{"a":"\u12g4"}`, syntax(10, `\u without four hexadecimal digits`)},
		{"two records", `{} {}`, syntax(3, "something follows the record")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Decode([]byte(tt.record), sampleOrigin)
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tt.want.Error(), err.Error()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestDecodeBoundsTheDepth(t *testing.T) {
	nested := func(opening, closing string, depth int) []byte {
		return []byte(`{"eventTime":"2026-03-09T14:48:55Z","x":` + strings.Repeat(opening, depth) + `1` + strings.Repeat(closing, depth) + `}`)
	}
	for _, tt := range []struct{ name, opening, closing string }{
		{"arrays", `[`, `]`},
		{"objects", `{"a":`, `}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, depth := range []int{1, 63, 64, 65, 128, 129, 130, maxDepth - 1} {
				if _, err := Decode(nested(tt.opening, tt.closing, depth), sampleOrigin); err != nil {
					t.Errorf("%d deep: %v", depth, err)
				}
			}
			for _, depth := range []int{maxDepth, 1_000_000} {
				var format *FormatError
				if _, err := Decode(nested(tt.opening, tt.closing, depth), sampleOrigin); !errors.As(err, &format) || format.Reason != "nested deeper than 10000" {
					t.Errorf("%d deep: got %v", depth, err)
				}
			}
		})
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	record := []byte(sampleRecord)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Decode(record, sampleOrigin); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a record, want none", n)
	}
}

// FuzzDecode compares with encoding/json: what is valid, and which fields are
// read.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		sampleRecord,
		`{"eventTime":"2026-03-09T14:48:55.5+01:00","eventID":"\u0041\ud83d\ude00\ud83d","addendum":{"reason":"UPDATED_DATA","originalEventID":"o\n"}}`,
		`{"eventTime":"2026-03-09T14:48:55Z","eventTime":"","x":[1,-0.5e+3,true,false,null,{"a":[[]]}]}`,
		`{"a":[1}}`, `{"eventTime":"9999-12-31T23:59:59Z"}`, `{"eventTime":"0000-02-29T00:00:00Z"}`, "{\"\xff\":1}", `[]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		got, err := Decode(record, sampleOrigin)
		if err != nil && !cmp.Equal(got, Hot{}) {
			t.Fatalf("an error, and %+v", got)
		}
		for _, s := range [][]byte{got.Identity, got.Source, got.Name, got.Account, got.Region} {
			if !utf8.Valid(s) {
				t.Fatalf("%q is not UTF-8", s)
			}
		}
		trimmed := bytes.TrimLeft(record, " \t\r\n")
		if !json.Valid(record) || trimmed[0] != '{' {
			if err == nil || err == ErrNoTime || err == ErrOddTime {
				t.Fatalf("not a JSON object, but %v", err)
			}
			return
		}
		if err != nil && err != ErrNoTime && err != ErrOddTime {
			t.Fatalf("a JSON object, but %v", err)
		}
		if !utf8.Valid(record) {
			return
		}
		fields := map[string]json.RawMessage{}
		eachKey(record, func(key string, value json.RawMessage) {
			if _, again := fields[key]; !again {
				fields[key] = value
			}
		})
		str := func(raw json.RawMessage) (s string) {
			if len(raw) > 0 && raw[0] == '"' {
				if err := json.Unmarshal(raw, &s); err != nil {
					t.Fatal(err)
				}
			}
			return s
		}
		at, timeErr := time.Parse(time.RFC3339, str(fields["eventTime"]))
		if (timeErr == nil) != (err == nil) {
			t.Fatalf("time.Parse: %v, Decode: %v", timeErr, err)
		}
		if err != nil {
			return
		}
		identity := str(fields["eventID"])
		if addendum := fields["addendum"]; len(addendum) > 0 && addendum[0] == '{' {
			inner := map[string]json.RawMessage{}
			eachKey(addendum, func(key string, value json.RawMessage) {
				if _, again := inner[key]; !again {
					inner[key] = value
				}
			})
			if original := str(inner["originalEventID"]); str(inner["reason"]) == "UPDATED_DATA" && original != "" {
				identity = original
			}
		}
		if identity == "" {
			identity = sampleOrigin.String()
		}
		want := show{
			at.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano), identity,
			str(fields["eventSource"]), str(fields["eventName"]), str(fields["recipientAccountId"]), str(fields["awsRegion"]),
		}
		if diff := cmp.Diff(want, shown(got)); diff != "" {
			t.Fatalf("(-encoding/json +got)\n%s", diff)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	record := []byte(sampleRecord)
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(record, sampleOrigin); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleDecode() {
	record := []byte(`{"eventTime":"2026-03-09T14:48:55Z","eventSource":"iam.amazonaws.com","eventName":"CreateUser","eventID":"e1d2c3b4-a596-4877-8695-a4b3c2d1e0f9"}`)
	hot, err := Decode(record, Origin{Bucket: "trail", Key: "key.json.gz", Offset: 12})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s %s %s at %s\n", hot.Source, hot.Name, hot.Identity, time.UnixMilli(hot.Time).UTC().Format(time.RFC3339))
	// Output: iam.amazonaws.com CreateUser e1d2c3b4-a596-4877-8695-a4b3c2d1e0f9 at 2026-03-09T14:48:55Z
}

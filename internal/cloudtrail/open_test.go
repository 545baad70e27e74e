package cloudtrail

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
)

func zipped(t testing.TB, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readAll(r io.Reader, options OpenOptions) (string, error) {
	c, err := Open(r, options)
	if err != nil {
		return "", err
	}
	defer c.Close()
	content, err := io.ReadAll(c)
	return string(content), err
}

func TestOpen(t *testing.T) {
	for _, tt := range []struct {
		name   string
		object []byte
		want   string
	}{
		{"gzip", zipped(t, `{"Records":[]}`), `{"Records":[]}`},
		{"gzip of two members", append(zipped(t, `{"Rec`), zipped(t, `ords":[]}`)...), `{"Records":[]}`},
		{"gzip of nothing", zipped(t, ``), ``},
		{"JSON", []byte(`{"Records":[]}`), `{"Records":[]}`},
		{"a byte", []byte(`{`), `{`},
		{"half of the magic number", []byte("\x1f"), "\x1f"},
		{"nothing", nil, ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range []io.Reader{
				bytes.NewReader(tt.object),
				iotest.OneByteReader(bytes.NewReader(tt.object)),
				iotest.DataErrReader(bytes.NewReader(tt.object)),
			} {
				if got, err := readAll(r, OpenOptions{}); got != tt.want || err != nil {
					t.Errorf("got %q and %v, want %q", got, err, tt.want)
				}
			}
		})
	}
}

func TestOpenTellsABrokenObjectFromABrokenConnection(t *testing.T) {
	whole := zipped(t, sampleRecord)
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-6] ^= 1 // the checksum
	for _, tt := range []struct {
		name   string
		object []byte
		reason string // of the FormatError when the object ends there
	}{
		{"cut off in the header", whole[:5], "ends too early"},
		{"cut off in the data", whole[:len(whole)/2], "ends too early"},
		{"cut off in the checksum", whole[:len(whole)-3], "ends too early"},
		{"another checksum", damaged, "corrupt"},
		{"something behind it", append(bytes.Clone(whole), "hello, and more"...), "corrupt"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var format *FormatError
			_, err := readAll(bytes.NewReader(tt.object), OpenOptions{})
			if !errors.As(err, &format) || !strings.Contains(format.Reason, tt.reason) {
				t.Errorf("the object ends there: got %v, want a FormatError, %q", err, tt.reason)
			}
		})
	}
	for n := range whole {
		for _, cause := range []error{errCut, io.ErrUnexpectedEOF} {
			r := io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(cause))
			var format *FormatError
			if _, err := readAll(r, OpenOptions{}); !errors.Is(err, cause) || errors.As(err, &format) {
				t.Errorf("the connection is cut after %d bytes: got %v, want %v", n, err, cause)
			}
		}
	}
}

func TestOpenBoundsWhatComesOut(t *testing.T) {
	bomb := zipped(t, strings.Repeat("\x00", ratioFrom+1<<20))
	for _, tt := range []struct {
		name    string
		object  []byte
		options OpenOptions
		want    int
		reason  string
	}{
		{"as many bytes as are allowed", []byte("12345"), OpenOptions{MaxBytes: 5}, 5, ""},
		{"a byte more", []byte("123456"), OpenOptions{MaxBytes: 5}, 5, "the object decompresses to more than 5 bytes"},
		{"a byte more, compressed", zipped(t, "123456"), OpenOptions{MaxBytes: 5}, 5, "the object decompresses to more than 5 bytes"},
		{"a bomb", bomb, OpenOptions{}, -1, "the object decompresses to more than 250 times its size, as logs do not"},
		{"a bomb that is expected", bomb, OpenOptions{MaxRatio: 2000}, ratioFrom + 1<<20, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			content, err := readAll(bytes.NewReader(tt.object), tt.options)
			if tt.want >= 0 && len(content) != tt.want {
				t.Errorf("got %d bytes, want %d", len(content), tt.want)
			}
			var format *FormatError
			switch {
			case tt.reason == "" && err != nil:
				t.Errorf("got %v, want none", err)
			case tt.reason != "" && (!errors.As(err, &format) || format.Reason != tt.reason):
				t.Errorf("got %v, want %q", err, tt.reason)
			}
		})
	}
}

// TestCutterOverOpen: what a cut connection has given is not taken for the end.
func TestCutterOverOpen(t *testing.T) {
	object := zipped(t, "["+strings.Repeat(sampleRecord+",", 40)+sampleRecord+"]")
	for n := range object {
		content, err := Open(io.MultiReader(bytes.NewReader(object[:n]), iotest.ErrReader(errCut)), OpenOptions{})
		if err == nil {
			_, err = io.Copy(io.Discard, readerOf(NewCutter(content, CutterOptions{})))
			content.Close()
		}
		if !errors.Is(err, errCut) {
			t.Fatalf("cut after %d of %d bytes: got %v", n, len(object), err)
		}
	}
}

// readerOf reads all slices.
func readerOf(c *Cutter) io.Reader { return &slices{c: c} }

type slices struct{ c *Cutter }

func (s *slices) Read([]byte) (int, error) {
	_, err := s.c.Next()
	return 0, err
}

// FuzzOpen: nothing panics, and a broken object is always said to be one.
func FuzzOpen(f *testing.F) {
	f.Add(zipped(f, "[]"))
	f.Add(append(zipped(f, "["), zipped(f, "]")...))
	f.Add([]byte("[]"))
	f.Fuzz(func(t *testing.T, object []byte) {
		_, err := readAll(bytes.NewReader(object), OpenOptions{MaxBytes: 1 << 20})
		var format *FormatError
		if err != nil && !errors.As(err, &format) {
			t.Errorf("an object that can be read gives %v, want a FormatError", err)
		}
	})
}

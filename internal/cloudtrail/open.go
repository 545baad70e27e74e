package cloudtrail

import (
	"bufio"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// Defaults of OpenOptions.
const (
	// DefaultMaxBytes is far above what 50 MB of compressed logs, the most that
	// CloudTrail delivers in one file, decompress to.
	DefaultMaxBytes = 4 << 30
	// DefaultMaxRatio is far above what logs reach (about 9, and 60 for one
	// record repeated) and far below what gzip can do (1032).
	DefaultMaxRatio = 250
)

// ratioFrom is how much may come out before the ratio says anything.
const ratioFrom = 16 << 20

// OpenOptions bound what comes out of a compressed object.
type OpenOptions struct {
	// MaxBytes is the most that may come out; DefaultMaxBytes when 0.
	MaxBytes int64
	// MaxRatio is how many times its own size an object may decompress to,
	// once 16 MiB have come out; DefaultMaxRatio when 0.
	MaxRatio int64
}

// Content is a log object, decompressed as it is read. It has to be closed,
// also after an error.
type Content struct {
	*decompressor
	source  source
	options OpenOptions
	out     int64
	err     error
}

// Open returns the content of a log object. What begins as gzip is
// decompressed, all members of it; anything else passes as it is.
//
// What is wrong with the object is a *FormatError: gzip that is corrupt or ends
// too early, or that decompresses to more than the options allow. What is wrong
// with reading r is the error of r, wrapped: a connection that was cut looks
// like an object that is, and only the latter stays so.
func Open(r io.Reader, options OpenOptions) (*Content, error) {
	if options.MaxBytes <= 0 {
		options.MaxBytes = DefaultMaxBytes
	}
	if options.MaxRatio <= 0 {
		options.MaxRatio = DefaultMaxRatio
	}
	c := &Content{decompressor: decompressors.Get().(*decompressor), options: options}
	c.source.r = r
	c.in.Reset(&c.source)
	magic, _ := c.in.Peek(2)
	c.gzip = len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b
	if c.source.err != nil {
		err := c.explain(c.source.err)
		c.Close()
		return nil, err
	}
	if c.gzip {
		if err := c.zip.Reset(c.in); err != nil {
			err = c.explain(err)
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// Read reads decompressed bytes.
func (c *Content) Read(p []byte) (n int, err error) {
	if c.err != nil {
		return 0, c.err
	}
	// One byte more than is allowed may come, to know that there are more.
	if room := c.options.MaxBytes + 1 - c.out; int64(len(p)) > room {
		p = p[:room]
	}
	if c.gzip {
		n, err = c.zip.Read(p)
	} else {
		n, err = c.in.Read(p)
	}
	c.out += int64(n)
	switch {
	case c.out > c.options.MaxBytes:
		n -= int(c.out - c.options.MaxBytes)
		err = &FormatError{uint64(c.options.MaxBytes), fmt.Sprintf("the object decompresses to more than %d bytes", c.options.MaxBytes)}
	case c.gzip && c.out > ratioFrom && c.out > c.options.MaxRatio*c.source.n:
		err = &FormatError{uint64(c.out), fmt.Sprintf("the object decompresses to more than %d times its size, as logs do not", c.options.MaxRatio)}
	case err != nil && err != io.EOF:
		err = c.explain(err)
	}
	c.err = err
	return n, err
}

// explain tells an object that is broken from one that could not be read.
func (c *Content) explain(err error) error {
	switch {
	case c.source.err != nil:
		return fmt.Errorf("reading the object failed after %d compressed bytes: %w", c.source.n, c.source.err)
	case err == io.ErrUnexpectedEOF || err == io.EOF:
		return &FormatError{uint64(c.out), "the gzip stream ends too early"}
	}
	return &FormatError{uint64(c.out), "the gzip stream is corrupt: " + err.Error()}
}

// Close gives back what decompressing needs. It does not close the reader that
// Open was given. It may be called again.
func (c *Content) Close() error {
	if c.decompressor != nil {
		c.in.Reset(nil)
		decompressors.Put(c.decompressor)
		c.decompressor, c.err = nil, io.ErrClosedPipe
	}
	return nil
}

// decompressor is what is worth being used again: 110 kB.
type decompressor struct {
	in   *bufio.Reader
	zip  gzip.Reader
	gzip bool
}

var decompressors = sync.Pool{New: func() any {
	return &decompressor{in: bufio.NewReaderSize(nil, 64<<10)}
}}

// source counts what is read, and remembers why it ended.
type source struct {
	r   io.Reader
	n   int64
	err error // never io.EOF
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

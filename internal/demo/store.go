package demo

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"golang.org/x/sync/errgroup"

	"github.com/trailbell/trailbell/internal/generator"
)

// store is an S3 server on this machine's loopback. Its objects are in memory,
// and only this process can write any, so that it stays as large as the trail.
type store struct {
	url     string
	backend *s3mem.Backend
	server  *http.Server
	serving errgroup.Group
}

// openStore serves a bucket with the given objects.
func openStore(objects []generator.Object) (*store, error) {
	s := &store{backend: s3mem.New()}
	if err := s.backend.CreateBucket(bucket); err != nil {
		return nil, fmt.Errorf("make a bucket: %w", err)
	}
	if err := s.put(objects...); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("S3 server: %w", err)
	}
	s.url = "http://" + l.Addr().String()
	s.server = &http.Server{
		Handler:           readOnly(gofakes3.New(s.backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()),
		ReadHeaderTimeout: 5 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute,
	}
	s.serving.Go(func() error {
		if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return s, nil
}

// put writes objects behind the server's back.
func (s *store) put(objects ...generator.Object) error {
	for _, o := range objects {
		_, err := s.backend.PutObject(bucket, o.Key, map[string]string{"Content-Encoding": "gzip"}, bytes.NewReader(o.Body), int64(len(o.Body)), nil)
		if err != nil {
			return fmt.Errorf("put an object: %w", err)
		}
	}
	return nil
}

// close ends the server and waits for it. Whoever still reads is cut off: those
// that matter have ended before.
func (s *store) close() {
	_ = s.server.Close()
	_ = s.serving.Wait()
}

func readOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "the bucket of the demo is read-only", http.StatusMethodNotAllowed)
			return
		}
		next.ServeHTTP(w, r)
	})
}

package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// health is what /readyz says: which parts of this process cannot do their
// work, and why.
type health struct {
	mu    sync.Mutex
	parts map[string]func() error
}

func newHealth() *health { return &health{parts: map[string]func() error{}} }

// set says how a part is; nil is well.
func (h *health) set(part string, err error) { h.watch(part, func() error { return err }) }

// watch has a part say how it is whenever somebody wants to know. It must not
// wait for anything.
func (h *health) watch(part string, how func() error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.parts[part] = how
}

// check returns what is wrong, a line a part.
func (h *health) check() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var lines []string
	for part, how := range h.parts {
		if err := how(); err != nil {
			lines = append(lines, fmt.Sprintf("%s: %v", part, err))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	sort.Strings(lines)
	return errors.New(strings.Join(lines, "\n"))
}

// serveHTTP answers on an address until ctx ends. It returns the address that
// it listens on, "" for none.
func serveHTTP(ctx context.Context, address string, h *health, g prometheus.Gatherer, run func(func() error)) (string, error) {
	if address == "" {
		return "", nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("metrics: %w; choose another address with --http, or none with --http \"\"", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(g, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := h.check(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ready")
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute}
	run(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("metrics: %w", err)
		}
		return nil
	})
	run(func() error {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(stop) != nil {
			_ = server.Close() // a connection that never asked anything is no failure of ours
		}
		return nil
	})
	return l.Addr().String(), nil
}

// Package natsserver runs a nats-server with JetStream inside the process, for
// those who do not want to run one.
package natsserver

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/trailbell/trailbell/internal/streams"
)

// Options of an embedded server.
type Options struct {
	// Dir holds the store. It is created with mode 0700.
	Dir string
	// Listen is the address for other programs, host:port; port 0 takes a
	// free one; empty listens nowhere and serves this process only.
	Listen string
	// SyncAlways flushes every message to the disk before it is acknowledged:
	// about four times slower, and safe against power loss. Without it the
	// store is flushed every two minutes; a killed process loses nothing
	// either way.
	SyncAlways bool
}

// Server is a running server.
type Server struct {
	server *server.Server
	lock   *os.File
	failed <-chan error
}

// Start runs a server. A directory that another process uses and an address
// that is taken are errors that say what to do.
func Start(o Options) (*Server, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w; choose another with --data-dir", err)
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	opts := &server.Options{
		ServerName: "trailbell",
		JetStream:  true,
		StoreDir:   o.Dir,
		MaxPayload: streams.MaxPayload,
		SyncAlways: o.SyncAlways,
		NoLog:      true,
		NoSigs:     true,
		// Messages of half a megabyte arrive faster than a slow disk takes
		// them; the default of 64 MiB is what a slow reader may hold.
		MaxPending: 64 << 20,
	}
	if o.Listen == "" {
		opts.DontListen = true
	} else {
		host, port, err := splitAddress(o.Listen)
		if err != nil {
			_ = lock.Close()
			return nil, err
		}
		opts.Host, opts.Port = host, port
		if err := probe(o.Listen); err != nil {
			_ = lock.Close()
			return nil, err
		}
	}
	s, err := server.NewServer(opts)
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	log := newListener(o.Dir)
	s.SetLogger(log, false, false)
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		s.Shutdown()
		_ = lock.Close()
		return nil, fmt.Errorf("embedded NATS server: not ready after 30 s; its store is %s", o.Dir)
	}
	return &Server{server: s, lock: lock, failed: log.failed}, nil
}

// URL is the address for other programs; empty when it listens nowhere.
func (s *Server) URL() string {
	if s.server.Addr() == nil {
		return ""
	}
	return s.server.ClientURL()
}

// InProcess is the option for a connection from this process, which does not
// go over the network.
func (s *Server) InProcess() nats.Option { return nats.InProcessServer(s.server) }

// Failed gives one *StoreError when the server cannot write its store any more.
func (s *Server) Failed() <-chan error { return s.failed }

// Stop ends the server and waits for it. It may be called again.
func (s *Server) Stop() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
	_ = s.lock.Close()
}

func splitAddress(address string) (string, int, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("NATS listen address %q: %w; write host:port, for example 127.0.0.1:4222", address, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("NATS listen address %q: port %q is not a number from 0 to 65535", address, port)
	}
	if n == 0 {
		return host, server.RANDOM_PORT, nil
	}
	return host, int(n), nil
}

// probe tells a taken address from the other reasons for which a server does
// not start: the server itself only logs it.
func probe(address string) error {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use, perhaps by a NATS server: use that one with --nats nats://%s, or listen elsewhere with --nats-listen 127.0.0.1:0", address, address)
	}
	if err != nil {
		return fmt.Errorf("NATS listen address: %w; choose another with --nats-listen", err)
	}
	return l.Close()
}

// lockName is the file of a store that its server holds a lock on.
const lockName = "lock"

// lockDir keeps two processes from one store. The lock goes with the process,
// however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w; choose another with --data-dir", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("data directory %s is used by another trailbell; stop it, or choose another with --data-dir", dir)
	}
	return f, nil
}

package streams

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// publishTimeout bounds the wait for an acknowledgement: a server with a
	// full disk gives none.
	publishTimeout = 30 * time.Second
	// publishPending bounds the publishes of a connection that wait for their
	// acknowledgement.
	publishPending = 256
)

// Connect opens a connection and its JetStream context. Name is what
// `nats server report connections` shows. The connection reconnects for ever;
// an address that does not answer at the start is an error.
func Connect(address, name string, log *slog.Logger, opts ...nats.Option) (*nats.Conn, jetstream.JetStream, error) {
	all := append([]nats.Option{
		nats.Name("trailbell " + name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(500 * time.Millisecond),
		nats.Timeout(5 * time.Second),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("NATS connection lost", "url", Redact(address), "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { log.Info("NATS connection restored", "url", Redact(address)) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			log.Warn("NATS connection", "error", err)
		}),
	}, opts...)
	nc, err := nats.Connect(address, all...)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the address, which may hold a password
		}
		return nil, nil, fmt.Errorf("NATS at %s: %w; check --nats, or run `trailbell up` without it, which brings a server of its own", Redact(address), err)
	}
	if p := nc.MaxPayload(); p < MaxPayload {
		nc.Close()
		return nil, nil, fmt.Errorf("NATS at %s accepts messages of %d bytes, and Trailbell needs %d; set max_payload: %d in the server's configuration",
			Redact(address), p, MaxPayload, MaxPayload)
	}
	js, err := jetstream.New(nc,
		jetstream.WithPublishAsyncTimeout(publishTimeout),
		jetstream.WithPublishAsyncMaxPending(publishPending),
		jetstream.WithDefaultTimeout(10*time.Second))
	if err != nil {
		nc.Close()
		return nil, nil, fmt.Errorf("JetStream at %s: %w", Redact(address), err)
	}
	return nc, js, nil
}

// Redact hides the password or token of an address of NATS: a URL, or several
// with commas in between.
func Redact(address string) string {
	all := strings.Split(address, ",")
	for i, one := range all {
		one = strings.TrimSpace(one)
		// As nats.go reads it: the scheme may be left out.
		scheme := ""
		if !strings.Contains(one, "://") {
			scheme = "nats://"
		}
		u, err := url.Parse(scheme + one)
		switch {
		case err != nil:
			all[i] = "(an address that is not a URL)"
			continue
		case u.User != nil:
			// A user without a password is a token.
			if _, ok := u.User.Password(); !ok {
				u.User = url.User("xxxxx")
			}
		}
		all[i] = strings.TrimPrefix(u.Redacted(), scheme)
	}
	return strings.Join(all, ",")
}

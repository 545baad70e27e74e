package app

import (
	"context"
	"log/slog"
)

// without is a logger that leaves out a message.
func without(log *slog.Logger, message string) *slog.Logger {
	return slog.New(withoutHandler{log.Handler(), message})
}

type withoutHandler struct {
	slog.Handler
	message string
}

func (h withoutHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == h.message {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

func (h withoutHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withoutHandler{h.Handler.WithAttrs(attrs), h.message}
}

func (h withoutHandler) WithGroup(name string) slog.Handler {
	return withoutHandler{h.Handler.WithGroup(name), h.message}
}

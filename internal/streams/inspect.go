package streams

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Inspect looks at the streams as Ensure would, and changes nothing. It returns
// the names of those that do not exist yet, which Ensure would create. An
// existing stream that Trailbell could not work with is an *IncompatibleError;
// of several, all are joined.
func Inspect(ctx context.Context, js jetstream.JetStream, l Limits) (missing []string, err error) {
	var errs []error
	for _, want := range l.streams() {
		s, err := js.Stream(ctx, want.Name)
		switch {
		case errors.Is(err, jetstream.ErrStreamNotFound):
			missing = append(missing, want.Name)
		case err != nil:
			return missing, fmt.Errorf("look at stream %s: %w", want.Name, err)
		default:
			if why := incompatible(want, s.CachedInfo().Config); why != "" {
				errs = append(errs, &IncompatibleError{Stream: want.Name, Why: why})
			}
		}
	}
	return missing, errors.Join(errs...)
}

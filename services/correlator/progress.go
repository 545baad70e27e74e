package correlator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// progressKey holds the progress of the windows in the progress bucket.
const progressKey = "windows"

// position is a place in MATCHES. The epoch tells a stream from one that was
// created anew and counts from 1 again.
type position struct {
	Epoch    string `json:"epoch"`
	Sequence uint64 `json:"sequence"`
}

// progress is the fact that the alerts of all matches up to a sequence are in
// ALERTS. Whoever knows it may write it: it only grows.
type progress struct {
	kv    jetstream.KeyValue
	epoch string
}

// read returns the sequence up to which alerts have been written, 0 when none
// were.
func (p progress) read(ctx context.Context) (uint64, error) {
	v, _, err := p.load(ctx)
	return v.Sequence, err
}

func (p progress) load(ctx context.Context) (position, uint64, error) {
	e, err := p.kv.Get(ctx, progressKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return position{}, 0, nil
	}
	if err != nil {
		return position{}, 0, fmt.Errorf("read the progress of the windows: %w", err)
	}
	var v position
	if err := json.Unmarshal(e.Value(), &v); err != nil || v.Epoch != p.epoch {
		return position{}, e.Revision(), nil // of another stream
	}
	return v, e.Revision(), nil
}

// write raises the progress to sequence, if it is not there yet.
func (p progress) write(ctx context.Context, sequence uint64) error {
	for {
		v, revision, err := p.load(ctx)
		if err != nil {
			return err
		}
		if v.Sequence >= sequence {
			return nil
		}
		data, err := json.Marshal(position{p.epoch, sequence})
		if err != nil {
			return err
		}
		_, err = p.kv.Update(ctx, progressKey, data, revision)
		if errors.Is(err, jetstream.ErrKeyExists) {
			continue // another owner was here; look again
		}
		if err != nil {
			return fmt.Errorf("write the progress of the windows: %w", err)
		}
		return nil
	}
}

// Written reports up to which sequence of MATCHES all alerts have been written,
// and the last sequence there is.
func Written(ctx context.Context, js jetstream.JetStream) (written, last uint64, err error) {
	s, err := open(ctx, js)
	if err != nil {
		return 0, 0, err
	}
	written, err = s.progress.read(ctx)
	return written, s.matches.CachedInfo().State.LastSeq, err
}

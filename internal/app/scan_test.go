package app_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/trailbell/trailbell/internal/app"
	"github.com/trailbell/trailbell/internal/directory"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
)

func TestADeadLetterIsOneLineThatATerminalDoesNotObey(t *testing.T) {
	for _, tt := range []struct {
		name string
		dead *trailbellv1.DeadLetter
		want string
	}{
		{
			"an object of a bucket",
			&trailbellv1.DeadLetter{Stage: "fetcher", Reason: "the object is empty", Object: &trailbellv1.ObjectRef{Bucket: "my-trail", Key: "a.json.gz"}, Offset: proto.Uint64(0)},
			"dead: fetcher: s3://my-trail/a.json.gz at byte 0: the object is empty",
		},
		{
			"a file with an escape sequence and a line break in its name",
			&trailbellv1.DeadLetter{Stage: "fetcher", Reason: "the object is empty", Object: &trailbellv1.ObjectRef{Bucket: directory.Bucket, Key: "a\n\x1b[2Jb.json"}},
			`dead: fetcher: a\n\x1b[2Jb.json: the object is empty`,
		},
		{
			"a message that names no object",
			&trailbellv1.DeadLetter{Stage: "decoder", Reason: "not a slice of records", Stream: "BATCHES", Sequence: 7},
			"dead: decoder: message 7 of BATCHES: not a slice of records",
		},
	} {
		if got := app.DeadLine(tt.dead); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

package decoder_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
	"github.com/trailbell/trailbell/services/decoder"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 2 * time.Minute

func slice(object *trailbellv1.ObjectRef, offset uint64, records ...string) *trailbellv1.RecordBatch {
	b := &trailbellv1.RecordBatch{Object: object, Offset: offset}
	var text strings.Builder
	for i, r := range records {
		if i > 0 {
			text.WriteString(",\n")
		}
		b.Starts = append(b.Starts, uint32(text.Len()))
		b.Lengths = append(b.Lengths, uint32(len(r)))
		text.WriteString(r)
	}
	b.Size = uint32(text.Len())
	b.Records = s2.Encode(nil, []byte(text.String()))
	return b
}

func record(id, source, name, account, region string) string {
	return fmt.Sprintf(`{"eventTime":"2026-11-24T10:00:00Z","eventID":%q,"eventSource":%q,"eventName":%q,"recipientAccountId":%q,"awsRegion":%q}`, id, source, name, account, region)
}

// run decodes messages and returns what came out.
func run(t *testing.T, messages ...[]byte) (events []*trailbellv1.EventBatch, subjects []string, dead []*trailbellv1.DeadLetter) {
	t.Helper()
	server := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, server)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- decoder.Run(ctx, js, 1, prometheus.NewRegistry(), natstest.Quiet) }()
	for _, m := range messages {
		if _, err := js.Publish(t.Context(), streams.BatchesSubject("", ""), m); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.After(patience)
	for natstest.Messages(t, js, streams.Batches) > 0 {
		select {
		case err := <-done:
			t.Fatalf("Run ended with %v", err)
		case <-deadline:
			t.Fatal("BATCHES is not empty yet")
		case <-time.After(5 * time.Millisecond):
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run ended with %v", err)
	}
	each(t, js, streams.Events, func(m *jetstream.RawStreamMsg) {
		b := &trailbellv1.EventBatch{}
		if err := proto.Unmarshal(m.Data, b); err != nil {
			t.Fatal(err)
		}
		events, subjects = append(events, b), append(subjects, m.Subject)
	})
	each(t, js, streams.Dead, func(m *jetstream.RawStreamMsg) {
		d := &trailbellv1.DeadLetter{}
		if err := proto.Unmarshal(m.Data, d); err != nil {
			t.Fatal(err)
		}
		dead = append(dead, d)
	})
	return events, subjects, dead
}

func each(t *testing.T, js jetstream.JetStream, stream string, visit func(*jetstream.RawStreamMsg)) {
	t.Helper()
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	for next := uint64(1); ; next++ {
		m, err := s.GetMsg(t.Context(), next)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		visit(m)
	}
}

func encode(t *testing.T, b *trailbellv1.RecordBatch) []byte {
	t.Helper()
	data, err := proto.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestColumnsStandInFrontOfTheRecords(t *testing.T) {
	object := &trailbellv1.ObjectRef{Bucket: "b", Key: "k"}
	in := slice(object, 11,
		record("id-1", "s3.amazonaws.com", "GetObject", "111122223333", "eu-west-1"),
		record("id-2", "ec2.amazonaws.com", "RunInstances", "111122223333", "eu-west-1"),
		record("id-3", "s3.amazonaws.com", "GetObject", "111122223333", "eu-west-1"),
	)
	events, subjects, dead := run(t, encode(t, in))
	if len(events) != 1 || len(dead) != 0 {
		t.Fatalf("%d event batches and %d dead letters", len(events), len(dead))
	}
	got := events[0]
	want := &trailbellv1.EventBatch{
		Object: object, Offset: 11, Size: in.GetSize(), Records: in.GetRecords(), Starts: in.GetStarts(), Lengths: in.GetLengths(),
		Types:      []*trailbellv1.EventType{{Source: "s3.amazonaws.com", Name: "GetObject"}, {Source: "ec2.amazonaws.com", Name: "RunInstances"}},
		TypeIndex:  []uint32{0, 1, 0},
		Times:      []int64{1795514400000, 1795514400000, 1795514400000},
		Identities: []string{"id-1", "id-2", "id-3"},
	}
	if !proto.Equal(want, got) {
		t.Errorf("event batch\n%v\nwant\n%v", got, want)
	}
	if diff := cmp.Diff([]string{streams.EventsSubject("111122223333", "eu-west-1")}, subjects); diff != "" {
		t.Errorf("subject (-want +got):\n%s", diff)
	}
}

func TestABadRecordIsDeadAndTheOthersGoOn(t *testing.T) {
	object := &trailbellv1.ObjectRef{Bucket: "b", Key: "k", Account: "111122223333", Region: "eu-west-1"}
	in := slice(object, 100,
		record("id-1", "s3.amazonaws.com", "GetObject", "", ""),
		`"no object"`,
		`{"eventID":"no time"}`,
		`{"eventTime":"2026-11-24T10:00:00Z","cut`,
		record("", "s3.amazonaws.com", "GetObject", "", ""),
	)
	events, _, dead := run(t, encode(t, in))
	if len(events) != 1 {
		t.Fatalf("%d event batches, want one", len(events))
	}
	last := in.GetStarts()[4]
	if diff := cmp.Diff([]string{"id-1", fmt.Sprintf("b/k#%d", 100+last)}, events[0].GetIdentities()); diff != "" {
		t.Errorf("identities (-want +got):\n%s", diff)
	}
	var offsets []uint64
	for _, d := range dead {
		if d.GetReason() == "" || d.GetObject().GetKey() != "k" || d.GetStage() != "decoder" {
			t.Errorf("dead letter %v", d)
		}
		offsets = append(offsets, d.GetOffset())
	}
	want := []uint64{100 + uint64(in.GetStarts()[1]), 100 + uint64(in.GetStarts()[2]), 100 + uint64(in.GetStarts()[3])}
	if diff := cmp.Diff(want, offsets); diff != "" {
		t.Errorf("offsets of the dead letters (-want +got):\n%s", diff)
	}
}

func TestAMessageThatIsNoSliceIsDead(t *testing.T) {
	beyond := slice(&trailbellv1.ObjectRef{}, 0, "{}")
	beyond.Lengths[0] = 99
	uneven := slice(&trailbellv1.ObjectRef{}, 0, "{}")
	uneven.Lengths = nil
	for name, message := range map[string][]byte{
		"no protobuf":             []byte("\xff\xff\xff"),
		"no S2":                   encode(t, &trailbellv1.RecordBatch{Records: []byte("\xff\xff\xff\xff\xff\xff")}),
		"a record beyond the end": encode(t, beyond),
		"starts without lengths":  encode(t, uneven),
	} {
		t.Run(name, func(t *testing.T) {
			events, _, dead := run(t, message)
			if len(events) != 0 || len(dead) != 1 {
				t.Errorf("%d event batches and %d dead letters, want one dead letter", len(events), len(dead))
			}
		})
	}
}

package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStreamsShrinkToTheRoomThereIs(t *testing.T) {
	whole := DefaultConfig()
	for _, room := range []int64{0, 100 << 20, 500 << 20, 2 << 30, 4 << 30, 1 << 40} {
		c := whole
		c.Streams = c.Streams.within(room)
		if total := c.Limits().Total(); total > max(room, 6*least) || total > whole.Limits().Total() {
			t.Errorf("in %s the streams may take %s", Size(room), Size(total))
		}
		if err := c.Validate(); err != nil {
			t.Errorf("in %s: %v", Size(room), err)
		}
		if room < 4<<30 && c.Streams.Events >= whole.Streams.Events {
			t.Errorf("in %s EVENTS may take %s", Size(room), c.Streams.Events)
		}
	}
	if diff := cmp.Diff(whole.Streams, whole.Streams.within(1<<40)); diff != "" {
		t.Errorf("with room for all the sizes changed (-configured +changed):\n%s", diff)
	}
}

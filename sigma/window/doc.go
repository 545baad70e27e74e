// Package window decides when a correlation holds for one group.
//
// A [Group] is the ordered sequence of the events that match one correlation
// with one set of group-by values. It answers one question: which are the
// episodes of this sequence?
//
// # Words
//
// Events are ordered by (time, identity), never by arrival. An identity counts
// once. At every event, in order, stands a window: the closed interval
// [t - timespan, t], over the events up to and including this one in order.
// Of several events at one time the later in order sees the earlier ones and
// not the other way round. The condition of the correlation is tested on each
// window; the event at its end holds or does not.
//
// An episode is a maximal run of consecutive events that hold. Its
// contributing events are those of the windows of the run, which are
// contiguous: from the start of the first window to the last event that holds.
//
//	            timespan
//	      |<------------------>|
//	------a--b-----c--d--------e--f-----------------g---> time
//	                           H  H                 -
//	      [ contributing, a to f  ]
//	                           [  ] holding run
//
// The episode is open while no later event of the group fails to hold.
//
// # Order of arrival
//
// Events may be inserted in any order, any number of times: the same set of
// events has the same episodes. The package reads no clock, and knows neither
// where events come from nor what becomes of episodes.
//
// # Forgetting
//
// [Group.Forget] drops events by the time at which the log stored them. What
// was concluded from a forgotten event stays. The verdict on a window that has
// lost events is not revised, unless what is left of the window is enough for
// another one: five events are at least four, and are not less than three,
// whatever else there was. A run stays cut where a forgotten event cut it; and
// an episode that ended does not open again. A late event between two others
// takes their verdict if what is forgotten may have been in its window.
package window

// Package window decides when a correlation holds for one group.
//
// A [Group] is the ordered sequence of the events that match one correlation
// with one set of group-by values. It answers one question: which are the
// episodes of this sequence? A [Chain] answers it for a correlation over
// correlations.
//
// # Words
//
// Events are ordered by (time, identity), never by arrival. An identity counts
// once. At every event, in order, stands a window: the closed interval
// [t - timespan, t], over the events up to and including this one in order.
// Of several events at one time the later in order sees the earlier ones and
// not the other way round. The [Condition] of the correlation is tested on each
// window; the event at its end holds or does not. It is tested nowhere else:
// that there are fewer than three events is never said of a time at which
// nothing happens.
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
// # Measures
//
// What is tested is a [Measure] of the window. With Events it is their number:
//
//	events           a    b    c              d    timespan |<------->|
//	in the window    1    2    3              1
//
// With Values it is the number of distinct values of the events. An event may
// have several; a value counts once, at however many events it occurs:
//
//	values           x    y    x,z            x    timespan |<------->|
//	in the window    1    2    3              1
//
// With Rules the events stand for one input or several, such as the rules that
// a record matches, and the measure is how many inputs occur. Instead of bounds
// a condition can have terms: "0 and 1 and not 2" is one that needs 0 and 1
// with 2 absent, "0 or 1" is two of them. Inputs may occur in any order:
//
//	inputs           1    0    2              0    timespan |<------->|
//	in the window    1    2    3              1
//	0 and 1, not 2   -    H    -              -
//
// With OrderedRules the inputs must occur in order, each at an event of its
// own. What a term needs, it needs in the order in which it says so; bounds
// compare the length of the longest sequence of ascending inputs. Events of one
// time may be read in any order, since most sources of time are coarser than
// what happens. All of the sequence is in the window, from its first step on:
//
//	inputs           1    0    1              1    timespan |<------->|
//	longest          1    1    2              1
//	0, then 1        -    -    H              -
//
// Sum, Average and Percentile are those of all numbers of the events in the
// window, in millionths and without rounding: sums have 128 bits, an average is
// compared as a sum with a multiple of the bound, and the percentile between two
// numbers lies on the line from one to the other.
//
//	numbers          4    0    8,0            6    timespan |<------->|
//	Sum              4    4    12             6
//	Average          4    2    3              6
//	Percentile 50    4    2    2              6
//
// # Chains
//
// A correlation used as the input of another occurs at every event at which
// its condition holds, with that event's time. So a chain has groups at every
// level. An event is inserted with all that it may count for, at every level;
// where that includes the bit of another level, this bit counts while the other
// level holds at the event.
//
//	"more than two failures by one user within 10 s, and then a success"
//
//	level 1, more than 2, within 10 s     f  f  f  f
//	                                      -  -  H  H
//	                                            |  |
//	level 0, input 0, then input 1              0  0         1
//	                                            -  -         H
//
// A level may feed several, and one level may be fed by several, but none feeds
// itself. What changes inside is carried outwards when somebody looks, until
// nothing changes any more. The groups of the outermost level, the roots, have
// the episodes that matter. An event that counted for a root and does so no
// more, since an inner condition ceased to hold there, is gone, which is
// something else than forgotten: see [Group.Gone].
//
// # Order of arrival
//
// Events may be inserted in any order, any number of times: the same set of
// events has the same episodes. The package reads no clock, and knows neither
// where events come from nor what becomes of episodes.
//
// # Costs
//
// To insert into a group of n events costs a binary search among them, and
// moving a few hundred. The windows that the event falls into are judged when
// somebody looks, once for all insertions until then, in one pass that slides
// from window to window:
//
//	              late  late
//	a  b  c  d  e  |  f  |  g  h  i  j  k  l  m  n
//	               [ judged, once        ]
//
// For events that come in order this is what enters the window and what leaves
// it. To come to windows elsewhere takes as many steps as there are events on the
// way there, or in the first of these windows. A step is
//
//   - for Events nothing, for Rules, Sum and Average a few additions;
//   - for Values and Percentile a look-up among the values of the window, which
//     are kept in order;
//   - for OrderedRules one for each step of the sequences that the event may be;
//     with bounds, of a sequence of k inputs, a multiple of k times k. These need
//     the events in order: to begin elsewhere it reads a few dozen before.
//
// Where something has been forgotten within a timespan of the event, it is judged
// at once.
//
// An event takes 64 bytes in its group, an identity that is a UUID or has at most
// 16 bytes included; another identity takes its length and 16 more, and two values
// or more 8 each and 24 more. What is kept to slide, a large group's index of its
// identities, and empty room make it less than 100. A group takes about 200 beside
// its events, and its values.
//
// To insert into a chain costs this for each group that it touches, once for all
// insertions with one Seq. A unit of a chain's size is less than 100 bytes, too.
//
// # Forgetting
//
// [Group.Forget] drops events by the time at which the log stored them. What
// was concluded from a forgotten event stays. The verdict on a window that has
// lost events is not revised, unless an event arrives in it and what is left is
// enough: five events are at least four, and are not less than three, whatever
// else there was. Nothing is enough for an average or a percentile to be less
// than a bound, or for a sum where there have been numbers below zero. A run
// stays cut where a forgotten event cut it, and an episode that ended does not
// open again. A late event between two others takes their verdict if what is
// forgotten may have been in its window, and is judged by what there is
// otherwise. Two events count together if there was a time at which both were
// remembered.
package window

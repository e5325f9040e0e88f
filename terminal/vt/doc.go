// Package vt is a terminal without a screen: bytes from a program go in, a
// grid of cells comes out. It has no toolkit, so the same code stands behind
// the session window, inside the guest (which keeps a copy of the screen to
// replay to a new viewer) and behind the command line (which lets guest output
// reach a person's own terminal only after it went through this grid).
//
// [Terminal] is the machine. Write feeds it and never fails, blocks or
// panics, whatever arrives: everything that a program sends is taken as
// hostile. View gives a consistent look at the [Screen] for painting; each
// line carries a sequence number, so a painter redraws what changed and
// nothing else. Replies (to queries such as DA1 or CPR) wait in a bounded
// queue that somebody carries back to the program. [Event] values report what
// is not on the grid: title, bell, clipboard, notifications.
//
// EncodeKey, EncodeMouse, EncodePaste and EncodeFocus turn input into the
// bytes that the program asked for by its modes. AppendRedraw writes bytes
// that rebuild the screen in another terminal; a [Renderer] keeps such a
// terminal up to date with differences, from a small list of plain sequences.
//
// Names and numbers of control functions follow "XTerm Control Sequences"
// (ctlseqs), ECMA-48 and the VT420 and VT510 manuals.
package vt

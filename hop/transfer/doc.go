// Package transfer moves files and folders as one tar stream, in both
// directions between a person's disk and a bottle.
//
// [Pack] writes a stream and never opens what is not a regular file or a
// folder; [Unpack] takes one from a stranger: it builds everything in a fresh
// folder of its own beside the destination and moves it into place only when
// the whole stream was right.
package transfer

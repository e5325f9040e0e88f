// Package hop is the one way between a bottle and the app: a byte pipe out of
// a machine that has no network, with one multiplexed session on it.
//
// A [Listener] owns the host's socket. Each connection to it must prove that
// it knows the secret of this start of the machine; the first that does
// becomes the [Session], and a gate in front of the multiplexer holds the
// guest to a narrow dialect of its protocol. Streams that the guest opens
// carry egress or events and nothing else. Everything the app wants from the
// guest (commands, terminals, files, probes) it opens itself, with a deadline.
//
// [Dial] is the guest's end of the same session. What comes from there is
// treated as written by an enemy: a guest may have replaced its helper.
package hop

// Package guest is the helper that runs inside a bottle: the other end of
// the hop.
//
// [Run] keeps a session to the app and serves what the app asks: commands,
// terminals that outlive their viewers, files, probes. It takes the proxy's
// connections on the guest's loopback and carries each as one stream, and
// passes hook events on. It runs as root and changes to the session's user
// itself for everything that it starts.
//
// [Main] is the whole command, with its verbs: start, run, hook, and those
// with which the helper starts itself as another user.
package guest

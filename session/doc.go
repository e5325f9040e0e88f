// Package session is the window on a session in a bottle: a terminal edge to
// edge, a status line whose parts open what they name, and the place where
// files are dropped to be copied into the VM.
//
// [Windows] holds all of them: Open and Shell show one, Update tells them what
// is known now. The world behind comes in as two small interfaces, [Backend]
// for bytes and [Opener] for the other windows. Everything here belongs to the
// toolkit's goroutine; background work comes back to it through the post
// function alone.
package session

// Package sidecar runs the one way out that a bottle has.
//
// A [Sidecar] is a small program, package egress with a control channel, that
// runs either in a hardened container of its own or, without an engine, as a
// child process of the app. Two [Driver] kinds make them; a [Fleet] keeps one
// warm so that a launch need not wait. [FindEngine] looks for a Docker engine
// that may be trusted with the person's credential. [Relay] carries a bottle's
// streams to its sidecar.
//
// Everything fails closed: a sidecar serves health and echo only until it is
// opened, and when it dies its streams end with it.
package sidecar

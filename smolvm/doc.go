// Package smolvm drives the smolvm command: one Go method per verb, for every
// release from 0.8.0 on.
//
// [Find] locates the command and tells which release it is; [Install.Client]
// binds it to a private [Home]. The [Client] then makes, starts, enters and
// removes machines, hiding how the releases differ: four families of argument
// shapes, exit codes that mean several things, a state that can lie. What goes
// wrong arrives as a [*CommandError] that matches one of the Err values with
// errors.Is and knows a cure.
//
// The package knows nothing of bottles, sidecars or libraries.
package smolvm

// Package cli is the command line: it turns words into calls on the process
// that owns the bottles, and answers into text or JSON.
//
// The rules of its output: results go to standard output, as text on a
// terminal and as stable JSON with --json; a failure is one line on standard
// error, "bottlebar: what failed: why: what to do". It ends with 0, 1 for a
// failure, 2 for a wrong command line; exec passes the guest's code through.
// Text that came from a guest is cleaned before a terminal sees it; a pipe gets
// it as it is.
package cli

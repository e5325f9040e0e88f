//go:build !darwin

package macos

// OnWake has woke called after each sleep of the computer. This system has
// nobody who tells; the app's clocks do.
func OnWake(func()) error { return nil }

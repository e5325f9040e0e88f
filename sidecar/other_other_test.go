//go:build !linux

package sidecar

// lockOther does nothing where a thread cannot be another user's.
func lockOther() {}

//go:build !darwin

package macos

// HideDockIcon makes this process a menu-bar application without a Dock icon.
// There is nothing to hide on this system.
func HideDockIcon() error { return nil }

// Package macos holds the few calls into macOS that the toolkit does not
// offer, in pairs of files: one for macOS, one for everywhere else that does
// nothing. It calls the Objective-C runtime at run time, so it needs neither
// cgo nor Apple's headers to compile.
package macos

// Package cache is the library: the artifacts that bottles are launched from.
//
// A [Library] is one folder. Each artifact lies there under its SHA-256, beside
// a small record of what is known about it; index.json lists all records, for
// speed, and is made again from them whenever it is lost or behind. Nothing
// enters that package artifact has not gone through byte by byte, in the
// library's own copy. Several processes may use one folder at once.
//
// The package knows nothing of bottles: whether an artifact is in use is its
// callers' business.
package cache

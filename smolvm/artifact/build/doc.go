// Package build writes .smolmachine artifacts in the format that smolvm
// itself writes: a zstd stream of a tar that holds the agent's root and the
// image's layers, a JSON manifest, and a 64-byte footer.
//
// Tests, the demo and the stand-in's "pack create" use it. The same input
// gives the same bytes. [Write] takes layers, each from files in memory or
// from a folder; [FromDir] and [Demo] are the two common cases.
package build

// Package atomicfile replaces files so that a reader, or the next start after
// a power cut, finds the old contents or the new ones and nothing between.
package atomicfile

//go:build !linux

package inside

// mapping is a part of the program's file in memory; only Linux is asked to
// take one back.
type mapping struct{}

func mappings() []mapping { return nil }

func (mapping) drop() {}

package bottle

import (
	"crypto/rand"
	"encoding/hex"
)

// newCanary makes the placeholder credential of one start. It has the shape of
// a real token, so that the client sends it; it opens nothing anywhere.
func newCanary() string {
	var b [24]byte
	_, _ = rand.Read(b[:])
	return "sk-ant-oat01-bottle-" + hex.EncodeToString(b[:])
}

package bottle

import (
	"crypto/rand"
	"encoding/hex"
)

const canaryPrefix = "sk-ant-oat01-bottle-"

// newCanary makes the placeholder credential of one start. It has the shape of
// a real token, so that the client sends it; it opens nothing anywhere.
func newCanary() string {
	var b [24]byte
	_, _ = rand.Read(b[:])
	return canaryPrefix + hex.EncodeToString(b[:])
}

package app

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"bottlebar.app/internal/atomicfile"
	"bottlebar.app/internal/fault"
)

// helpers unpacks the guest helper for a processor into the cache, under the
// hash of its packed bytes, so that smolvm can copy it into a VM.
type helpers struct {
	dir  string
	from fs.FS
}

// maxHelper bounds what is unpacked; the helper has a few megabytes.
const maxHelper = 64 << 20

func (h helpers) path(arch string) (string, error) {
	name := "helper-" + arch + ".gz"
	packed, err := fs.ReadFile(h.from, name)
	if err != nil {
		return "", fault.Wrap(err, "looking for the helper", "build it with make helpers")
	}
	sum := sha256.Sum256(packed)
	path := filepath.Join(h.dir, "helper-"+arch+"-"+hex.EncodeToString(sum[:6]))
	if fi, err := os.Stat(path); err == nil && fi.Mode().IsRegular() {
		return path, nil
	}
	f, err := h.from.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(z, maxHelper+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxHelper {
		return "", errors.New("the helper is too large")
	}
	return path, atomicfile.Write(path, b, 0o700)
}

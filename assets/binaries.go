package assets

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"bottlebar.app/internal/fault"
)

//go:embed linux
var linux embed.FS

// Binaries returns the Linux programs that the app carries, each gzipped:
// sidecar-amd64.gz, sidecar-arm64.gz, helper-amd64.gz and helper-arm64.gz.
// They are built by make and are no part of the sources; opening one that was
// not built gives an error that says so and matches fs.ErrNotExist.
func Binaries() fs.FS { return binaries{} }

type binaries struct{}

func (binaries) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	path := "linux"
	if name != "." {
		path += "/" + name
	}
	f, err := linux.Open(path)
	if errors.Is(err, fs.ErrNotExist) && strings.HasSuffix(name, ".gz") {
		e := fault.New(fmt.Sprintf("opening the Linux program %s", strings.TrimSuffix(name, ".gz")),
			"this build does not carry it", "build with make, which makes the Linux programs first")
		e.Err = err
		return nil, e
	}
	return f, err
}

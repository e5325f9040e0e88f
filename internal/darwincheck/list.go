package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// listed is what `go list -json` says of a package, as far as it matters here.
type listed struct {
	ImportPath string            // "p", or "p [p.test]" for the build of p with its tests
	Dir        string            // where the files lie
	GoFiles    []string          // without cgo
	CgoFiles   []string          // with it
	ImportMap  map[string]string // import as written → import path, where they differ
	Module     *struct {
		Main      bool
		GoVersion string
	}
	Error *struct{ Err string }
}

// ours says whether the package belongs to the module that is checked.
func (p *listed) ours() bool { return p.Module != nil && p.Module.Main }

// list returns the packages, their tests and everything they import, in an order
// in which each comes after its imports. The list is made as if cgo were on, since
// that is how the app is built on a Mac; listing alone never calls a C compiler.
func list(ctx context.Context, dir, arch string, patterns []string) ([]*listed, error) {
	args := append([]string{"list", "-e", "-deps", "-test", "-json=ImportPath,Dir,GoFiles,CgoFiles,ImportMap,Module,Error"}, patterns...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=darwin", "GOARCH="+arch, "CGO_ENABLED=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the packages: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	var all []*listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(listed)
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading go list: %w", err)
		}
		// The main function of a test binary is generated and imports only what is listed anyway.
		if !strings.HasSuffix(p.ImportPath, ".test") {
			all = append(all, p)
		}
	}
}

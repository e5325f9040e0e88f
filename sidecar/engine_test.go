package sidecar

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"testing/fstest"
	"time"
)

// program is the sidecar's program, built once for this run of the tests.
var program struct {
	path     string
	binaries fs.FS
}

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "bottlebar-sidecar-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program.path = filepath.Join(dir, "bundle")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -buildid=", "-o", program.path, "./bundle")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the sidecar's program: %v\n%s", err, out)
		return 1
	}
	bin, err := os.ReadFile(program.path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var z bytes.Buffer
	// Unpacking would take most of the time under the race detector.
	w, _ := gzip.NewWriterLevel(&z, gzip.NoCompression)
	w.Write(bin)
	w.Close()
	program.binaries = fstest.MapFS{"sidecar-" + runtime.GOARCH + ".gz": {Data: z.Bytes()}}
	return m.Run()
}

// within is the deadline of one test's calls.
func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// realEngine is the engine of this machine; without one the engine tests fail.
func realEngine(t *testing.T) *Engine {
	t.Helper()
	e, err := FindEngine(testContext(t), FindOptions{Home: os.Getenv("HOME"), UID: os.Getuid()})
	if err != nil {
		t.Fatalf("these tests need a Docker engine: install and start one with `apt-get install -y docker.io && service docker start`: %v", err)
	}
	return e
}

// dockerDriver returns a driver whose objects nobody else's sweep touches and
// which leaves none behind.
func dockerDriver(t *testing.T) *docker {
	t.Helper()
	d, err := NewDocker(realEngine(t), DockerOptions{App: "test-" + newID(), Binaries: program.binaries})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := d.Sweep(context.Background(), nil); err != nil {
			t.Errorf("sweeping after the test: %v", err)
		}
		d.Close()
	})
	return d.(*docker)
}

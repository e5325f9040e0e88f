package app_test

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"testing/fstest"
)

// world is what all tests share: the stand-in command, the Linux programs and
// the demo artifact, built once from this module.
type world struct {
	dir      string
	standin  string
	artifact string
	binaries fs.FS
}

var shared world //nolint:gochecknoglobals // made by TestMain alone

func TestMain(m *testing.M) {
	if os.Getenv(lineEnv) != "" {
		runLine()
	}
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		runServe()
	}
	if os.Getenv(childEnv) != "" {
		runChild()
	}
	dir, err := os.MkdirTemp("", "world")
	if err == nil {
		shared, err = build(dir)
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		atOnce()
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// atOnce lets more of these tests run side by side than there are processors,
// unless somebody said how many: most of a test's time is waiting for the
// engine, for machines and for timers.
func atOnce() {
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if !said {
		_ = flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
	}
}

func build(dir string) (world, error) {
	w := world{dir: dir, standin: filepath.Join(dir, "bin", "smolvm"), artifact: filepath.Join(dir, "demo.smolmachine")}
	files := fstest.MapFS{}
	for name, pkg := range map[string]string{"sidecar": "bottlebar.app/sidecar/bundle", "helper": "bottlebar.app/guest/cmd"} {
		f, err := packed(filepath.Join(dir, name), pkg)
		if err != nil {
			return w, err
		}
		files[name+"-"+runtime.GOARCH+".gz"] = f
	}
	w.binaries = files
	if err := goBuild(w.standin, "bottlebar.app/smolvm/standin"); err != nil {
		return w, err
	}
	if b, err := exec.Command(w.standin, "standin", "--lay-root", filepath.Join(dir, "bin", "agent-rootfs")).CombinedOutput(); err != nil {
		return w, fmt.Errorf("laying the agent root: %w\n%s", err, b)
	}
	if b, err := exec.Command("go", "run", "bottlebar.app/smolvm/artifact/build/demo", "-o", w.artifact).CombinedOutput(); err != nil {
		return w, fmt.Errorf("making the demo artifact: %w\n%s", err, b)
	}
	return w, nil
}

// goBuild builds a program of this module for a bottle, with the flags of make
// helpers: every test that starts a sidecar then uses one image.
func goBuild(out, pkg string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -buildid=", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, b)
	}
	return nil
}

// packed builds a program and packs it as the app carries it, but without
// compressing: under the race detector, packing it and unpacking it for each
// app would take most of the time of these tests.
func packed(out, pkg string) (*fstest.MapFile, error) {
	if err := goBuild(out, pkg); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	var z bytes.Buffer
	gz, err := gzip.NewWriterLevel(&z, gzip.NoCompression)
	if err != nil {
		return nil, err
	}
	if _, err := gz.Write(b); err != nil {
		return nil, err
	}
	if err := gz.Close(); err != nil {
		return nil, err
	}
	return &fstest.MapFile{Data: z.Bytes(), Mode: 0o444}, nil
}

package app_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"bottlebar.app/app"
	"bottlebar.app/control"
	"bottlebar.app/internal/claude"
	"bottlebar.app/internal/clone"
	"bottlebar.app/sidecar"
	"bottlebar.app/smolvm"
	"bottlebar.app/snapshot"
)

// samples is how often each kind of launch is taken; the median is told.
const samples = 5

// BenchmarkLaunch launches an artifact that holds the real client, on a file
// system that clones and on one that does not, beside the plain sequence of
// commands one after another:
//
//	plain     a sidecar made cold, create, start, a first command
//	cold      no sidecar waits, no prepared home
//	prepared  no sidecar waits, a prepared home is there
//	warm      a sidecar waits, a prepared home is there
//
// "ms" is the whole click to the session; "x-plain" its ratio to the plain
// sequence; "own-ms" the click without the copy of the home and without the
// machine's own start; then each step in ms. Where the disk does not clone
// there are no prepared homes, so that each launch creates its machine.
func BenchmarkLaunch(b *testing.B) {
	dir, err := claude.CacheDir()
	if err != nil {
		b.Fatal(err)
	}
	artifact, err := claude.Artifact(b.Context(), dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, fs := range filesystems() {
		b.Run(fs.name, func(b *testing.B) {
			bed := fs.bed(b)
			bed.lay(artifact)
			plain := time.Duration(0)
			b.Run("plain", func(b *testing.B) { plain = bed.plain(b) })
			b.Run("cold", func(b *testing.B) { bed.launches(b, plain, bed.cold) })
			if bed.clones {
				b.Run("prepared", func(b *testing.B) { bed.launches(b, plain, bed.prepared) })
			}
			b.Run("warm", func(b *testing.B) { bed.launches(b, plain, bed.warm) })
		})
	}
}

// filesystem is a kind of disk to launch on; without mkfs it is this computer's.
type filesystem struct {
	name string
	mkfs []string
}

// filesystems are two of our own in files, which takes root; else what is there.
func filesystems() []filesystem {
	if os.Getuid() != 0 {
		return []filesystem{{name: "this-disk"}}
	}
	return []filesystem{
		{"xfs-clones", []string{"mkfs.xfs", "-q", "-m", "reflink=1"}},
		{"ext4-copies", []string{"mkfs.ext4", "-q"}},
	}
}

// bed is a disk with the stand-in, an artifact and a Bottlebar on it.
type bed struct {
	b        *testing.B // that made it
	dir      string
	clones   bool
	standin  string
	artifact string
}

func (f filesystem) bed(b *testing.B) *bed {
	b.Helper()
	dir, err := os.MkdirTemp("", "bl") // short: sockets lie in it
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	if len(f.mkfs) > 0 {
		image := filepath.Join(b.TempDir(), "disk")
		size := "16G" // holes; a launch wants 5 GB to be free
		must(b, "truncate", "-s", size, image)
		must(b, append(slices.Clone(f.mkfs), image)...)
		must(b, "mount", "-o", "loop", image, dir)
		b.Cleanup(func() { must(b, "umount", dir) })
	}
	clones, err := clone.Supported(dir)
	if err != nil {
		b.Fatal(err)
	}
	return &bed{b: b, dir: dir, clones: clones, standin: filepath.Join(dir, "bin", "smolvm"), artifact: filepath.Join(dir, "claude.smolmachine")}
}

func must(tb testing.TB, argv ...string) {
	tb.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil { //nolint:gosec // our own words
		tb.Fatalf("%s: %v\n%s(script/setup.sh test installs what is missing)", strings.Join(argv, " "), err, out)
	}
}

// lay puts the command and the artifact on the disk, and the artifact into the
// library.
func (d *bed) lay(artifact string) {
	d.b.Helper()
	must(d.b, "cp", "-a", filepath.Dir(shared.standin), filepath.Join(d.dir, "bin"))
	must(d.b, "cp", artifact, d.artifact)
	a, end := d.open(d.b)
	defer end()
	if _, err := a.AddArtifact(d.b.Context(), control.AddRequest{Path: d.artifact}, nil); err != nil {
		d.b.Fatal(err)
	}
}

func (d *bed) getenv(k string) string {
	switch k {
	case "BOTTLEBAR_HOME":
		return filepath.Join(d.dir, "bb")
	case "BOTTLEBAR_SMOLVM":
		return d.standin
	case "PATH", "DOCKER_HOST", "HOME":
		return os.Getenv(k)
	}
	return ""
}

// open opens the app; the function that it returns closes it.
func (d *bed) open(b *testing.B) (*app.App, func()) {
	b.Helper()
	a, err := app.Open(b.Context(), app.Options{
		Version: "bench", Binaries: shared.binaries, Getenv: d.getenv,
		Unsetenv: func(string) error { return nil }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	return a, a.Close
}

// plain takes the steps one after another, with the same wrapper and the same
// driver: what a script would do.
func (d *bed) plain(b *testing.B) time.Duration {
	b.Helper()
	ctx := b.Context()
	var finder smolvm.Finder
	in, err := finder.Find(ctx, smolvm.FindOptions{Command: d.standin, Home: d.dir, Path: os.Getenv("PATH")})
	if err != nil {
		b.Fatal(err)
	}
	driver := d.driver(b)
	defer func() { _ = driver.Close() }()
	var took []time.Duration
	steps := map[string][]time.Duration{}
	for b.Loop() {
		took = took[:0]
		for i := range samples {
			began := time.Now()
			at := began
			done := func(name string) {
				steps[name] = append(steps[name], time.Since(at))
				at = time.Now()
			}
			car, err := driver.Start(ctx, false)
			if err != nil {
				b.Fatal(err)
			}
			done("sidecar")
			client := in.Client(smolvm.Home{Dir: filepath.Join(d.dir, fmt.Sprint("p", i))})
			if err := client.Create(ctx, smolvm.CreateOptions{Name: "bottle", From: d.artifact}); err != nil {
				b.Fatal(err)
			}
			done("home")
			if err := client.Start(ctx, "bottle", smolvm.StartOptions{Fresh: true}); err != nil {
				b.Fatal(err)
			}
			done("start")
			if res, err := client.Exec(ctx, "bottle", smolvm.ExecOptions{}, "echo", "hello"); err != nil || res.ExitCode != 0 {
				b.Fatal(res, err)
			}
			done("exec")
			took = append(took, time.Since(began))
			if err := client.Stop(ctx, "bottle"); err != nil {
				b.Fatal(err)
			}
			if err := car.Close(ctx); err != nil {
				b.Fatal(err)
			}
			must(b, "rm", "-rf", client.Home().Dir)
			must(b, "sync")
		}
	}
	m := median(took)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(m), "ms")
	for name, list := range steps {
		b.ReportMetric(ms(median(list)), name)
	}
	return m
}

func (d *bed) driver(b *testing.B) sidecar.Driver {
	b.Helper()
	choice, err := sidecar.Choose(b.Context(), "docker", sidecar.FindOptions{Host: os.Getenv("DOCKER_HOST"), Home: d.dir, GOOS: "linux", Getenv: os.Getenv})
	if err != nil {
		b.Fatal(err)
	}
	driver, err := sidecar.NewDocker(choice.Engine, sidecar.DockerOptions{App: "bench", Binaries: shared.binaries})
	if err != nil {
		b.Fatal(err)
	}
	return driver
}

// launch is one click: how long it took as a whole, and its steps.
type launch struct {
	took   time.Duration
	bottle snapshot.Bottle
}

func (l launch) step(name string) time.Duration {
	for _, s := range l.bottle.Steps {
		if s.Name == name {
			return s.Took
		}
	}
	return 0
}

// launches takes samples of one kind and tells them.
func (d *bed) launches(b *testing.B, plain time.Duration, one func(*testing.B) launch) {
	b.Helper()
	var all []launch
	for b.Loop() {
		all = all[:0]
		for range samples {
			all = append(all, one(b))
			must(b, "sync")
		}
	}
	of := func(f func(launch) time.Duration) time.Duration {
		var list []time.Duration
		for _, l := range all {
			list = append(list, f(l))
		}
		return median(list)
	}
	b.ReportMetric(0, "ns/op")
	total := of(func(l launch) time.Duration { return l.took })
	b.ReportMetric(ms(total), "ms")
	if plain > 0 {
		b.ReportMetric(float64(total)/float64(plain), "x-plain")
	}
	b.ReportMetric(ms(of(func(l launch) time.Duration { return l.took - l.step("home") - l.step("start") })), "own-ms")
	for _, s := range all[0].bottle.Steps {
		b.ReportMetric(ms(of(func(l launch) time.Duration { return l.step(s.Name) })), s.Name)
	}
}

// click launches once; the bottle goes when end is called, outside the time.
func (d *bed) click(b *testing.B, a *app.App, command ...string) (l launch, end func()) {
	b.Helper()
	began := time.Now()
	view, err := a.Launch(b.Context(), control.LaunchRequest{Artifact: "claude", Command: command}, nil)
	if err != nil {
		b.Fatal(err)
	}
	return launch{time.Since(began), view}, func() {
		if err := a.Stop(b.Context(), view.Name); err != nil {
			b.Fatal(err)
		}
	}
}

// warm launches when a sidecar waits and nothing else goes on.
func (d *bed) warm(b *testing.B) launch {
	b.Helper()
	a, shut := d.open(b)
	defer shut()
	d.awaitSidecar(b)
	l, end := d.click(b, a)
	end()
	return l
}

// prepared launches right after another launch has taken the sidecar that
// waited: the next one is made some seconds later.
func (d *bed) prepared(b *testing.B) launch {
	b.Helper()
	return d.second(b, func() {})
}

func (d *bed) cold(b *testing.B) launch {
	b.Helper()
	return d.second(b, func() { must(b, "rm", "-rf", filepath.Join(d.dir, "bb", "cache", "prepared")) })
}

func (d *bed) second(b *testing.B, before func()) launch {
	b.Helper()
	a, shut := d.open(b)
	defer shut()
	d.awaitSidecar(b)
	_, endFirst := d.click(b, a, "sleep", "600") // the client would take a processor to start
	before()
	l, end := d.click(b, a)
	end()
	endFirst()
	return l
}

// awaitSidecar waits until one is there that no bottle has.
func (d *bed) awaitSidecar(b *testing.B) {
	b.Helper()
	engine, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Close()
	waiting := filters.NewArgs(filters.Arg("label", "bottlebar.app="+app.Instance(filepath.Join(d.dir, "bb", "state"))),
		filters.Arg("label", "bottlebar.role=warm"), filters.Arg("status", "running"))
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	for there := false; !there; {
		list, err := engine.ContainerList(ctx, container.ListOptions{Filters: waiting})
		if err != nil {
			b.Fatal(err)
		}
		<-time.After(500 * time.Millisecond) // it runs; its keys come a moment later
		there = len(list) > 0
	}
}

func median(list []time.Duration) time.Duration {
	list = slices.Clone(list)
	slices.Sort(list)
	return list[len(list)/2]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

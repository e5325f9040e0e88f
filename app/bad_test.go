package app_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"bottlebar.app/app"
	"bottlebar.app/cache"
	"bottlebar.app/control"
	"bottlebar.app/internal/fault"
	"bottlebar.app/snapshot"
)

// says fails unless err is one clear failure: a reason with the words in why,
// and a cure.
func says(t *testing.T, err error, why string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	f := fault.Of(err)
	if !strings.Contains(f.Error(), why) {
		t.Errorf("the error reads %q, want %q in it", f.Error(), why)
	}
	if f.Cure == "" {
		t.Errorf("no cure: %q", f.Error())
	}
	if strings.ContainsAny(f.Error(), "\n\x1b") {
		t.Errorf("not one clean line: %q", f.Error())
	}
}

func TestWhatIsNotThereOrNotLegalIsOneClearSentence(t *testing.T) {
	t.Parallel()
	h, b := ready(t, "")
	ctx := t.Context()
	launch := func(req control.LaunchRequest) error {
		_, err := h.app.Launch(ctx, req, nil)
		return err
	}
	says(t, launch(control.LaunchRequest{Artifact: "nosuch"}), "nosuch")
	says(t, launch(control.LaunchRequest{Artifact: "demo", Name: "No Such"}), "not allowed")
	says(t, launch(control.LaunchRequest{Artifact: "demo", Name: "a--b"}), "hyphens")
	says(t, launch(control.LaunchRequest{Artifact: "demo", Name: "-rf"}), "hyphen")
	says(t, launch(control.LaunchRequest{Artifact: "demo", Name: strings.Repeat("a", 64)}), "too long")
	says(t, launch(control.LaunchRequest{Artifact: "demo", Name: b.Name}), "exists")
	says(t, launch(control.LaunchRequest{Artifact: "demo", Folder: "/nosuch"}), "/nosuch")
	says(t, h.app.Stop(ctx, "nosuch"), "no bottle")
	_, err := h.app.Prove(ctx, "nosuch")
	says(t, err, "no bottle")
	_, err = h.app.Resume(ctx, b.Name, nil)
	says(t, err, "ready")
	if _, err := h.exec(b.Name, control.ExecRequest{Argv: []string{"no-such-command"}}); err == nil || !strings.Contains(err.Error(), "no-such-command") {
		t.Errorf("a missing command: %v", err)
	}
	if _, err := h.exec(b.Name, control.ExecRequest{}); err == nil {
		t.Error("an empty command ran")
	}
	if n := len(h.app.Snapshot().Bottles); n != 1 {
		t.Errorf("%d bottles after refused launches", n)
	}
	if second := h.launch(); second.Name != "demo-2" {
		t.Errorf("a second bottle is called %q", second.Name)
	}
}

func TestDamagedAndForeignFilesNeverEnterTheLibrary(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	h.open()
	good, err := os.ReadFile(shared.artifact)
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte(nil), good...)
	flipped[len(flipped)/2] ^= 4
	dir := t.TempDir()
	for name, b := range map[string][]byte{"text": []byte("hello"), "empty": nil, "cut": good[:len(good)-1], "flipped": flipped} {
		p := filepath.Join(dir, name+".smolmachine")
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := h.app.AddArtifact(t.Context(), control.AddRequest{Path: p}, nil)
		says(t, err, name)
	}
	_, err = h.app.AddArtifact(t.Context(), control.AddRequest{Path: dir}, nil)
	says(t, err, "folder")
	_, err = h.app.AddArtifact(t.Context(), control.AddRequest{Path: filepath.Join(dir, "gone")}, nil)
	says(t, err, "gone")
	if n := len(h.app.Snapshot().Library); n != 0 {
		t.Errorf("%d artifacts entered", n)
	}
}

// A library may have come from a computer of another kind.
func TestAnArtifactForAnotherProcessorIsNeitherAddedNorLaunched(t *testing.T) {
	t.Parallel()
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	file := filepath.Join(t.TempDir(), "other.smolmachine")
	if b, err := exec.Command("go", "run", "bottlebar.app/smolvm/artifact/build/demo", "-arch", other, "-o", file).CombinedOutput(); err != nil {
		t.Fatalf("making the artifact: %v\n%s", err, b)
	}
	h := newHome(t, "driver = \"process\"\n")
	lib, err := cache.Open(filepath.Join(h.dir, "cache", "library"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lib.Add(t.Context(), file, cache.AddOptions{Platform: "linux/" + other}); err != nil {
		t.Fatal(err)
	}
	h.open()
	why := "it is for " + other + " and this computer is " + runtime.GOARCH
	if got := h.shown("other"); got.Problem == nil || got.Problem.Why != why || got.Problem.Cure == "" {
		t.Errorf("the library shows %+v", got.Problem)
	}
	_, err = h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "other"}, nil)
	says(t, err, why)
	b := h.app.Snapshot().Bottles[0]
	if b.State != snapshot.Failed || b.Steps[0].State != snapshot.StepFailed || b.Steps[1].State != snapshot.StepWaiting {
		t.Errorf("the launch got as far as %+v", b.Steps)
	}
	if err := h.app.Stop(t.Context(), b.ID); err != nil { // Discard
		t.Fatal(err)
	}
	if err := h.app.RemoveArtifact(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	_, err = h.app.AddArtifact(t.Context(), control.AddRequest{Path: file}, nil)
	says(t, err, why)
	if n := len(h.app.Snapshot().Library); n != 0 {
		t.Errorf("%d artifacts entered", n)
	}
	h.nothingLeft()
}

func TestASmolvmThatCannotBeUsedIsNamedWithACure(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := func(name, body string) string {
		p := filepath.Join(dir, name, "smolvm")
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return p
	}
	cases := map[string]string{
		filepath.Join(dir, "nosuch"):                                                                           "nosuch",
		script("foreign", "echo 'SmolVM, a Python thing'"):                                                     "smolvm",
		script("old", "echo smolvm 0.7.9"):                                                                     "0.7.9",
		script("garbage", "head -c 100000 /dev/urandom"):                                                       "smolvm",
		script("hanging", "exec sleep 1000"):                                                                   "smolvm",
		script("failing", "echo broken >&2; exit 3"):                                                           "smolvm",
		script("liar", "echo smolvm 1.9.3; echo '{not json'"):                                                  "smolvm",
		script("refused", `case "$*" in --version) echo smolvm 1.7.3;; standin) exit 2;; *) echo '[]';; esac`): "1.7.3",
	}
	for command, why := range cases {
		t.Run(filepath.Base(filepath.Dir(command)), func(t *testing.T) {
			t.Parallel()
			h := newHome(t, "driver = \"process\"\n", "BOTTLEBAR_SMOLVM="+command)
			h.open()
			h.add()
			_, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "demo"}, nil)
			says(t, err, why)
			h.nothingLeft()
			checks, err := h.app.Doctor(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if c := checks[0]; c.State != snapshot.CheckFailed || c.Cure == "" {
				t.Errorf("Setup says %+v", c)
			}
		})
	}
}

func TestAnEngineThatDoesNotAnswerFailsTheLaunchWithItsCure(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	silent := filepath.Join(dir, "silent.sock")
	l, err := net.Listen("unix", silent)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dead := filepath.Join(dir, "dead.sock")
	d, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	d.SetUnlinkOnClose(false)
	_ = d.Close()
	for name, host := range map[string]string{"nobody listens": "unix://" + dead, "no such socket": "unix://" + filepath.Join(dir, "none.sock"), "remote": "tcp://192.0.2.1:2375"} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t, "", "BOTTLEBAR_DOCKER_HOST="+host)
			h.open()
			h.add()
			_, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "demo"}, nil)
			says(t, err, "")
			h.nothingLeft()
		})
	}
}

// A launch that is cancelled at a step, or that fails there, leaves nothing.
func TestALaunchCancelledAtAnyStepLeavesNothing(t *testing.T) {
	t.Parallel()
	steps := []string{"check", "sidecar", "home", "start", "helper", "proof", "session"}
	h := newHome(t, "")
	h.open()
	h.add()
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var once sync.Once
			_, err := h.app.Launch(ctx, control.LaunchRequest{Artifact: "demo"}, func(b snapshot.Bottle) {
				for _, s := range b.Steps {
					if s.Name == step && s.State != snapshot.StepWaiting {
						once.Do(cancel)
					}
				}
			})
			if err == nil {
				// It was ready before the cancel came: then it stays.
				if err := h.app.Stop(t.Context(), "demo"); err != nil {
					t.Fatal(err)
				}
			} else if !errors.Is(err, context.Canceled) {
				t.Errorf("a cancelled launch ended with %v", err)
			}
			if n := len(h.app.Snapshot().Bottles); n != 0 {
				t.Errorf("%d bottles are shown", n)
			}
			h.nothingLeft()
		})
	}
	h.close()
	h.nothingLeft()
}

// What smolvm does wrong at each verb ends the launch and leaves nothing.
func TestALaunchThatFailsInsideSmolvmLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"create:exit=1", "start:exit=1", "exec:exit=137", "cp:enospc"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, "driver = \"process\"\n", "STANDIN_FAULT="+fault)
			h.open()
			h.add()
			_, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "demo"}, nil)
			says(t, err, "launching demo")
			all := h.app.Snapshot().Bottles
			if len(all) != 1 || all[0].State != snapshot.Failed || all[0].Problem == nil || all[0].Problem.Cure == "" {
				t.Errorf("shown as %+v", all)
			}
			h.nothingLeft()
			if err := h.app.Stop(t.Context(), "demo"); err != nil {
				t.Errorf("discarding: %v", err)
			}
			if n := len(h.app.Snapshot().Bottles); n != 0 {
				t.Errorf("%d bottles after discarding", n)
			}
		})
	}
}

func TestIsolationThatDoesNotHoldEndsTheLaunch(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"start:nic", "start:netns=host"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, "", "STANDIN_FAULT="+fault)
			h.open()
			h.add()
			_, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "demo"}, nil)
			says(t, err, "proving isolation")
			b := h.app.Snapshot().Bottles[0]
			if b.State != snapshot.Failed || b.Isolation != snapshot.ProofFailed {
				t.Errorf("shown as %s, isolation %s", b.State, b.Isolation)
			}
			h.nothingLeft()
		})
	}
}

func TestASecondOwnerIsRefusedAndAServeHandsOver(t *testing.T) {
	t.Parallel()
	h, b := ready(t, "")
	if _, err := app.Open(t.Context(), h.options()); !errors.Is(err, app.ErrOwned) {
		t.Fatalf("a second owner: %v", err)
	}
	before := h.run(b.Name, "cat", "/proc/sys/kernel/random/boot_id")
	first := h.app
	o := h.options()
	go func() { <-first.Left(); h.stop(); first.Close() }()
	second, err := app.OpenOnScreen(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	<-h.done
	ctx, stop := context.WithCancel(context.Background())
	h.app, h.stop, h.done = second, stop, make(chan error, 1)
	go func() { h.done <- second.Serve(ctx) }()
	got, ok := h.bottle(b.ID)
	if !ok || got.State != snapshot.Ready || got.Isolation != snapshot.Proved {
		t.Fatalf("after the hand-over: %+v", got)
	}
	if after := h.run(b.Name, "cat", "/proc/sys/kernel/random/boot_id"); after != before {
		t.Error("the bottle was started anew")
	}
}

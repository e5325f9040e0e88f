package smolvm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func fakeJob(t *testing.T, mode string) Job {
	return Job{Command: Command{Path: self(t), Env: []string{"FAKE=" + mode}}}
}

var quick = Runner{Grace: 50 * time.Millisecond}

func TestRunnerEndsACommandThatHangs(t *testing.T) {
	job := fakeJob(t, "hang")
	job.Timeout = 100 * time.Millisecond
	out, err := quick.Run(t.Context(), job)
	if !errors.Is(err, ErrTimeout) || out.ExitCode != -1 {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestRunnerEndsACommandThatSaysNothingForTooLong(t *testing.T) {
	job := fakeJob(t, "hang")
	job.Stall = 100 * time.Millisecond
	if _, err := quick.Run(t.Context(), job); !errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
}

func TestRunnerEndsACommandThatFloods(t *testing.T) {
	job := fakeJob(t, "flood")
	job.Limit = 1 << 20
	out, err := quick.Run(t.Context(), job)
	if !errors.Is(err, ErrOutput) || len(out.Stdout) != 1<<20 {
		t.Errorf("%d bytes, %v", len(out.Stdout), err)
	}
}

func TestRunnerCancelsByContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, err := quick.Start(ctx, fakeJob(t, "hang"))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := p.Wait(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestRunnerKillsTheWholeGroup(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := make(chan string, 1)
	job := fakeJob(t, "group")
	job.Stdout = writerFunc(func(p []byte) { first <- string(p) })
	p, err := quick.Start(ctx, job)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(<-first))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := p.Wait(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// The child is nobody's now; it is gone as soon as init has taken note.
	if !poll(10*time.Second, func() bool { return gone(pid) }) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		t.Fatalf("child %d lives on", pid)
	}
}

func TestRunnerTellsACrash(t *testing.T) {
	_, err := quick.Run(t.Context(), fakeJob(t, "crash"))
	var ended *EndedError
	if !errors.As(err, &ended) || ended.Signal != syscall.SIGKILL {
		t.Error(err)
	}
}

func TestRunnerInheritsNothing(t *testing.T) {
	t.Setenv("SMOLVM_DATA_DIR", "/leak")
	t.Setenv("XDG_DATA_HOME", "/leak")
	home := Home{Dir: t.TempDir(), AgentRoot: "/root-copy", Env: []string{"FAKE=env"}}
	out, err := quick.Run(t.Context(), Job{Command: Command{Path: self(t), Env: home.Environ()}})
	if err != nil {
		t.Fatal(err)
	}
	want := "HOME=" + home.Dir + "\nPATH=" + systemPath + "\nLANG=C.UTF-8\nRUST_LOG=error\nSMOLVM_AGENT_ROOTFS=/root-copy\nFAKE=env\n"
	if string(out.Stdout) != want {
		t.Errorf("environment is\n%s", out.Stdout)
	}
}

func TestRunnerFeedsStdinAndDoesNotWaitForAReaderThatStaysOpen(t *testing.T) {
	for _, mode := range []string{"ends", "open"} {
		r, w := io.Pipe()
		go func() {
			_, _ = io.WriteString(w, "from here\n")
			if mode == "ends" {
				w.Close()
			}
		}()
		t.Cleanup(func() { w.Close() })
		job := Job{Command: Command{Path: "/bin/sh", Args: []string{"-c", "read l; echo got $l"}, Stdin: r}}
		out, err := quick.Run(t.Context(), job)
		if err != nil || string(out.Stdout) != "got from here\n" {
			t.Errorf("%s: %q, %v", mode, out.Stdout, err)
		}
	}
}

func TestRunnerKeepsTheEndOfAStreamThatGoesElsewhere(t *testing.T) {
	var all bytes.Buffer
	job := Job{
		Command: Command{Path: "/bin/sh", Args: []string{"-c", "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"}},
		Stdout:  &all,
	}
	out, err := quick.Run(t.Context(), job)
	if err != nil || !strings.HasSuffix(string(out.Stdout), "line 19999\n") || len(out.Stdout) > 2*tailSize || !bytes.HasSuffix(all.Bytes(), out.Stdout) {
		t.Errorf("%d of %d bytes, %v", len(out.Stdout), all.Len(), err)
	}
}

func TestRunnerReportsAProgramThatIsNotThere(t *testing.T) {
	_, err := quick.Run(t.Context(), Job{Command: Command{Path: "/no/such/program"}})
	if !missing(err) {
		t.Error(err)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

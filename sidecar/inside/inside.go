// Package inside is the program of a sidecar: the proxy of package egress,
// steered by JSON lines on standard input. The container's main and the app's
// hidden verb both call [Main].
package inside

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"bottlebar.app/sidecar/control"
)

// Port is where the container's program listens.
const Port = 3128

// memory is what the garbage collector aims to stay below; the container ends
// at 128 MiB.
const memory = 96 << 20

// Main runs the program until its input ends or a signal comes, and returns
// the exit code. args are the arguments without the program's name:
//
//	(none)       serve on Port, in a container
//	child FD     serve connections that arrive on that descriptor, as a child process
//	selftest     print what this process could do, as JSON
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if err := run(args, stdin, stdout); err != nil {
		fmt.Fprintln(stderr, "bottlebar sidecar:", err)
		return 1
	}
	return 0
}

func run(args []string, stdin io.Reader, stdout io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	fs := flag.NewFlagSet("sidecar", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	port := fs.Int("port", Port, "")
	if err := fs.Parse(args); err != nil {
		return err
	}
	switch fs.Arg(0) {
	case "":
		frugal()
		return serve(ctx, mappings(), stdin, stdout, &tcpPlace{port: *port})
	case "child":
		frugal()
		program := mappings()
		place, err := newChildPlace(fs.Arg(1))
		if err != nil {
			return err
		}
		if err := confine(); err != nil {
			return fmt.Errorf("setting up the sandbox: %w", err)
		}
		return serve(ctx, program, stdin, stdout, place)
	case "selftest":
		return json.NewEncoder(stdout).Encode(lookAtSelf())
	}
	return fmt.Errorf("unknown argument %q", fs.Arg(0))
}

// frugal trades some processor time for memory: there is one sidecar a bottle,
// and what it holds is mostly waiting.
func frugal() {
	debug.SetMemoryLimit(memory)
	debug.SetGCPercent(40)
}

func serve(ctx context.Context, program []mapping, stdin io.Reader, stdout io.Writer, at place) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := newServer(ctx, cancel, control.NewWriter(stdout), at)
	defer s.close()
	lines := make(chan line)
	go readLines(ctx, stdin, lines) // ends with the process: a read cannot be interrupted
	look := time.NewTicker(restAfter)
	defer look.Stop()
	var idle rest
	for {
		select {
		case <-ctx.Done():
			return nil
		case l, ok := <-lines:
			if !ok {
				return nil
			}
			idle.asked = idle.asked || l.cmd.Op != control.Ping
			s.handle(l)
		case <-look.C:
			if idle.due(s.proxy.Stats()) {
				giveBack(program)
			}
		}
	}
}

type line struct {
	cmd control.Command
	err error
}

func readLines(ctx context.Context, r io.Reader, out chan<- line) {
	defer close(out)
	lines := control.NewLines(r, control.MaxCommand)
	for {
		var l line
		b, err := lines.Next()
		switch {
		case err == nil:
			l.cmd, l.err = control.ReadCommand(b)
		case errors.Is(err, control.ErrLongLine):
			l.err = err
		default:
			return
		}
		select {
		case out <- l:
		case <-ctx.Done():
			return
		}
	}
}

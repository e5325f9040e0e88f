package cache

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The test binary is also the other process: with this variable set it does
// one thing to the library that it is told of, and ends.
const childEnv = "BOTTLEBAR_TEST_CACHE_CHILD"

func TestMain(m *testing.M) {
	var err error
	switch task, dir, _ := strings.Cut(os.Getenv(childEnv), ":"); task {
	case "":
		os.Exit(m.Run())
	case "churn":
		err = churn(dir, os.Args[1], os.Args[2:])
	case "hang":
		err = hang(dir, os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(t *testing.T, task, dir string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), exe, args...)
	c.Env = append(os.Environ(), childEnv+"="+task+":"+dir)
	c.Stderr = os.Stderr
	return c
}

// churn adds, renames, uses and removes for a while. Only the errors that
// several processes at once must expect are let pass.
func churn(dir, seed string, files []string) error {
	l, err := Open(dir)
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(seed, 10, 64)
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(n, 1)) //nolint:gosec // a test's dice
	for range 40 {
		var err error
		name := "n" + strconv.Itoa(r.IntN(6))
		switch r.IntN(6) {
		case 0, 1:
			_, err = l.Add(context.Background(), files[r.IntN(len(files))], AddOptions{})
		case 2:
			list, lerr := l.List()
			if err = lerr; len(list) > 0 {
				_, err = l.Rename(list[r.IntN(len(list))].Name, name)
			}
		case 3:
			err = l.Used(name, time.Now())
		case 4:
			_, err = l.SetSettings(name, Settings{CPUs: 1 + r.IntN(8)})
		case 5:
			_, err = l.Remove(name)
		}
		if err != nil && !answers(err) {
			return err
		}
	}
	return nil
}

func TestSeveralProcessesAtOnceKeepOneSoundLibrary(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for i := range 8 {
		files = append(files, write(t, dir, "f"+strconv.Itoa(i)+suffix, machine(t, manifest{"cpus": i + 1})))
	}
	l := open(t)
	var children []*exec.Cmd
	for i := range 4 {
		c := child(t, "churn", l.dir, append([]string{strconv.Itoa(i)}, files...)...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		children = append(children, c)
	}
	for _, c := range children {
		if err := c.Wait(); err != nil {
			t.Errorf("a process: %v", err)
		}
	}
	sound(t, l)
	for _, f := range files {
		if _, err := l.Add(t.Context(), f, AddOptions{}); err != nil && !errors.Is(err, ErrDuplicate) {
			t.Error(err)
		}
	}
	if list := sound(t, l); len(list) != len(files) {
		t.Errorf("%d of %d artifacts", len(list), len(files))
	}
}

// hang begins to add a file and tells when it is at work on it.
func hang(dir, file string) error {
	l, err := Open(dir)
	if err != nil {
		return err
	}
	_, err = l.Add(context.Background(), file, AddOptions{Progress: func(p Progress) {
		if p.Phase == Verifying {
			fmt.Fprintln(os.Stdout, "verifying")
			select {} // until somebody kills us
		}
	}})
	return err
}

func TestAKilledAdditionIsClearedAndARunningOneIsNot(t *testing.T) {
	l := open(t)
	file := write(t, t.TempDir(), "x"+suffix, machine(t, nil))
	c := child(t, "hang", l.dir, file)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "verifying\n" {
		t.Fatalf("%q %v", line, err)
	}
	inside := func() int {
		entries, err := os.ReadDir(filepath.Join(l.dir, tmpName))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	if _, err := Open(l.dir); err != nil {
		t.Fatal(err)
	}
	if inside() != 1 {
		t.Error("a running addition was cleared away")
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	again, err := Open(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	if inside() != 0 {
		t.Error("a killed addition left its folder")
	}
	if got := left(t, again); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
	if _, err := again.Add(t.Context(), file, AddOptions{}); err != nil {
		t.Error(err)
	}
}

func TestAKillBetweenFileAndRecordIsRepaired(t *testing.T) {
	l := open(t)
	b := machine(t, nil)
	id := idOf(b)
	// What is there when the power goes right behind the rename.
	write(t, l.dir, id+suffix, b)
	write(t, l.dir, pendingName, nil)
	list := sound(t, l)
	if len(list) != 1 || list[0].ID != id {
		t.Fatalf("%+v", list)
	}
	if _, err := l.Ready(t.Context(), id, nil); err != nil {
		t.Error(err)
	}
}

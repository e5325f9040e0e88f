package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// traces are the places where a bottle could leave something behind.
type traces struct {
	id    string // of the bottle
	owner string // what marks this app's objects at the engine: "bottlebar.app=…"
}

// The labels of a sidecar's container and network.
const (
	labelSidecar = "bottlebar.sidecar"
	labelApp     = "bottlebar.app"
)

// find looks at what the running bottle consists of. It is an error when there is
// nothing to find: the later look would then prove nothing.
func (t *traces) find(ctx context.Context, p *play) error {
	entries, err := os.ReadDir(filepath.Join(p.home, "b"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() && (p.bottle.ID == "" || e.Name() == p.bottle.ID) {
			t.id = e.Name()
		}
	}
	if t.id == "" {
		return fmt.Errorf("the bottle has no folder in %s/b", p.home)
	}
	found, err := p.processes(t.id)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return errors.New("the bottle has no process")
	}
	if p.driver() != "docker" {
		return nil
	}
	return t.findContainers(ctx, p)
}

// findContainers reads which mark this app's objects at the engine carry. Others
// may use the engine at the same time, so the mark is taken from the sidecar whose
// ID the journal names.
func (t *traces) findContainers(ctx context.Context, p *play) error {
	journal, err := journalText(p.home, t.id)
	if err != nil {
		return err
	}
	objects, err := p.engine.labelled(ctx, labelSidecar)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if strings.Contains(journal, strconv.Quote(o.Labels[labelSidecar])) {
			t.owner = labelApp + "=" + o.Labels[labelApp]
		}
	}
	if t.owner == "" {
		return errors.New("no container at the engine is named in the bottle's journal")
	}
	return nil
}

// journalText is the journal of a bottle, whatever its form: the files below the
// state's folder that are JSON and carry its ID.
func journalText(home, id string) (string, error) {
	var all strings.Builder
	err := filepath.WalkDir(home, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return skipGone(err)
		}
		if d.IsDir() && d.Name() == "b" && filepath.Dir(name) == home {
			return fs.SkipDir // the bottle itself
		}
		if !d.Type().IsRegular() || !strings.Contains(d.Name(), id) {
			return nil
		}
		text, err := os.ReadFile(name)
		if err == nil && json.Valid(text) {
			all.Write(text)
		}
		return skipGone(err)
	})
	return all.String(), err
}

func skipGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// nothingLeft looks for everything that find could have seen.
func nothingLeft(ctx context.Context, p *play) error {
	if p.traces.id == "" {
		return errors.New("the bottle was never seen")
	}
	return until(ctx, "the bottle is gone from this computer", func() (bool, error) {
		left, err := p.traces.left(ctx, p)
		if err != nil {
			return false, err
		}
		if len(left) > 0 {
			return false, fmt.Errorf("left behind: %s", strings.Join(left, ", "))
		}
		return true, nil
	})
}

// left lists what there still is of the bottle: files with its ID in their names
// (folder, journal, sockets, links), its processes, its container and network.
func (t *traces) left(ctx context.Context, p *play) ([]string, error) {
	left, err := p.processes(t.id)
	if err != nil {
		return nil, err
	}
	// The record of what it reached outlives it on purpose.
	record := filepath.Join(p.home, "state", "ledger")
	err = filepath.WalkDir(p.home, func(name string, d fs.DirEntry, err error) error {
		if err == nil && name == record {
			return fs.SkipDir
		}
		if err == nil && strings.Contains(d.Name(), t.id) {
			left = append(left, name)
		}
		return skipGone(err)
	})
	if err != nil {
		return nil, err
	}
	links, err := filepath.Glob(filepath.Join("/tmp", "bb-*", t.id+"*"))
	if err != nil {
		return nil, err
	}
	left = append(left, links...)
	if p.driver() == "docker" {
		objects, err := p.engine.labelled(ctx, t.owner)
		if err != nil {
			return nil, err
		}
		// One may wait for the next launch: it is nobody's yet.
		waiting := 0
		for _, o := range objects {
			if o.Labels["bottlebar.role"] == "warm" {
				waiting++
			} else {
				left = append(left, "container or network "+o.ID)
			}
		}
		if waiting > 2 { // a container and its network
			left = append(left, fmt.Sprintf("%d warm containers and networks", waiting))
		}
	}
	return left, nil
}

// nothingOfTheApp looks, after the app has ended, for what it started.
func (t *traces) nothingOfTheApp(ctx context.Context, p *play) error {
	return until(ctx, "nothing of the app runs", func() (bool, error) {
		left, err := p.processes(filepath.Join(p.build, "bottlebar"))
		if err != nil {
			return false, err
		}
		sockets, err := socketsIn(p.home)
		if err != nil {
			return false, err
		}
		left = append(left, sockets...)
		if t.owner != "" {
			objects, err := p.engine.labelled(ctx, t.owner)
			if err != nil {
				return false, err
			}
			for _, o := range objects {
				left = append(left, "container or network "+o.ID)
			}
		}
		if len(left) > 0 {
			return false, fmt.Errorf("left behind: %s", strings.Join(left, ", "))
		}
		return true, nil
	})
}

func socketsIn(dir string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type()&fs.ModeSocket != 0 {
			out = append(out, name)
		}
		return skipGone(err)
	})
	return out, err
}

// processes lists the processes of this show that have to do with a word: in their
// arguments, their environment, their working directory, or their mounts.
func (s *stage) processes(word string) ([]string, error) {
	all, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range all {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if s.concerns(pid, word) {
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			out = append(out, fmt.Sprintf("process %d %.80s", pid, bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		}
	}
	return out, nil
}

// concerns says whether a process mentions the word and belongs to this show. One
// that ends meanwhile concerns nobody.
func (s *stage) concerns(pid int, word string) bool {
	var text []byte
	for _, part := range []string{"cmdline", "environ", "mountinfo"} {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, part))
		text = append(append(text, b...), 0)
	}
	cwd, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	text = append(text, cwd...)
	return bytes.Contains(text, []byte(word)) && bytes.Contains(text, []byte(s.dir))
}

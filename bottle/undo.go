package bottle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"bottlebar.app/sidecar"
	"bottlebar.app/smolvm"
)

// undoTimeout is for one step. Stopping a machine may take smolvm 30 s.
const undoTimeout = 45 * time.Second

// dismantle takes apart what the journal says was built, in reverse. It goes on
// after a failure, keeps the steps that failed in the journal, and forgets the
// bottle when none is left. Ending ctx does not stop it: what was begun is
// finished.
func (b *Bottle) dismantle(ctx context.Context) error { return b.dismantleInto(ctx, nil) }

// dismantleInto is dismantle for a bottle of which keep stays: with something
// to keep the journal's entry stays too, as that of a stopped bottle.
func (b *Bottle) dismantleInto(ctx context.Context, keep []undoStep) error {
	ctx = context.WithoutCancel(ctx)
	b.mu.Lock()
	steps := slices.Clone(b.entry.Undo)
	b.mu.Unlock()
	var car *sidecar.Sidecar
	l := b.closeLive()
	if l != nil {
		car = l.sidecar()
	}
	var left []undoStep
	var errs []error
	machine := false // it could not be removed
	for _, u := range slices.Backward(steps) {
		if u.Kind == undoFolder && machine {
			// The home is the only place that knows how to reach the machine.
			left = append(left, u)
			continue
		}
		if err := b.undo(ctx, u, car); err != nil {
			left = append(left, u)
			machine = machine || u.Kind == undoMachine
			errs = append(errs, fmt.Errorf("removing the %s of bottle %q: %w", u.Kind, b.name, err))
		}
	}
	slices.Reverse(left)
	if car != nil {
		car.Release() // it was closed above, unless that failed
		l.lines.Wait()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entry.Undo = append(slices.Clone(keep), left...)
	if len(b.entry.Undo) == 0 {
		b.rack.cfg.Policies.Forget(b.id)
		b.rack.till.forget(b.id)
		return b.rack.journal.remove(b.id)
	}
	if len(keep) > 0 {
		b.entry.Phase = stopped
	}
	errs = append(errs, b.rack.journal.write(b.entry))
	return errors.Join(errs...)
}

func (b *Bottle) undo(ctx context.Context, u undoStep, car *sidecar.Sidecar) error {
	ctx, cancel := context.WithTimeout(ctx, undoTimeout)
	defer cancel()
	switch u.Kind {
	case undoFolder:
		b.rack.cfg.Paths.unreach(b.id)
		return removeAll(b.rack.cfg.Paths.folder(b.id))
	case undoMachine:
		return b.rack.removeMachine(ctx, b.id)
	case undoSidecar:
		var h sidecar.Handle
		if err := json.Unmarshal(u.Data, &h); err != nil {
			return err
		}
		if car != nil && car.ID() == h.ID {
			return car.Close(ctx)
		}
		return b.rack.removeSidecar(ctx, h)
	}
	return fmt.Errorf("unknown step %q", u.Kind)
}

// removeMachine stops and deletes the machine in a bottle's home.
func (r *Rack) removeMachine(ctx context.Context, id string) error {
	if _, err := os.Stat(filepath.Join(r.cfg.Paths.folder(id), homeName)); errors.Is(err, fs.ErrNotExist) {
		if in, err := r.cfg.Install(ctx); err == nil {
			return r.killStrays(ctx, in, id) // one may be about to make it
		}
		return nil
	}
	in, err := r.cfg.Install(ctx)
	if err != nil {
		return err
	}
	client, err := r.client(in, id)
	if err != nil {
		return err
	}
	if err := client.Stop(ctx, machineName); err != nil && !errors.Is(err, smolvm.ErrUnknownMachine) {
		return err
	}
	if err := client.Delete(ctx, machineName); err != nil && !errors.Is(err, smolvm.ErrUnknownMachine) {
		return err
	}
	return r.killStrays(ctx, in, id)
}

// removeSidecar ends a sidecar by its handle, whoever started it.
func (r *Rack) removeSidecar(ctx context.Context, h sidecar.Handle) error {
	fleet, err := r.cfg.Fleet(ctx)
	if err != nil {
		return err
	}
	car, err := fleet.Adopt(ctx, h)
	if errors.Is(err, sidecar.ErrNotAdoptable) {
		return nil // it is gone, or went with the process that made it
	}
	if err != nil {
		return err
	}
	return car.Close(ctx)
}

// client is smolvm in the home of a bottle.
func (r *Rack) client(in *smolvm.Install, id string) (*smolvm.Client, error) {
	reach, err := r.cfg.Paths.reach(id)
	if err != nil {
		return nil, err
	}
	return in.Client(smolvm.Home{
		Dir: filepath.Join(reach, homeName), AgentRoot: filepath.Join(reach, rootName), Env: r.cfg.Env,
	}), nil
}

// removeAll removes a folder in which somebody else's files lie, also where
// folders may not be written, or lie within each other deeper than can be held
// open at once. Links are not followed.
func removeAll(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil {
		return nil
	}
	if os.Chmod(dir, 0o700) != nil {
		return err
	}
	top, rerr := os.OpenRoot(dir)
	if rerr != nil {
		return err
	}
	defer top.Close()
	if err := (&flattener{top: top, prefix: newID() + "-"}).run(); err != nil {
		return err
	}
	return os.Remove(dir)
}

// flattener empties a folder by taking each folder in it apart: those that it
// holds are moved to the top, where their turn comes.
type flattener struct {
	top    *os.Root
	prefix string // of what was moved
	moved  int
}

func (f *flattener) run() error {
	for {
		some, err := list(f.top)
		if err != nil || len(some) == 0 {
			return err
		}
		for _, e := range some {
			if e.IsDir() {
				if err := f.empty(e.Name()); err != nil {
					return err
				}
			}
			if err := f.top.Remove(e.Name()); err != nil {
				return err
			}
		}
	}
}

func (f *flattener) empty(name string) error {
	if err := f.top.Chmod(name, 0o700); err != nil {
		return err
	}
	sub, err := f.top.OpenRoot(name)
	if err != nil {
		return err
	}
	defer sub.Close()
	for {
		some, err := list(sub)
		if err != nil || len(some) == 0 {
			return err
		}
		for _, e := range some {
			if !e.IsDir() {
				if err := sub.Remove(e.Name()); err != nil {
					return err
				}
				continue
			}
			if err := sub.Chmod(e.Name(), 0o700); err != nil {
				return err
			}
			f.moved++
			if err := f.top.Rename(filepath.Join(name, e.Name()), fmt.Sprint(f.prefix, f.moved)); err != nil {
				return err
			}
		}
	}
}

// list returns some of what is in a folder, nothing when it is empty.
func list(dir *os.Root) ([]fs.DirEntry, error) {
	d, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	some, err := d.ReadDir(1024)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	return some, err
}

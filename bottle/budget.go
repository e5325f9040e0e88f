package bottle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"bottlebar.app/snapshot"
)

// What a bottle may grow on this computer besides its own disks, which have a
// size: the copy of the agent root, and the console that the guest can write.
const (
	consoleBudget = 64 << 20
	rootBudget    = 512 << 20
)

// checkBudget stops a bottle that fills the disk past its own disks' limits.
func (b *Bottle) checkBudget(l *live) {
	folder := b.rack.cfg.Paths.folder(b.id)
	root, err := grown(filepath.Join(folder, rootName), rootBudget)
	console := consoles(filepath.Join(folder, homeName))
	if err == nil && root <= rootBudget && console <= consoleBudget {
		return
	}
	why := &snapshot.Problem{
		What: "bottle " + b.name + " was stopped", Why: fmt.Sprintf("it wrote %d MB of console and %d MB beside its disks", console/1e6, root/1e6),
		Cure: "look at its log, then discard it",
	}
	if err != nil {
		why.Why = "it wrote beside its disks " + err.Error()
	}
	b.rack.work.Go(func() {
		if b.take(b.rack.ctx) != nil {
			return
		}
		defer b.give()
		b.mu.Lock()
		stale := b.live != l || b.state != snapshot.Ready
		b.mu.Unlock()
		if stale {
			return // another beat saw it, too, and came first
		}
		l.door.shut()
		if r := b.kept(b.rack.ctx, l); r != nil {
			why.Cure = "look at its log and at what is kept in " + r.Evidence + ", then discard it"
		}
		_ = b.halt(b.rack.ctx, why)
	})
}

// consoles sums the console logs in a home, wherever this release keeps them.
func consoles(home string) int64 {
	var sum int64
	for _, pattern := range []string{".cache/smolvm/vms/*/agent-console.log", "Library/Caches/smolvm/vms/*/agent-console.log"} {
		found, _ := filepath.Glob(filepath.Join(home, pattern))
		for _, f := range found {
			if fi, err := os.Lstat(f); err == nil {
				sum += fi.Size()
			}
		}
	}
	return sum
}

const (
	// perThing is counted for each file and folder besides its bytes: a million
	// empty ones fill a disk, too.
	perThing = 4 << 10
	// deepest is beyond what an agent root has, and what there is a path for.
	deepest = 128
)

// errHidden is why a folder cannot be summed up: whoever writes in it made it so.
var errHidden = errors.New("where it cannot be looked at")

// grown sums what lies in a folder that a guest writes in, and ends once that
// is more than limit. Links are not followed.
func grown(dir string, limit int64) (int64, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, hidden(err)
	}
	defer root.Close()
	g := growth{limit: limit}
	err = g.folder(root, 0)
	return g.sum, err
}

type growth struct{ sum, limit int64 }

func (g *growth) folder(dir *os.Root, depth int) error {
	f, err := dir.Open(".")
	if err != nil {
		return hidden(err)
	}
	defer f.Close()
	for g.sum <= g.limit {
		some, err := f.ReadDir(1024) // all of it may be more than fits into memory
		for _, e := range some {
			if err := g.thing(dir, e, depth); err != nil || g.sum > g.limit {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return hidden(err)
		}
	}
	return nil
}

func (g *growth) thing(dir *os.Root, e fs.DirEntry, depth int) error {
	g.sum += perThing
	if !e.IsDir() {
		if fi, err := dir.Lstat(e.Name()); err == nil && fi.Mode().IsRegular() {
			g.sum += fi.Size()
		}
		return nil
	}
	if depth == deepest {
		return errHidden
	}
	sub, err := dir.OpenRoot(e.Name())
	if err != nil {
		return hidden(err)
	}
	defer sub.Close()
	return g.folder(sub, depth+1)
}

// hidden tells a folder that was closed on purpose from one that went away, or
// a computer that is short of something.
func hidden(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return errHidden
	}
	return nil
}

package policy

import (
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settle is how long a file must rest before it is read: editors write in
	// several steps, and half a policy is none.
	settle = 100 * time.Millisecond
	// longest is how long a file that never rests is waited for.
	longest = 500 * time.Millisecond
	// jump is by how much the clocks may part between two beats before the
	// computer is taken to have slept, or the clock to have been set.
	jump = 5 * time.Second
)

// watcher reads files that changed and ends rules whose time has come.
type watcher struct {
	stop chan struct{}
	poke chan struct{} // a rule may end earlier than was known
	work sync.WaitGroup
	once sync.Once
}

func (w *watcher) close() {
	w.once.Do(func() { close(w.stop) })
	w.work.Wait()
}

func (s *Store) watch() {
	s.watcher.stop, s.watcher.poke = make(chan struct{}), make(chan struct{}, 1)
	fs, err := fsnotify.NewWatcher()
	if err == nil {
		for _, dir := range s.watched() {
			if err := fs.Add(dir); err != nil {
				s.opt.Log.Warn("a folder of policy files is not watched", "folder", dir, "error", err)
			}
		}
	} else {
		s.opt.Log.Warn("policy files are not watched, and read every ten seconds", "error", err)
		fs = &fsnotify.Watcher{}
	}
	s.watcher.work.Go(func() { s.run(fs, err == nil) })
}

// watched are the folders in which a file may change, those that links lead to
// included.
func (s *Store) watched() []string {
	dirs := []string{s.opt.Config, s.artifactDir(), s.bottleDir()}
	for _, link := range []string{s.GlobalPath(), filepath.Join(s.opt.Config, "settings.toml")} {
		if to, err := filepath.EvalSymlinks(link); err == nil && filepath.Dir(to) != s.opt.Config {
			dirs = append(dirs, filepath.Dir(to))
		}
	}
	return dirs
}

func (s *Store) run(fs *fsnotify.Watcher, watching bool) {
	if watching {
		defer fs.Close()
	}
	rest := stopped()
	defer rest.Stop()
	due := stopped()
	defer due.Stop()
	s.arm(due)
	var since time.Time // of the first event that was not read yet
	for {
		select {
		case <-s.watcher.stop:
			return
		case <-fs.Events:
			now := time.Now()
			if since.IsZero() {
				since = now
			}
			rest.Reset(min(settle, max(0, longest-now.Sub(since))))
			continue
		case err := <-fs.Errors:
			s.opt.Log.Warn("watching policy files", "error", err)
			continue
		case <-rest.C:
			since = time.Time{}
			if s.look() {
				s.opt.Changed()
			}
		case <-due.C:
			s.tidy()
			s.opt.Changed()
		case <-s.watcher.poke:
		}
		s.arm(due)
	}
}

func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

func (s *Store) look() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.readAll()
}

// arm sets the timer to the end of the first rule that ends.
func (s *Store) arm(due *time.Timer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var next time.Time
	now := s.opt.Now().Round(0)
	for _, h := range s.files {
		for _, a := range h.file.Allow {
			if !a.Expires.IsZero() && a.Expires.After(now) && (next.IsZero() || a.Expires.Before(next)) {
				next = a.Expires
			}
		}
	}
	due.Stop()
	if !next.IsZero() {
		due.Reset(next.Sub(now) + time.Millisecond)
	}
}

// poked makes run look at the ends of rules anew.
func (s *Store) poked() {
	select {
	case s.watcher.poke <- struct{}{}:
	default:
	}
}

// beat is a moment by two clocks.
type beat struct {
	wall  time.Time
	awake time.Duration
}

// Beat is called every ten seconds. It reads files whose change was not told,
// and ends rules for a while when the clocks parted: the computer slept, or its
// clock was set.
func (s *Store) Beat() {
	now := beat{s.opt.Now().Round(0), s.opt.Awake()}
	s.mu.Lock()
	drift := now.wall.Sub(s.last.wall) - (now.awake - s.last.awake)
	if drift > jump || drift < -jump {
		s.mu.Unlock()
		s.Slept()
		return
	}
	s.last = now
	changed := s.readAll()
	s.mu.Unlock()
	if changed {
		s.opt.Changed()
		s.poked()
	}
}

// Slept ends every rule that was allowed for a while: nobody watched over it.
func (s *Store) Slept() {
	now := beat{s.opt.Now().Round(0), s.opt.Awake()}
	s.mu.Lock()
	s.slept = now.wall
	if s.last.wall.After(s.slept) {
		s.slept = s.last.wall // the clock was set back: what it showed before counts
	}
	s.last = now
	s.changes++
	s.mu.Unlock()
	s.tidy()
	s.right(now.wall)
	s.opt.Changed()
	s.poked()
}

// right goes by the clock again that was set back, once no file holds a rule of
// the time before: what is granted from here on counts, however far ahead it was.
func (s *Store) right(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.files {
		if slices.ContainsFunc(h.file.Allow, s.overslept) {
			return
		}
	}
	s.slept = now
}

// tidy takes rules that are over out of the bottles' files, so that a clock that
// is set back later cannot bring them back.
func (s *Store) tidy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.opt.Now().Round(0)
	for path, h := range s.files {
		if filepath.Dir(path) != s.bottleDir() || h.bad != nil {
			continue
		}
		over := map[found]bool{}
		for _, a := range h.file.Allow {
			if a.over(now) || !s.slept.IsZero() && s.overslept(a) {
				over[found{Entry{Host: a.Host, Port: a.Rule.Port}, a.Expires.UTC()}] = true
			}
		}
		if len(over) == 0 {
			continue
		}
		err := s.edit(path, "", func(e *edit) error {
			_, err := e.remove(tableAllow, func(f found) bool { return over[f] })
			return err
		})
		if err != nil {
			s.opt.Log.Warn("taking rules that are over out of a file", "file", path, "error", err)
		}
	}
}

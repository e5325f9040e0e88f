package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"bottlebar.app/egress"
	"bottlebar.app/internal/atomicfile"
	"bottlebar.app/internal/fault"
)

// The names below the folders of a Store.
const (
	globalName    = "policy.toml" // in Config: for every bottle
	foldersName   = "policy"      // in Config: one file per artifact; in State: one per bottle
	goodName      = "good"        // in State's folder: last good texts
	suffix        = ".toml"
	projectSuffix = ".project.toml" // of a bottle: its project's file, as it was at the launch
)

// Options are what a Store works with.
type Options struct {
	Config string // the folder of the settings
	State  string // the folder of what the app keeps for itself
	// Settings are the hosts of the settings file, which count as a file of their
	// own; an error keeps the last ones. May be nil.
	Settings func() ([]egress.Rule, error)
	// Changed is told that what holds may have changed: a file was edited, a rule
	// ended. It may take its time; further changes are told afterwards. May be nil.
	Changed func()
	Now     func() time.Time // time.Now when nil
	// Awake is how long the computer has been awake since some moment, by a clock
	// that stands still while it sleeps; Go's monotonic clock when nil.
	Awake func() time.Duration
	Log   *slog.Logger
}

// Bottle is what the store needs to know of a bottle. The zero value stands for
// one that nothing is said about.
type Bottle struct {
	ID         string
	Artifact   string // name
	ArtifactID string
}

// Store keeps the policy files.
type Store struct {
	opt Options

	mu       sync.Mutex
	files    map[string]*held // by path
	settings held
	changes  int // counts what was taken in
	cache    map[Bottle]cached
	last     beat
	slept    time.Time // wall clock: rules that were granted before it are over

	watcher watcher
}

type cached struct {
	changes int
	until   time.Time // zero: until something changes
	e       Effective
}

// Open reads the files and watches them until Close.
func Open(o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Awake == nil {
		began := time.Now()
		o.Awake = func() time.Duration { return time.Since(began) }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	s := &Store{opt: o, files: map[string]*held{}, cache: map[Bottle]cached{}, last: beat{o.Now().Round(0), o.Awake()}}
	for _, dir := range []string{s.artifactDir(), filepath.Join(s.bottleDir(), goodName)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fault.Wrap(err, "opening the policy's folders", "look whether they can be written")
		}
	}
	s.mu.Lock()
	s.readAll()
	s.mu.Unlock()
	s.watch()
	return s, nil
}

// Close ends the watch.
func (s *Store) Close() { s.watcher.close() }

func (s *Store) artifactDir() string { return filepath.Join(s.opt.Config, foldersName) }
func (s *Store) bottleDir() string   { return filepath.Join(s.opt.State, foldersName) }

// GlobalPath is the file for every bottle, which need not be there.
func (s *Store) GlobalPath() string { return filepath.Join(s.opt.Config, globalName) }

// ArtifactPath is the file of an artifact's name.
func (s *Store) ArtifactPath(name string) string { return filepath.Join(s.artifactDir(), name+suffix) }

// BottlePath is the file of a bottle's ID.
func (s *Store) BottlePath(id string) string { return filepath.Join(s.bottleDir(), id+suffix) }

func (s *Store) projectPath(id string) string { return filepath.Join(s.bottleDir(), id+projectSuffix) }

// hold returns a file, read when it was not yet. Called with mu held.
func (s *Store) hold(path string) *held {
	if h := s.files[path]; h != nil {
		return h
	}
	good := filepath.Base(path)
	switch filepath.Dir(path) {
	case s.artifactDir():
		good = "artifact-" + good
	case s.bottleDir():
		good = "bottle-" + good
	}
	h := &held{path: path, good: filepath.Join(s.bottleDir(), goodName, good)}
	h.read(parser(path))
	s.files[path] = h
	return h
}

func parser(path string) func(string, []byte) (File, error) {
	if strings.HasSuffix(path, projectSuffix) {
		return ParseProject
	}
	return Parse
}

// readAll takes in every file that is there, and reports whether anything
// changed. Called with mu held.
func (s *Store) readAll() bool {
	paths := []string{s.GlobalPath()}
	for _, dir := range []string{s.artifactDir(), s.bottleDir()} {
		names, _ := os.ReadDir(dir)
		for _, n := range names {
			if strings.HasSuffix(n.Name(), suffix) && !strings.HasPrefix(n.Name(), ".") {
				paths = append(paths, filepath.Join(dir, n.Name()))
			}
		}
	}
	changed := s.readSettings()
	for _, p := range paths {
		if s.files[p] == nil {
			s.hold(p)
			changed = true
		}
	}
	for p, h := range s.files {
		changed = h.read(parser(p)) || changed
		if !h.seen.there && p != s.GlobalPath() {
			delete(s.files, p)
		}
	}
	if changed {
		s.changes++
	}
	return changed
}

// readSettings takes in the hosts of the settings file. Called with mu held.
func (s *Store) readSettings() bool {
	if s.opt.Settings == nil {
		return false
	}
	rules, err := s.opt.Settings()
	if err != nil {
		changed := s.settings.bad == nil
		s.settings.bad = &BadFileError{[]Problem{{File: "settings.toml", Why: err.Error(), Fix: "correct it; until then its last good hosts stay in force"}}}
		return changed
	}
	f := File{Name: "settings.toml"}
	for _, r := range rules {
		if h, err := r.Check(); err == nil {
			r.Host = h.String()
			if r.Port == 0 {
				r.Port = egress.DefaultPort
			}
			f.Allow = append(f.Allow, Allow{Rule: r, Host: h})
		}
	}
	changed := s.settings.bad != nil || !slices.EqualFunc(f.Allow, s.settings.file.Allow, func(a, b Allow) bool {
		return a.Host == b.Host && a.Rule.Port == b.Rule.Port && a.Rule.Private == b.Rule.Private
	})
	s.settings.file, s.settings.bad = f, nil
	return changed
}

// Effective is what holds for a bottle now. It is shared: do not change it.
func (s *Store) Effective(b Bottle) Effective {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.effective(b)
}

func (s *Store) effective(b Bottle) Effective {
	now := s.opt.Now().Round(0)
	if c, ok := s.cache[b]; ok && c.changes == s.changes && (c.until.IsZero() || now.Before(c.until)) {
		return c.e
	}
	layers, project, trouble, lost := s.layers(b)
	var e Effective
	if lost {
		e = Effective{Unknown: true, Problems: trouble}
	} else {
		e = Merge(layers, project, now)
		e.Problems = append(trouble, e.Problems...)
	}
	s.cache[b] = cached{s.changes, e.Next, e}
	return e
}

// layers gathers the files that concern a bottle. lost says that what one of
// them held is not known: then nothing may be let through. Called with mu held.
func (s *Store) layers(b Bottle) (layers []Layer, project *File, trouble []Problem, lost bool) {
	take := func(h *held, o Origin) {
		if h.bad != nil {
			trouble = append(trouble, h.problems()...)
		}
		lost = lost || h.lost
		layers = append(layers, Layer{o, s.awake(h.file)})
	}
	take(&s.settings, FromSettings)
	take(s.hold(s.GlobalPath()), FromGlobal)
	if b.Artifact != "" {
		h := s.hold(s.ArtifactPath(b.Artifact))
		if h.file.Artifact != "" && b.ArtifactID != "" && h.file.Artifact != b.ArtifactID {
			trouble = append(trouble, Problem{
				File: h.path, Why: "it was made for another artifact that had this name, and is not in force",
				Fix: "look through it, then remove its line artifact = …", Warning: true,
			})
		} else {
			take(h, FromArtifact)
		}
	}
	if b.ID == "" {
		return layers, nil, trouble, lost
	}
	take(s.hold(s.BottlePath(b.ID)), FromBottle)
	if p := s.hold(s.projectPath(b.ID)); p.text != nil || p.bad != nil {
		lost = lost || p.lost || p.bad != nil && p.text == nil
		f := p.file
		project = &f
	}
	return layers, project, trouble, lost
}

// awake leaves out rules for a while that were granted before a sleep.
func (s *Store) awake(f File) File {
	if s.slept.IsZero() || !slices.ContainsFunc(f.Allow, s.overslept) {
		return f
	}
	f.Allow = slices.DeleteFunc(slices.Clone(f.Allow), s.overslept)
	return f
}

func (s *Store) overslept(a Allow) bool {
	return !a.Expires.IsZero() && !a.Granted.IsZero() && !a.Granted.After(s.slept)
}

// Muted reports whether a refused host is not to be asked about.
func (s *Store) Muted(b Bottle, host string, port int) bool {
	return s.Effective(b).Muted(host, uint16(min(max(port, 0), 65535))) //nolint:gosec // bounded
}

// Problems is what is wrong with the files that concern more than one bottle.
func (s *Store) Problems() []Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.hold(s.GlobalPath()).problems()
	var paths []string
	for p := range s.files {
		if filepath.Dir(p) == s.artifactDir() {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	for _, p := range paths {
		out = append(out, s.files[p].problems()...)
	}
	return append(out, s.settings.problems()...)
}

// Begin writes down what a launch says of its own: the text of the bottle's
// file and that of its project's; nil where there is none.
func (s *Store) Begin(id string, own, project []byte) error {
	if own != nil {
		if _, err := Parse(s.BottlePath(id), own); err != nil {
			return err
		}
	}
	for path, text := range map[string][]byte{s.BottlePath(id): own, s.projectPath(id): project} {
		if text == nil {
			continue
		}
		if err := atomicfile.Write(path, text, 0); err != nil {
			return fmt.Errorf("writing the bottle's policy: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readAll()
	return nil
}

// Forget removes what was kept of a bottle.
func (s *Store) Forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range []string{s.BottlePath(id), s.projectPath(id)} {
		h := s.files[p]
		delete(s.files, p)
		_ = os.Remove(p)
		if h != nil {
			_ = os.Remove(h.good)
		}
	}
	for b := range s.cache {
		if b.ID == id {
			delete(s.cache, b)
		}
	}
}

// Keep forgets every bottle but those named.
func (s *Store) Keep(ids []string) {
	names, _ := os.ReadDir(s.bottleDir())
	for _, n := range names {
		id, isFile := strings.CutSuffix(n.Name(), suffix)
		id, _ = strings.CutSuffix(id, ".project")
		if isFile && !slices.Contains(ids, id) {
			s.Forget(id)
		}
	}
}

// RenameArtifact moves the file of an artifact along with its name. One that
// already has the new name stays as it is.
func (s *Store) RenameArtifact(from, to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := os.Lstat(s.ArtifactPath(to)); err == nil {
		return nil
	}
	if err := os.Rename(s.ArtifactPath(from), s.ArtifactPath(to)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("renaming the artifact's policy: %w", err)
	}
	s.readAll()
	return nil
}

package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bottlebar.app/egress"
	"bottlebar.app/internal/atomicfile"
	"bottlebar.app/internal/fault"
)

// Change is one thing that a person wants of the policy.
type Change struct {
	Action  string // one of the Do constants
	Scope   string // "once", "bottle", "artifact" or "global"
	Bottle  Bottle // for all scopes but global; of "artifact" its artifact alone matters
	Host    string
	Port    int // 0: 443 for allow, every port for the others
	Methods []string
	Private bool
	For     time.Duration // of "once"; 0: DefaultOnce
	Preset  string
}

// The actions of a Change.
const (
	DoAllow     = "allow"      // a rule
	DoDeny      = "deny"       // the opposite: the rule goes, and what a wider scope still allows is blocked in this one
	DoBlock     = "block"      // onto the block list
	DoUnblock   = "unblock"    // off it
	DoMute      = "mute"       // refuse without asking
	DoRemove    = "remove"     // every line of the scope for the host
	DoPresetOn  = "preset-on"  //
	DoPresetOff = "preset-off" // also where a wider scope has it on
)

// DefaultOnce and MaxOnce are how long something is allowed once.
const (
	DefaultOnce = 15 * time.Minute
	MaxOnce     = 24 * time.Hour
)

// Change edits the file of the change's scope, and takes the outcome in. A file
// that is bad is not edited. Changed is not told: the caller knows.
func (s *Store) Change(c Change) error {
	what := strings.TrimSpace("changing the policy: " + c.Action + " " + quotedOrEmpty(c.Host+c.Preset))
	path, head, err := s.place(c)
	if err != nil {
		return fault.Wrap(err, what, "")
	}
	s.mu.Lock()
	err = s.change(c, path, head)
	s.mu.Unlock()
	if err != nil {
		return fault.Wrap(err, what, "")
	}
	s.poked()
	return nil
}

func quotedOrEmpty(s string) string {
	if s == "" {
		return ""
	}
	return quoted(s)
}

// place is the file of a scope, and what a new one begins with.
func (s *Store) place(c Change) (path, head string, err error) {
	switch c.Scope {
	case "global":
		return s.GlobalPath(), "# What every bottle may reach.\n", nil
	case "artifact":
		if c.Bottle.Artifact == "" || strings.ContainsAny(c.Bottle.Artifact, "/\\.") {
			return "", "", fault.New("", "no artifact is named", "name one, or a bottle of it")
		}
		head = "# What bottles of this artifact may reach.\n"
		if c.Bottle.ArtifactID != "" {
			head += fmt.Sprintf("artifact = %q # the one that this is for\n", c.Bottle.ArtifactID)
		}
		return s.ArtifactPath(c.Bottle.Artifact), head, nil
	case "bottle", "once":
		if c.Bottle.ID == "" {
			return "", "", fault.New("", "no bottle is named", "name one")
		}
		if c.Scope == "once" && c.Action != DoAllow {
			return "", "", fault.New("", "only allow can be for a while", "say bottle instead of once")
		}
		return s.BottlePath(c.Bottle.ID), "# What this bottle may reach.\n", nil
	}
	return "", "", fault.New("", "there is no scope "+quoted(c.Scope), "use once, bottle, artifact or global")
}

func (s *Store) change(c Change, path, head string) error {
	switch c.Action {
	case DoPresetOn, DoPresetOff:
		return s.preset(c, path, head)
	case DoAllow, DoDeny, DoBlock, DoUnblock, DoMute, DoRemove:
	default:
		return fault.New("", "there is no action "+quoted(c.Action), "use allow, deny, block, unblock, mute, remove, preset-on or preset-off")
	}
	if c.Port < 0 || c.Port > 65535 {
		return fault.New("", fmt.Sprintf("there is no port %d", c.Port), "use a port between 1 and 65535")
	}
	if c.Action == DoAllow {
		return s.allow(c, path, head)
	}
	h, err := egress.ParseHost(c.Host)
	if err != nil {
		return err
	}
	e := Entry{Host: h, Port: uint16(c.Port)}
	switch c.Action {
	case DoDeny:
		return s.deny(c, e, path, head)
	case DoBlock:
		return s.edit(path, head, func(x *edit) error { return x.put(tableBlock, e) })
	case DoMute:
		return s.edit(path, head, func(x *edit) error { return x.put(tableMute, e) })
	case DoUnblock:
		return s.take(path, e, c, tableBlock)
	}
	return s.take(path, e, c, tableAllow, tableBlock, tableMute)
}

// put adds an entry unless it is there.
func (e *edit) put(kind string, entry Entry) error {
	for _, t := range e.doc.tables {
		if have, ok := entryOf(t); ok && t.name == kind && have.Entry == entry {
			return nil
		}
	}
	return e.add(kind, entry.lines()...)
}

// is matches the entries that a change without a port, or with one, means.
func (e Entry) is(o found) bool { return o.Host == e.Host && (e.Port == 0 || o.Port == e.Port) }

func (s *Store) allow(c Change, path, head string) error {
	a, err := s.wants(c)
	if err != nil {
		return err
	}
	here := Entry{Host: a.Host, Port: a.Rule.Port}
	if by, origin := s.blockedElsewhere(c.Bottle, here, path); by != "" {
		return fault.New("", fmt.Sprintf("%s is on the block list (%s), which always wins", by, origin), "unblock it first")
	}
	own := func(f found) bool { return f.Host == here.Host && (f.Port == 0 || f.Port == here.Port) }
	timed := !a.Expires.IsZero()
	return s.edit(path, head, func(x *edit) error {
		for _, kind := range []string{tableBlock, tableMute} {
			if _, err := x.remove(kind, own); err != nil {
				return err
			}
		}
		// A rule for a while does not take the place of one that stays.
		if timed && slices.ContainsFunc(s.hold(path).file.Allow, a.within) {
			return nil
		}
		if _, err := x.remove(tableAllow, func(f found) bool { return f.Entry == here && (!timed || !f.expires.IsZero()) }); err != nil {
			return err
		}
		return x.add(tableAllow, a.lines()...)
	})
}

// wants is the rule that a change is to add.
func (s *Store) wants(c Change) (Allow, error) {
	a := Allow{Rule: egress.Rule{Host: c.Host, Port: uint16(c.Port), Methods: c.Methods, Private: c.Private}} //nolint:gosec // checked
	var err error
	if a.Host, err = a.Rule.Check(); err != nil {
		return a, err
	}
	var r reader
	if err := r.wide(a.Host, a); err != nil {
		return a, err
	}
	if a.Rule.Port == 0 {
		a.Rule.Port = egress.DefaultPort
	}
	if a.Host == apiHost {
		return a, fault.New("", "the API is reached by the sidecar's own route", "turn it on with the preset "+APIPreset)
	}
	if c.Scope != "once" {
		return a, nil
	}
	if c.For < 0 || c.For > MaxOnce {
		return a, fault.New("", fmt.Sprintf("%s is not a time for once", c.For), "use up to 24 hours, or allow it for the bottle")
	}
	if c.For == 0 {
		c.For = DefaultOnce
	}
	a.Granted = s.opt.Now().Round(0).Truncate(time.Second)
	a.Expires = a.Granted.Add(max(c.For, time.Second))
	return a, nil
}

// within reports whether a rule that stays lets through all that a does.
func (a Allow) within(o Allow) bool {
	return o.Expires.IsZero() && o.Host == a.Host && o.Rule.Port == a.Rule.Port && o.Rule.Methods == nil && (o.Rule.Private || !a.Rule.Private)
}

// blockedElsewhere finds a block of a host that the scope's own file does not
// hold as it is.
func (s *Store) blockedElsewhere(b Bottle, e Entry, path string) (string, Origin) {
	for _, l := range s.effective(b).Lines {
		if l.Action != Blocks || !l.entry().matches(e.Host, e.Port) {
			continue
		}
		if l.File != path || l.Host != e.Host {
			return l.Text(), l.Origin
		}
	}
	return "", ""
}

// deny takes rules away, and blocks what a wider scope still lets through.
func (s *Store) deny(c Change, e Entry, path, head string) error {
	return s.edit(path, head, func(x *edit) error {
		if _, err := x.remove(tableAllow, e.is); err != nil {
			return err
		}
		f, err := Parse(path, x.doc.text)
		if err != nil {
			return err
		}
		layers, project, _, _ := s.layers(c.Bottle)
		for i := range layers {
			if layers[i].File.Name == path {
				layers[i].File = f
			}
		}
		still := slices.ContainsFunc(Merge(layers, project, s.opt.Now().Round(0)).Lines, func(l Line) bool {
			return l.Action == Allows && l.Overruled == "" && (e.Port == 0 || l.Port == e.Port) && (l.Host.Covers(e.Host) || e.Host.Covers(l.Host))
		})
		if !still {
			return nil
		}
		return x.put(tableBlock, e)
	})
}

// take removes lines, of which there must be some.
func (s *Store) take(path string, e Entry, c Change, kinds ...string) error {
	n := 0
	err := s.edit(path, "", func(x *edit) error {
		for _, k := range kinds {
			gone, err := x.remove(k, e.is)
			if err != nil {
				return err
			}
			n += gone
		}
		return nil
	})
	if err != nil || n > 0 {
		return err
	}
	for _, l := range s.effective(c.Bottle).Lines {
		if l.Host == e.Host && slices.Contains(kinds, l.Action) && l.Preset == "" {
			return fault.New("", fmt.Sprintf("%s is not in the %s policy", e, c.Scope), fmt.Sprintf("it comes from %s: change it there", l.Origin))
		}
	}
	return fault.New("", fmt.Sprintf("%s is not in the %s policy", e, c.Scope), "bottlebar policy show lists what is")
}

func (s *Store) preset(c Change, path, head string) error {
	p, ok := PresetOf(c.Preset)
	if !ok {
		return fault.New("", "there is no preset "+quoted(c.Preset), "the presets are "+presetNames())
	}
	return s.edit(path, head, func(x *edit) error {
		f, err := Parse(path, x.doc.text)
		if err != nil {
			return err
		}
		on, off := others(f.Presets, p.Name), others(f.Without, p.Name)
		if c.Action == DoPresetOn {
			if on = append(on, p.Name); p.API && len(off) < len(f.Without) {
				on = others(f.Presets, p.Name) // it is on by itself
			}
		} else if s.widerHas(c, path, p.Name) {
			off = append(off, p.Name)
		}
		if err := x.setNames("presets", on); err != nil {
			return err
		}
		return x.setNames("without", off)
	})
}

func others(list []Named, name string) []string {
	out := []string{}
	for _, n := range list {
		if n.Name != name && !slices.Contains(out, n.Name) {
			out = append(out, n.Name)
		}
	}
	return out
}

// widerHas reports whether a preset is on without what a file says.
func (s *Store) widerHas(c Change, path, name string) bool {
	layers, _, _, _ := s.layers(c.Bottle)
	layers = slices.DeleteFunc(layers, func(l Layer) bool { return l.File.Name == path })
	_, on := Merge(layers, nil, s.opt.Now().Round(0)).Presets[name]
	return on
}

// edit changes a file's text, or makes the file, and takes the outcome in. The
// text is read anew: an editor may have saved a moment ago. Called with mu held.
func (s *Store) edit(path, head string, change func(*edit) error) error {
	h := s.hold(path)
	h.read(parser(path))
	if h.bad != nil {
		return h.bad
	}
	text, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = []byte(head), nil
	}
	if err != nil {
		return err
	}
	x, err := newEdit(path, text)
	if err != nil {
		return err
	}
	if err := change(x); err != nil {
		return err
	}
	if bytes.Equal(x.doc.text, text) {
		return nil
	}
	if _, err := parser(path)(path, x.doc.text); err != nil {
		return err
	}
	to := path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		to = real // a link to the person's own place stays one
	}
	perm := atomicfile.FilePerm
	if fi, err := os.Stat(to); err == nil {
		perm = fi.Mode().Perm()
	}
	if err := atomicfile.Write(to, x.doc.text, perm); err != nil {
		return err
	}
	if h.read(parser(path)) {
		s.changes++
	}
	return nil
}

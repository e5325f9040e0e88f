package policy

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bottlebar.app/egress"
)

// clock is what a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
	up time.Duration
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }
func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	c.at = c.at.Add(d)
	c.mu.Unlock()
}

func (c *clock) awake(d time.Duration) {
	c.mu.Lock()
	c.up += d
	c.mu.Unlock()
}

func (c *clock) uptime() time.Duration { c.mu.Lock(); defer c.mu.Unlock(); return c.up }

type rig struct {
	*Store
	t       *testing.T
	dir     string
	clock   *clock
	changed chan struct{}
}

func newRig(t *testing.T) *rig { return openRig(t, t.TempDir(), &clock{at: noon}) }

func openRig(t *testing.T, dir string, c *clock) *rig {
	t.Helper()
	r := &rig{t: t, dir: dir, clock: c, changed: make(chan struct{}, 1)}
	s, err := Open(Options{Config: filepath.Join(dir, "config"), State: filepath.Join(dir, "state"), Now: c.now, Awake: c.uptime, Changed: func() {
		select {
		case r.changed <- struct{}{}:
		default:
		}
	}})
	must(t, err)
	t.Cleanup(s.Close)
	r.Store = s
	return r
}

func (r *rig) write(path, text string) {
	r.t.Helper()
	must(r.t, os.WriteFile(path, []byte(text), 0o640))
}

func (r *rig) text(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (r *rig) ok(b Bottle, host string) bool {
	tg, err := egress.ParseTarget(host, 443)
	must(r.t, err)
	return r.Effective(b).Decide(tg).OK
}

func (r *rig) do(c Change) {
	r.t.Helper()
	if err := r.Change(c); err != nil {
		r.t.Fatalf("%+v: %v", c, err)
	}
}

var one = Bottle{ID: "aaaaaaaa", Artifact: "demo", ArtifactID: "1234"}

func TestChangesGoIntoTheFileOfTheirScope(t *testing.T) {
	r := newRig(t)
	other := Bottle{ID: "bbbbbbbb", Artifact: "demo", ArtifactID: "1234"}
	stranger := Bottle{ID: "cccccccc", Artifact: "else", ArtifactID: "5678"}
	r.do(Change{Action: DoAllow, Scope: "bottle", Bottle: one, Host: "Bottle.example."})
	r.do(Change{Action: DoAllow, Scope: "artifact", Bottle: one, Host: "artifact.example"})
	r.do(Change{Action: DoAllow, Scope: "global", Host: "global.example"})
	r.do(Change{Action: DoAllow, Scope: "once", Bottle: one, Host: "once.example", For: time.Minute})
	for host, want := range map[string][3]bool{
		"bottle.example": {true, false, false}, "artifact.example": {true, true, false}, "global.example": {true, true, true}, "once.example": {true, false, false},
	} {
		if got := [3]bool{r.ok(one, host), r.ok(other, host), r.ok(stranger, host)}; got != want {
			t.Errorf("%s is let through by %v, want %v", host, got, want)
		}
	}
	if got, want := r.text(r.ArtifactPath("demo")), "# What bottles of this artifact may reach.\nartifact = \"1234\" # the one that this is for\n\n[[allow]]\nhost = \"artifact.example\"\n"; got != want {
		t.Errorf("the artifact's file holds %q", got)
	}
	if got, want := r.text(r.BottlePath(one.ID)), "# What this bottle may reach.\n\n[[allow]]\nhost = \"bottle.example\"\n\n[[allow]]\nhost = \"once.example\"\ngranted = 2026-01-31T12:00:00Z\nexpires = 2026-01-31T12:01:00Z\n"; got != want {
		t.Errorf("the bottle's file holds %q", got)
	}
	if r.ok(Bottle{ID: "dddddddd", Artifact: "demo", ArtifactID: "other"}, "artifact.example") {
		t.Error("another artifact of that name has the first one's rules")
	}
}

func TestWhatAChangeMeans(t *testing.T) {
	at := func(action, host string) Change {
		return Change{Action: action, Scope: "bottle", Bottle: one, Host: host}
	}
	port := func(c Change, p int) Change { c.Port = p; return c }
	global := func(c Change) Change { c.Scope = "global"; return c }
	preset := func(action, scope, name string) Change {
		return Change{Action: action, Scope: scope, Bottle: one, Preset: name}
	}
	for name, c := range map[string]struct {
		do   []Change
		want string // what the last one's error says; empty: none
		yes  string
		no   string
	}{
		"deny takes a rule":                     {[]Change{at(DoAllow, "a.example"), at(DoDeny, "a.example")}, "", "", "a.example"},
		"deny in a bottle blocks a global rule": {[]Change{global(at(DoAllow, "a.example")), at(DoDeny, "a.example")}, "", "", "a.example"},
		"allow takes it back":                   {[]Change{global(at(DoAllow, "a.example")), at(DoDeny, "a.example"), at(DoAllow, "a.example")}, "", "a.example", ""},
		"deny of a port leaves the others":      {[]Change{at(DoAllow, "a.example"), port(at(DoAllow, "a.example"), 80), port(at(DoDeny, "a.example"), 80)}, "", "a.example", "a.example:80"},
		"deny below a wildcard":                 {[]Change{at(DoAllow, "*.a.example"), at(DoDeny, "b.a.example")}, "", "c.a.example", "b.a.example"},
		"deny of a preset's host":               {[]Change{preset(DoPresetOn, "global", "go"), at(DoDeny, "proxy.golang.org")}, "", "sum.golang.org", "proxy.golang.org"},
		"block wins over a later allow":         {[]Change{global(at(DoBlock, "a.example")), at(DoAllow, "a.example")}, "block list", "", "a.example"},
		"also by a wildcard":                    {[]Change{global(at(DoBlock, "*.example")), at(DoAllow, "a.example")}, "block list", "", "a.example"},
		"unblock":                               {[]Change{at(DoAllow, "a.example"), at(DoBlock, "a.example"), at(DoUnblock, "a.example")}, "", "a.example", ""},
		"unblock where nothing is":              {[]Change{at(DoUnblock, "a.example")}, "not in the bottle policy", "", ""},
		"unblock in the wrong scope":            {[]Change{global(at(DoBlock, "a.example")), at(DoUnblock, "a.example")}, "it comes from global", "", ""},
		"remove":                                {[]Change{at(DoAllow, "a.example"), at(DoMute, "a.example"), at(DoRemove, "a.example")}, "", "", "a.example"},
		"remove where nothing is":               {[]Change{at(DoRemove, "a.example")}, "not in the bottle policy", "", ""},
		"a preset and without it":               {[]Change{preset(DoPresetOn, "global", "go"), preset(DoPresetOff, "bottle", "go")}, "", "", "proxy.golang.org"},
		"and with it again":                     {[]Change{preset(DoPresetOn, "global", "go"), preset(DoPresetOff, "bottle", "go"), preset(DoPresetOn, "bottle", "go")}, "", "proxy.golang.org", ""},
		"no preset":                             {[]Change{preset(DoPresetOn, "global", "golang")}, "the presets are", "", ""},
		"once does not replace what stays":      {[]Change{at(DoAllow, "a.example"), {Action: DoAllow, Scope: "once", Bottle: one, Host: "a.example"}}, "", "a.example", ""},
		"the API by its route":                  {[]Change{at(DoAllow, "api.anthropic.com")}, "route", "", ""},
		"a bad name":                            {[]Change{at(DoAllow, "a b")}, "space", "", ""},
		"a bad port":                            {[]Change{port(at(DoAllow, "a.example"), 65536)}, "no port", "", ""},
		"a bad action":                          {[]Change{at("open", "a.example")}, "no action", "", ""},
		"a bad scope":                           {[]Change{{Action: DoAllow, Scope: "all", Host: "a.example"}}, "no scope", "", ""},
		"no bottle":                             {[]Change{{Action: DoAllow, Scope: "bottle", Host: "a.example"}}, "no bottle", "", ""},
		"an artifact that is a path":            {[]Change{{Action: DoAllow, Scope: "artifact", Bottle: Bottle{Artifact: "../policy"}, Host: "a.example"}}, "no artifact", "", ""},
		"once for too long":                     {[]Change{{Action: DoAllow, Scope: "once", Bottle: one, Host: "a.example", For: 25 * time.Hour}}, "not a time", "", "a.example"},
		"once of a block":                       {[]Change{{Action: DoBlock, Scope: "once", Bottle: one, Host: "a.example"}}, "only allow", "", ""},
		"too wide":                              {[]Change{at(DoAllow, "*.co.uk")}, "too wide", "", "a.co.uk"},
		"methods inside TLS":                    {[]Change{{Action: DoAllow, Scope: "bottle", Bottle: one, Host: "a.example", Methods: []string{"GET"}}}, "inside TLS", "", "a.example"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			var err error
			for i, change := range c.do {
				if err = r.Change(change); err != nil && i < len(c.do)-1 {
					t.Fatalf("%+v: %v", change, err)
				}
			}
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("says %v, want %q", err, c.want)
			}
			if c.yes != "" && !r.ok(one, c.yes) {
				t.Errorf("%s is refused\n%s", c.yes, r.text(r.BottlePath(one.ID)))
			}
			if c.no != "" && r.ok(one, c.no) {
				t.Errorf("%s is let through\n%s", c.no, r.text(r.BottlePath(one.ID)))
			}
		})
	}
}

func TestAMutedNameIsToldAndAllowingItUnmutesIt(t *testing.T) {
	r := newRig(t)
	r.do(Change{Action: DoMute, Scope: "bottle", Bottle: one, Host: "*.telemetry.example"})
	r.do(Change{Action: DoMute, Scope: "global", Host: "a.example", Port: 80})
	for host, want := range map[string]bool{"x.telemetry.example": true, "telemetry.example": false, "a.example": false} {
		if got := r.Muted(one, host, 443); got != want {
			t.Errorf("%s is muted: %v", host, got)
		}
	}
	if !r.Muted(one, "a.example", 80) || r.Muted(Bottle{}, "x.telemetry.example", 443) {
		t.Error("a mute holds for the wrong port or bottle")
	}
	r.do(Change{Action: DoAllow, Scope: "global", Host: "a.example", Port: 80})
	if r.Muted(one, "a.example", 80) {
		t.Error("what is allowed is muted still")
	}
}

func TestWhatIsAllowedOnceEnds(t *testing.T) {
	once := Change{Action: DoAllow, Scope: "once", Bottle: one, Host: "a.example", For: 10 * time.Minute}
	for name, c := range map[string]struct {
		then func(r *rig)
		want bool
	}{
		"not before its time":  {func(r *rig) { r.clock.add(9 * time.Minute) }, true},
		"at its time":          {func(r *rig) { r.clock.add(10 * time.Minute) }, false},
		"when the clock jumps": {func(r *rig) { r.clock.add(-time.Second) }, false},
		"over a sleep":         {func(r *rig) { r.Slept() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.do(once)
			c.then(r)
			if got := r.ok(one, "a.example"); got != c.want {
				t.Errorf("it is let through: %v", got)
			}
			// Another owner with the same files agrees, whatever its clock says by then.
			if !c.want {
				again := openRig(t, r.dir, r.clock)
				if name == "over a sleep" && again.ok(one, "a.example") {
					t.Error("a restart brings it back")
				}
			}
		})
	}
}

func TestABeatFindsASleepAndASetClock(t *testing.T) {
	for name, c := range map[string]struct {
		wall, awake time.Duration
		want        bool
	}{
		"an ordinary beat":        {10 * time.Second, 10 * time.Second, true},
		"a late beat":             {time.Minute, time.Minute, true},
		"a small correction":      {12 * time.Second, 10 * time.Second, true},
		"a sleep":                 {2 * time.Minute, 10 * time.Second, false},
		"a clock that is set on":  {30 * time.Second, 10 * time.Second, false},
		"a clock that is set off": {-30 * time.Second, 10 * time.Second, false},
		"one that was a year on":  {-365 * 24 * time.Hour, 10 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.do(Change{Action: DoAllow, Scope: "bottle", Bottle: one, Host: "stays.example"})
			r.clock.add(time.Minute)
			r.clock.awake(time.Minute)
			r.do(Change{Action: DoAllow, Scope: "once", Bottle: one, Host: "a.example", For: 10 * time.Minute})
			r.Beat()
			r.clock.add(time.Minute) // so that a clock set back stays after the rule's beginning
			r.clock.awake(time.Minute)
			r.Beat()
			r.clock.add(c.wall)
			r.clock.awake(c.awake)
			r.Beat()
			if got := r.ok(one, "a.example"); got != c.want {
				t.Errorf("it is let through: %v", got)
			}
			if !c.want && strings.Contains(r.text(r.BottlePath(one.ID)), "a.example") {
				t.Error("the rule stays in the file")
			}
			if !r.ok(one, "stays.example") {
				t.Error("a rule without an end is over")
			}
			if !c.want { // what is granted afterwards counts
				r.clock.add(time.Minute)
				r.do(Change{Action: DoAllow, Scope: "once", Bottle: one, Host: "a.example", For: 10 * time.Minute})
				if !r.ok(one, "a.example") {
					t.Error("a rule that was granted afterwards is over")
				}
			}
		})
	}
}

func TestAFileThatIsEditedByHandIsTakenIn(t *testing.T) {
	r := newRig(t)
	r.write(r.GlobalPath(), "[[allow]]\nhost = \"a.example\"\n")
	<-r.changed
	if !r.ok(one, "a.example") {
		t.Fatal("the edit is not in force")
	}
	r.write(r.GlobalPath(), "[[allow]]\nhost = \"b example\"\n")
	<-r.changed
	if p := r.Problems(); len(p) != 1 || p[0].Line != 2 || !r.ok(one, "a.example") {
		t.Errorf("a bad edit: %v, in force %v", p, r.ok(one, "a.example"))
	}
	if err := r.Change(Change{Action: DoBlock, Scope: "global", Host: "c.example"}); err == nil || r.text(r.GlobalPath()) != "[[allow]]\nhost = \"b example\"\n" {
		t.Errorf("changing a bad file: %v", err)
	}
	again := openRig(t, r.dir, r.clock)
	if p := again.Problems(); len(p) != 1 || !again.ok(one, "a.example") {
		t.Errorf("after a restart: %v, in force %v", p, again.ok(one, "a.example"))
	}
	must(t, os.Remove(r.GlobalPath()))
	<-r.changed
	if len(r.Problems()) != 0 || r.ok(one, "a.example") {
		t.Errorf("a file that is gone: %v", r.Problems())
	}
	// A bottle's file appears, as an editor writes it.
	must(t, os.WriteFile(r.BottlePath(one.ID)+"~", []byte("[[allow]]\nhost = \"c.example\"\n"), 0o600))
	must(t, os.Rename(r.BottlePath(one.ID)+"~", r.BottlePath(one.ID)))
	for !r.ok(one, "c.example") {
		<-r.changed
	}
}

func TestABadFileOfWhichNothingIsKnownLetsNothingThrough(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "config"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "config", globalName), []byte("[[block"), 0o600))
	r := openRig(t, dir, &clock{at: noon})
	e := r.Effective(one)
	if !e.Unknown || e.API || len(e.Hosts) > 0 || len(e.Problems) != 1 {
		t.Errorf("in force is %+v", e)
	}
}

func TestAnEditKeepsALinkAndAMode(t *testing.T) {
	r := newRig(t)
	real := filepath.Join(t.TempDir(), "mine.toml")
	r.write(real, "# mine\n")
	must(t, os.Chmod(real, 0o640))
	must(t, os.Symlink(real, r.GlobalPath()))
	r.do(Change{Action: DoAllow, Scope: "global", Host: "a.example"})
	if fi, err := os.Lstat(r.GlobalPath()); err != nil || fi.Mode()&os.ModeSymlink == 0 {
		t.Error("the link became a file")
	}
	if fi, err := os.Stat(real); err != nil || fi.Mode().Perm() != 0o640 || !strings.HasPrefix(r.text(real), "# mine\n\n[[allow]]") {
		t.Errorf("the file holds %q, %v", r.text(real), err)
	}
}

func TestNothingIsKeptOfBottlesThatAreGone(t *testing.T) {
	r := newRig(t)
	must(t, r.Begin(one.ID, []byte("presets = [\"go\"]"), []byte("[[block]]\nhost = \"a.example\"\n")))
	must(t, r.Begin("bbbbbbbb", []byte("presets = [\"go\"]"), nil))
	if !r.ok(one, "proxy.golang.org") || r.Effective(one).BlockedBy("a.example", 443) == "" {
		t.Error("what a launch says is not in force")
	}
	if err := r.Begin("cccccccc", []byte("presets = [\"no\"]"), nil); err == nil {
		t.Error("a launch with a bad policy begins")
	}
	r.Keep([]string{"bbbbbbbb"})
	for path, want := range map[string]bool{r.BottlePath(one.ID): false, r.projectPath(one.ID): false, r.BottlePath("bbbbbbbb"): true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	r.Forget("bbbbbbbb")
	var left []string
	must(t, filepath.WalkDir(r.bottleDir(), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			left = append(left, path)
		}
		return err
	}))
	if len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	if r.ok(one, "proxy.golang.org") {
		t.Error("what is forgotten is in force")
	}
}

func TestAProjectsFileIsReadAsAStrangers(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "policy.toml")
	must(t, os.WriteFile(outside, []byte("[[block]]\nhost = \"a.example\"\n"), 0o600))
	for name, c := range map[string]struct {
		make func(path string) error
		want string // of the error; empty: none
		text string
	}{
		"none":         {func(string) error { return nil }, "", ""},
		"a file":       {func(p string) error { return os.WriteFile(p, []byte("# x\n"), 0o600) }, "", "# x\n"},
		"an empty one": {func(p string) error { return os.WriteFile(p, nil, 0o600) }, "", ""},
		"a link inside": {func(p string) error {
			return errors.Join(os.WriteFile(p+"2", []byte("# y\n"), 0o600), os.Symlink("policy.toml2", p))
		}, "", "# y\n"},
		"a link out of it":  {func(p string) error { return os.Symlink(outside, p) }, "escapes", ""},
		"a relative one":    {func(p string) error { return os.Symlink("../../../../../../etc/passwd", p) }, "escapes", ""},
		"a link to nothing": {func(p string) error { return os.Symlink("gone", p) }, "leads nowhere", ""},
		"a pipe":            {func(p string) error { return syscall.Mkfifo(p, 0o600) }, "no file", ""},
		"a folder":          {func(p string) error { return os.Mkdir(p, 0o700) }, "no file", ""},
		"larger than any":   {func(p string) error { return os.WriteFile(p, make([]byte, maxProject+1), 0o600) }, "larger", ""},
		"what is no policy": {func(p string) error { return os.WriteFile(p, []byte("\x00\xff"), 0o600) }, "line 1", ""},
		"more rules than any": {func(p string) error {
			return os.WriteFile(p, []byte(strings.Repeat("[[block]]\nhost=\"a.example\"\n", 501)), 0o600)
		}, "at most 500", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, os.Mkdir(filepath.Join(dir, ".bottlebar"), 0o700))
			must(t, c.make(filepath.Join(dir, ProjectFile)))
			text, err := ReadProject(dir)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || string(text) != c.text {
				t.Errorf("reads %q, %v; want %q, %q", text, err, c.text, c.want)
			}
		})
	}
}

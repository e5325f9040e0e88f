package tray

// Verb is what an entry does.
type Verb string

// The verbs. Those in the first group concern the bottle whose ID is the
// action's target, those in the second the artifact whose ID it is; the last
// have no target.
const (
	Open        Verb = "open"     // the session window
	Shell       Verb = "shell"    // a further window with a shell
	CopyIn      Verb = "copy-in"  // ask for files and copy them in
	CopyOut     Verb = "copy-out" // ask for files of the VM and copy them out
	Activity    Verb = "activity" // what the bottle reached; without a target, all of them
	Prove       Verb = "prove"    // run the proof of isolation again
	Stop        Verb = "stop"
	Cancel      Verb = "cancel" // a launch under way
	Resume      Verb = "resume"
	Discard     Verb = "discard"
	ShowProblem Verb = "problem" // why a bottle failed; without a target, what went wrong outside any

	Launch         Verb = "launch"
	LaunchOnFolder Verb = "launch-on-folder"

	Make    Verb = "make" // an artifact of a recipe
	Pack    Verb = "pack"
	Add     Verb = "add"
	Library Verb = "library"
	Bottles Verb = "bottles"
	Setup   Verb = "setup"
	Quit    Verb = "quit"
)

// Action is what a click asks for. The target is an ID, never a name: a click
// on a menu that has become stale must not reach another bottle of that name.
type Action struct {
	Verb   Verb
	Target string
}

// Entry is one entry of the menu.
type Entry struct {
	Label     string
	Separator bool
	Disabled  bool
	Checked   bool
	Quit      bool // the one entry that ends the app; always the last
	Action    Action
	Children  []Entry
}

// Equal reports whether two menus look and act the same.
func Equal(a, b []Entry) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := &a[i], &b[i]
		if x.Label != y.Label || x.Separator != y.Separator || x.Disabled != y.Disabled ||
			x.Checked != y.Checked || x.Quit != y.Quit || x.Action != y.Action || !Equal(x.Children, y.Children) {
			return false
		}
	}
	return true
}

// Total counts entries with all their children.
func Total(entries []Entry) int {
	n := len(entries)
	for i := range entries {
		n += Total(entries[i].Children)
	}
	return n
}

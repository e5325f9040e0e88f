package app

import (
	"os"
	"path/filepath"

	"github.com/adrg/xdg"

	"bottlebar.app/bottle"
	"bottlebar.app/internal/fault"
)

// Paths are the places of everything that Bottlebar keeps. With BOTTLEBAR_HOME
// all of them lie below that one folder.
type Paths struct {
	Cache    string // the library of artifacts and the prepared homes
	State    string // journal, lock, logs
	Settings string // the settings file
	Homes    string // the bottles' folders; short, for the sockets in them
	Socket   string // the control socket
}

// The names below the folders.
const (
	settingsName = "settings.toml"
	lockName     = "lock"    // held by the owner of the bottles
	socketName   = "control" // the control socket
	logName      = "bottlebar.log"
	journalName  = "journal"
	preparedName = "prepared"
	ledgerName   = "ledger"
	evidenceName = "evidence"
	libraryName  = "library"
	packingName  = "packing" // homes and archives of packs under way
	recipesName  = "recipes" // a person's own, beside the settings
	buildsName   = "builds"  // logs of the last build of each recipe
	fontsName    = "fonts"   // an index of the system's fonts
)

// FindPaths places everything by the XDG rules, or below home if that is set.
func FindPaths(home string) (Paths, error) {
	if home != "" {
		abs, err := filepath.Abs(home)
		if err != nil {
			return Paths{}, err
		}
		return Paths{
			Cache:    filepath.Join(abs, "cache"),
			State:    filepath.Join(abs, "state"),
			Settings: filepath.Join(abs, "config", settingsName),
			Homes:    filepath.Join(abs, "b"),
			Socket:   filepath.Join(abs, "state", socketName),
		}, nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return Paths{}, err
	}
	short := filepath.Join(user, ".bottlebar")
	return Paths{
		Cache:    filepath.Join(xdg.CacheHome, "bottlebar"),
		State:    filepath.Join(xdg.StateHome, "bottlebar"),
		Settings: filepath.Join(xdg.ConfigHome, "bottlebar", settingsName),
		Homes:    short,
		Socket:   filepath.Join(short, socketName), // State is too deep for a socket on macOS
	}, nil
}

// recipes is the folder of a person's own recipes.
func (p Paths) recipes() string { return filepath.Join(filepath.Dir(p.Settings), recipesName) }

func (p Paths) bottles() bottle.Paths {
	return bottle.Paths{
		Homes:    p.Homes,
		Journal:  filepath.Join(p.State, journalName),
		Prepared: filepath.Join(p.Cache, preparedName),
		Ledger:   filepath.Join(p.State, ledgerName),
		Evidence: filepath.Join(p.State, evidenceName),
		Temp:     "/tmp",
	}
}

// make creates the folders that only we may enter.
func (p Paths) make() error {
	if err := p.mkdirs(); err != nil {
		return fault.Wrap(err, "opening Bottlebar's folders", "look whether they can be written")
	}
	return nil
}

func (p Paths) mkdirs() error {
	for _, dir := range []string{p.Cache, p.State, filepath.Dir(p.Settings), p.Homes, filepath.Dir(p.Socket)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	for _, dir := range []string{p.State, p.Homes} {
		if err := os.Chmod(dir, 0o700); err != nil {
			return err
		}
	}
	return nil
}

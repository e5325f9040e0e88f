package bottle

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"bottlebar.app/internal/fault"
)

// Paths are the folders that a Rack uses, all absolute. Every file name below
// them is a constant in this file.
type Paths struct {
	Homes    string // one folder per bottle, named by its ID
	Journal  string // one JSON file per bottle
	Prepared string // one prepared home per artifact, release and settings
	Ledger   string // one folder per bottle with what it reached; empty: in memory alone
	Evidence string // one folder per bottle whose proof missed
	Temp     string // where short links may lie: "/tmp"
}

const (
	machineName = "bottle"      // the machine's name in every home: a clone carries its record
	homeName    = "home"        // in a bottle's folder: smolvm's HOME
	rootName    = "root"        // in a bottle's folder: this start's copy of the agent root
	socketName  = "hop"         // in a bottle's folder: our end of the byte pipe
	tillName    = "tokens.json" // beside the journal's folder: what bottles may spend, and did
	nextName    = ".new"        // suffix of a prepared home that is being made

	// maxSocketPath is what fits a socket address on macOS (104 bytes with the
	// final zero), the smaller of the two systems.
	maxSocketPath = 103
	// agentSocket is the longest place of smolvm's own socket in a home.
	agentSocket = "Library/Caches/smolvm/vms/0123456789abcdef/agent.sock"
)

// idEncoding is lower-case base32: safe on case-folding file systems and in
// every name that we derive.
var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newID returns 8 random base32 characters, 40 bits.
func newID() string {
	var b [5]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return idEncoding.EncodeToString(b[:])
}

func validID(s string) bool {
	return len(s) == 8 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// folder is the bottle's own folder, as it lies on the disk.
func (p Paths) folder(id string) string { return filepath.Join(p.Homes, id) }

// reach is a path to the bottle's folder that is short enough for the sockets
// in it: the folder itself, or a link in a folder of ours under Temp.
func (p Paths) reach(id string) (string, error) {
	direct := p.folder(id)
	if fits(direct) {
		return direct, nil
	}
	dir := p.linkDir()
	if err := ownedDir(dir); err != nil {
		return "", err
	}
	link := filepath.Join(dir, id)
	if !fits(link) {
		return "", fault.New("preparing a bottle", fmt.Sprintf("no path to %s is short enough for a socket", direct), "set BOTTLEBAR_HOME to a shorter folder")
	}
	if to, err := os.Readlink(link); err == nil && to == direct {
		return link, nil
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := os.Symlink(direct, link); err != nil {
		return "", err
	}
	return link, nil
}

// unreach removes the short link, if there is one.
func (p Paths) unreach(id string) {
	_ = os.Remove(filepath.Join(p.linkDir(), id))
	_ = os.Remove(p.linkDir()) // only when it was the last
}

func (p Paths) linkDir() string {
	sum := sha256.Sum256([]byte(p.Homes))
	return filepath.Join(p.Temp, "bb-"+strconv.Itoa(os.Getuid())+"-"+hex.EncodeToString(sum[:4]))
}

func fits(folder string) bool {
	return len(filepath.Join(folder, homeName, agentSocket)) <= maxSocketPath
}

// ownedDir makes dir with mode 0700, or checks that the one there is a folder
// of ours that nobody else can enter. Temp is open to everybody.
func ownedDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err == nil || !errors.Is(err, fs.ErrExist) {
		return err
	}
	fi, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !fi.IsDir() || fi.Mode().Perm() != 0o700 || !ok || int(st.Uid) != os.Getuid() {
		return fault.New("preparing a bottle", dir+" is not a private folder of yours", "remove it and launch again")
	}
	return nil
}

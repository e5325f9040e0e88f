package bottle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bottlebar.app/internal/atomicfile"
	"bottlebar.app/snapshot"
)

// journalSchema is raised when an older program could no longer read an entry.
const journalSchema = 1

// phase is how far a bottle was meant to be.
type phase string

const (
	launching phase = "launching" // being built: taken apart at the next start
	running   phase = "running"   // ready once: adopted at the next start
	stopping  phase = "stopping"  // being taken apart: finished at the next start
	stopped   phase = "stopped"   // its disk is whole, nothing runs: kept until it is resumed or discarded
)

// undoKind names what an undo takes away.
type undoKind string

const (
	undoFolder  undoKind = "folder"  // target: the bottle's folder
	undoSidecar undoKind = "sidecar" // data: the sidecar's handle
	undoMachine undoKind = "machine" // target: nothing; the machine in the bottle's home
)

// undoStep is one thing that was built, or was about to be.
type undoStep struct {
	Kind undoKind        `json:"kind"`
	Data json.RawMessage `json:"data,omitempty"`
}

// entry is one bottle in the journal: everything that the next process needs to
// adopt it or to take it apart. It holds the hop's secret, so the file is 0600.
type entry struct {
	Schema   int        `json:"schema"`
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Phase    phase      `json:"phase"`
	Created  time.Time  `json:"created"`
	Started  *time.Time `json:"started,omitempty"`
	ProvedAt *time.Time `json:"proved_at,omitempty"`
	Proved   bool       `json:"proved"`
	Evidence string     `json:"evidence,omitempty"` // folder that a proof which missed left behind

	Artifact   string                    `json:"artifact"`
	ArtifactID string                    `json:"artifact_id"`
	Arch       string                    `json:"arch,omitempty"` // the guest's processor in Go's words
	ImageEnv   []string                  `json:"image_env,omitempty"`
	Workdir    string                    `json:"workdir,omitempty"` // the manifest's
	Settings   snapshot.ArtifactSettings `json:"settings"`

	Smolvm     string   `json:"smolvm"` // the command's path
	Release    string   `json:"release"`
	StartedBy  string   `json:"started_by,omitempty"`  // which command started the VM: see commandID
	ProvedWith string   `json:"proved_with,omitempty"` // which command the last proof that holds was made with
	Program    string   `json:"program,omitempty"`     // the command at that start, links followed
	Simulated  bool     `json:"simulated"`
	CreateArgv []string `json:"create_argv"` // what the machine was created with, for the proof
	RootHash   string   `json:"root_hash"`   // of the pristine agent root that this start got

	Hop    string `json:"hop"`    // kind of pipe
	Secret []byte `json:"secret"` // of this VM start

	Hold    bool    `json:"hold,omitempty"` // first connections to unlisted places wait for an answer
	Session session `json:"session"`
	// Cut is why the bottle's way out is shut until a person opens it again.
	Cut  *snapshot.Cut `json:"cut,omitempty"`
	Undo []undoStep    `json:"undo"` // in the order in which things were built
}

// session is what the bottle's main session runs, once the guest was looked at.
type session struct {
	Command []string `json:"command,omitempty"`
	User    string   `json:"user,omitempty"`
	UID     int      `json:"uid"`
	Folder  string   `json:"folder,omitempty"`
	Mode    string   `json:"mode,omitempty"`
	Env     []string `json:"env,omitempty"`     // without the placeholder
	Web     bool     `json:"web,omitempty"`     // Claude's servers may search and fetch the web for it
	Planted *planted `json:"planted,omitempty"` // decoys of this VM start
	Canary  string   `json:"canary,omitempty"`  // the placeholder credential of this VM start
}

// journal is the folder of entries, one JSON file per bottle.
type journal struct{ dir string }

func (j journal) path(id string) string { return filepath.Join(j.dir, id+".json") }

// write replaces the entry on disk; it is there when write returns.
func (j journal) write(e *entry) error {
	e.Schema = journalSchema
	if err := atomicfile.WriteJSON(j.path(e.ID), e); err != nil {
		return fmt.Errorf("writing the journal of bottle %q: %w", e.Name, err)
	}
	return nil
}

// remove forgets an entry; one that is not there is no error.
func (j journal) remove(id string) error {
	if err := os.Remove(j.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the journal of bottle %s: %w", id, err)
	}
	return nil
}

// read returns all entries. A file that cannot be read is set aside with the
// suffix ".bad" and named in the errors; its bottle counts as half-made then.
func (j journal) read() (entries []*entry, bad []error) {
	names, err := os.ReadDir(j.dir)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			bad = append(bad, err)
		}
		return nil, bad
	}
	for _, n := range names {
		id, ok := strings.CutSuffix(n.Name(), ".json")
		if !ok || !validID(id) {
			continue
		}
		e, err := j.readOne(id)
		if err != nil {
			bad = append(bad, err)
			_ = os.Rename(j.path(id), j.path(id)+".bad")
			continue
		}
		entries = append(entries, e)
	}
	return entries, bad
}

func (j journal) readOne(id string) (*entry, error) {
	b, err := os.ReadFile(j.path(id))
	if err != nil {
		return nil, err
	}
	e := new(entry)
	if err := json.Unmarshal(b, e); err != nil {
		return nil, fmt.Errorf("journal entry %s: %w", id, err)
	}
	switch {
	case e.ID != id:
		return nil, fmt.Errorf("journal entry %s names bottle %q", id, e.ID)
	case e.Schema > journalSchema:
		return nil, fmt.Errorf("journal entry %s has schema %d, this program knows %d", id, e.Schema, journalSchema)
	}
	return e, nil
}

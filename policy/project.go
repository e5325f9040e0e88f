package policy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"bottlebar.app/internal/fault"
)

// ProjectFile is where a project keeps its policy, below the folder that a
// launch copies in.
const ProjectFile = ".bottlebar/policy.toml"

// A project's file is somebody else's: it is short.
const (
	maxProject      = 64 << 10
	maxProjectLines = 500
)

// ReadProject reads the policy of a project folder, and returns nil where there
// is none. The folder's contents are not trusted: nothing outside it is read,
// nothing that is no file, and no more than a policy needs.
func ReadProject(folder string) ([]byte, error) {
	what := "reading the project's policy " + filepath.Join(folder, ProjectFile)
	const cure = "correct or remove the file, or launch on another folder"
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fault.Wrap(err, what, "choose a folder that is there and can be read")
	}
	defer root.Close()
	// Opening a pipe must not wait for its other end.
	f, err := root.OpenFile(ProjectFile, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, danglingLink(root, what, cure)
	}
	if err != nil {
		return nil, fault.Wrap(err, what, cure)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, fault.Wrap(err, what, cure)
	}
	if !fi.Mode().IsRegular() {
		return nil, fault.New(what, "it is no file", cure)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxProject+1))
	if err != nil {
		return nil, fault.Wrap(err, what, cure)
	}
	if len(text) > maxProject {
		return nil, fault.New(what, fmt.Sprintf("it is larger than %d KiB", maxProject>>10), cure)
	}
	if _, err := ParseProject(filepath.Join(folder, ProjectFile), text); err != nil {
		return nil, fault.Wrap(err, what, "")
	}
	if text == nil {
		text = []byte{}
	}
	return text, nil
}

// danglingLink tells a link that leads nowhere from a file that is not there.
func danglingLink(root *os.Root, what, cure string) error {
	if fi, err := root.Lstat(ProjectFile); err == nil && fi.Mode()&fs.ModeSymlink != 0 {
		return fault.New(what, "it is a link that leads nowhere", cure)
	}
	return nil
}

// ParseProject is Parse for a project's file.
func ParseProject(name string, text []byte) (File, error) {
	f, err := Parse(name, text)
	if err == nil && len(f.Allow)+len(f.Block) > maxProjectLines {
		err = &BadFileError{[]Problem{{File: name, Why: fmt.Sprintf("a project's file has at most %d rules", maxProjectLines), Fix: "use wildcards, or remove rules"}}}
	}
	return f, err
}

package policy

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Problem is something about a policy that a person should know.
type Problem struct {
	File string // path, or what stands for it
	Line int    // from 1; 0 where no line is meant
	Why  string
	Fix  string
	// Warning: the file is in force; else what it says is not.
	Warning bool
}

// Where is the file's name with the line.
func (p Problem) Where() string {
	name := filepath.Base(p.File)
	if p.Line == 0 {
		return name
	}
	return fmt.Sprintf("%s, line %d", name, p.Line)
}

// BadFileError says everything that is wrong with one file.
type BadFileError struct{ Problems []Problem }

func (e *BadFileError) Error() string {
	lines := make([]string, 0, len(e.Problems))
	for _, p := range e.Problems {
		lines = append(lines, p.Where()+": "+p.Why)
	}
	const shown = 3
	if n := len(lines) - shown; n > 0 {
		lines = append(lines[:shown], fmt.Sprintf("and %d more", n))
	}
	return strings.Join(lines, "; ") + ": " + e.Cure()
}

// Cure is that of the first problem.
func (e *BadFileError) Cure() string { return e.Problems[0].Fix }

// problemsOf lists what an error of this package says.
func problemsOf(file string, err error) []Problem {
	var bad *BadFileError
	if errors.As(err, &bad) {
		return bad.Problems
	}
	return []Problem{{File: file, Why: err.Error(), Fix: "look at the file"}}
}

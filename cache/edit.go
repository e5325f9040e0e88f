package cache

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"bottlebar.app/internal/fault"
)

// Rename gives an artifact another name.
func (l *Library) Rename(ref, name string) (Artifact, error) {
	if !legalName(name) {
		return Artifact{}, &NameError{Name: name}
	}
	a, err := l.edit(ref, func(a *Artifact, list []Artifact) error {
		if a.Name != name && slices.ContainsFunc(list, func(b Artifact) bool { return b.Name == name }) {
			return &NameError{Name: name, Taken: true}
		}
		a.Name = name
		return nil
	})
	return a, failed("renaming the artifact", err)
}

// SetSettings replaces an artifact's settings.
func (l *Library) SetSettings(ref string, s Settings) (Artifact, error) {
	if err := s.Validate(); err != nil {
		return Artifact{}, err
	}
	s.Command = slices.Clone(s.Command)
	a, err := l.edit(ref, func(a *Artifact, _ []Artifact) error {
		a.Settings = s
		return nil
	})
	return a, failed("changing settings", err)
}

// Used records a launch.
func (l *Library) Used(ref string, at time.Time) error {
	_, err := l.edit(ref, func(a *Artifact, _ []Artifact) error {
		if at.After(a.LastUsed) {
			a.LastUsed = at.UTC()
		}
		return nil
	})
	return failed("recording the launch", err)
}

// Pin keeps an artifact from Prune, or no longer.
func (l *Library) Pin(ref string, pinned bool) (Artifact, error) {
	a, err := l.edit(ref, func(a *Artifact, _ []Artifact) error {
		a.Pinned = pinned
		return nil
	})
	return a, failed("pinning the artifact", err)
}

// Remove takes an artifact out and returns what it was, so that the caller can
// clear what was prepared from it. Whether it is in use is not asked.
func (l *Library) Remove(ref string) (Artifact, error) {
	var gone Artifact
	err := l.change(context.Background(), func(list []Artifact) ([]Artifact, []string, error) {
		i, err := find(list, ref)
		if err != nil {
			return nil, nil, err
		}
		gone = list[i]
		return slices.Delete(list, i, i+1), nil, l.erase(gone.ID)
	})
	return gone, failed("removing the artifact", err)
}

// erase removes file and record. The file first: a file without a record comes
// back at the next repair, a record without a file does not.
func (l *Library) erase(id string) error {
	if err := ignoreMissing(os.Remove(l.file(id))); err != nil {
		return err
	}
	return ignoreMissing(os.Remove(l.record(id)))
}

// Prune removes what is not pinned, was neither added nor used since before,
// and is not spared by keep (which may be nil). It returns what went, or with
// dry what would go.
func (l *Library) Prune(before time.Time, keep func(Artifact) bool, dry bool) ([]Artifact, error) {
	goes := func(a Artifact) bool {
		return !a.Pinned && a.Added.Before(before) && a.LastUsed.Before(before) && (keep == nil || !keep(a))
	}
	if dry {
		list, err := l.List()
		return slices.DeleteFunc(list, func(a Artifact) bool { return !goes(a) }), err
	}
	var gone []Artifact
	err := l.change(context.Background(), func(list []Artifact) ([]Artifact, []string, error) {
		var errs error
		list = slices.DeleteFunc(list, func(a Artifact) bool {
			if !goes(a) {
				return false
			}
			if err := l.erase(a.ID); err != nil {
				errs = errors.Join(errs, err)
				return false
			}
			gone = append(gone, a)
			return true
		})
		return list, nil, errs
	})
	return gone, failed("pruning the library", err)
}

// failed puts what was attempted in front of an error that does not say so
// itself. A nil error stays nil.
func failed(what string, err error) error {
	if err == nil {
		return nil
	}
	if answers(err) {
		return err
	}
	return fault.Wrap(plain(err), what, "")
}

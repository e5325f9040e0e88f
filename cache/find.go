package cache

import (
	"slices"
	"strings"
)

// minPrefix is how many digits of an ID name it.
const minPrefix = 6

// find returns where the artifact called ref is.
func find(list []Artifact, ref string) (int, error) {
	i, ok := slices.BinarySearchFunc(list, ref, func(a Artifact, s string) int { return strings.Compare(a.Name, s) })
	if ok {
		return i, nil
	}
	var hits []int
	if len(ref) >= minPrefix && isHex(ref) {
		for i := range list {
			if strings.HasPrefix(list[i].ID, ref) {
				hits = append(hits, i)
			}
		}
	}
	if len(hits) == 1 {
		return hits[0], nil
	}
	e := &UnknownError{Ref: ref, Ambiguous: len(hits) > 1}
	for _, i := range hits {
		e.Names = append(e.Names, list[i].Name)
	}
	if len(hits) == 0 {
		for i := range list {
			e.Names = append(e.Names, list[i].Name)
		}
	}
	return 0, e
}

// Get returns the artifact of that name, or whose ID starts with ref (six
// digits at least). Otherwise an [*UnknownError].
func (l *Library) Get(ref string) (Artifact, error) {
	list, err := l.current()
	if err != nil {
		return Artifact{}, failed("reading the library", err)
	}
	i, err := find(list, ref)
	if err != nil {
		return Artifact{}, err
	}
	return list[i], nil
}

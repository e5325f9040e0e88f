package egress

import "strings"

// table finds the rules for a host without a look at the others: exact names
// by a map, those of "*." rules by a map of what follows the star.
type table struct {
	exact map[string][]rule
	wild  map[string][]rule
	// The fewest and the most labels of a key of wild: no other suffix of a
	// host is looked up, however many labels it has.
	fewest, most int
}

func newTable() table {
	return table{exact: map[string][]rule{}, wild: map[string][]rule{}}
}

func (t *table) add(h Host, r rule) {
	if !h.Wild {
		t.exact[h.Name] = append(t.exact[h.Name], r)
		return
	}
	n := strings.Count(h.Name, ".") + 1
	if t.fewest == 0 || n < t.fewest {
		t.fewest = n
	}
	t.most = max(t.most, n)
	t.wild[h.Name] = append(t.wild[h.Name], r)
}

// find returns the rule that lets to through: an exact one before a wildcard,
// the nearest wildcard before a wider one, and among equals the one that lets
// more through.
func (t *table) find(to Target) (rule, bool) {
	if r, ok := pick(t.exact[to.Host], to); ok || to.Addr.IsValid() {
		return r, ok
	}
	var best rule
	found := false
	labels := 0
	for i := len(to.Host) - 1; i > 0 && labels < t.most; i-- {
		if to.Host[i] != '.' {
			continue
		}
		if labels++; labels < t.fewest {
			continue
		}
		if r, ok := pick(t.wild[to.Host[i+1:]], to); ok {
			best, found = r, true
		}
	}
	return best, found
}

func pick(list []rule, to Target) (rule, bool) {
	var best rule
	found := false
	for _, r := range list {
		if r.matches(to) && (!found || r.priv && !best.priv) {
			best, found = r, true
		}
	}
	return best, found
}

//go:build linux

package main

import (
	"fmt"
	"strconv"
	"strings"
)

// release is one of the four releases that were recorded; comparing two says
// which is newer.
type release int

const (
	r080 release = iota
	r102
	r177
	r193
)

var releases = [...][3]int{{0, 8, 0}, {1, 0, 2}, {1, 7, 7}, {1, 9, 3}}

const newest = "1.9.3"

// behaviour returns the newest recorded release that is not newer than the
// version; a version before all of them acts as the first.
func behaviour(version string) (release, error) {
	core, _, _ := strings.Cut(version, "-")
	parts := strings.Split(core, ".")
	if len(parts) != 3 {
		return 0, fmt.Errorf("stand-in: version %q is not X.Y.Z", version)
	}
	var v [3]int
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil {
			return 0, fmt.Errorf("stand-in: version %q is not X.Y.Z", version)
		}
		v[i] = n
	}
	best := r080
	for i, r := range releases {
		if !newer(r, v) {
			best = release(i)
		}
	}
	return best, nil
}

// isAfter tells whether a version that behaviour takes is newer than the newest
// recorded release.
func isAfter(version string) bool {
	core, _, _ := strings.Cut(version, "-")
	var v [3]int
	for i, p := range strings.Split(core, ".") {
		v[i], _ = strconv.Atoi(p)
	}
	return newer(v, releases[r193])
}

func newer(a, b [3]int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] > b[i]
		}
	}
	return false
}

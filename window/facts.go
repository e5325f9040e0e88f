package window

import (
	"strconv"
	"strings"
	"time"

	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

// artifactFacts are the lines of an artifact's details: a name and a value each.
func artifactFacts(a snapshot.Artifact, now time.Time) [][2]string {
	used := "never"
	if a.LastUsed != nil {
		used = look.Clock(*a.LastUsed, now)
	}
	out := [][2]string{
		{"Image", look.Clean(a.Image, 120)},
		{"Digest", look.Clean(a.Digest, 80)},
		{"Platform", look.Clean(a.Platform, 40)},
		{"Size", look.Size(a.Size)},
		{"SHA-256", look.Clean(a.ID, 64)},
		{"Added", look.Clock(a.Added, now)},
		{"Last used", used},
	}
	if a.Stale {
		out = append(out, [2]string{"Stale", "its recipe has changed since; make it again from Make…"})
	}
	if a.Prepared {
		out = append(out, [2]string{"Start", "prepared: a launch clones a ready copy"})
	}
	s := a.Settings
	add := func(name, value string) {
		if value != "" {
			out = append(out, [2]string{name, value})
		}
	}
	add("Command", look.Clean(strings.Join(s.Command, " "), 120))
	add("User", look.Clean(s.User, 40))
	add("Folder", look.Clean(s.Folder, 120))
	add("Permission mode", look.Clean(s.Permission, 40))
	if s.CPUs > 0 {
		add("Processors", strconv.Itoa(s.CPUs))
	}
	if s.MemMiB > 0 {
		add("Memory", look.Memory(s.MemMiB))
	}
	if s.StorageGiB > 0 {
		add("Disk", strconv.Itoa(s.StorageGiB)+" GiB")
	}
	if a.Problem != nil {
		add("Problem", strings.Join(look.Reasons(*a.Problem), " "))
	}
	return out
}

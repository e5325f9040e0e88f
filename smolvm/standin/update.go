//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
)

// update is "machine update", of a machine that does not run.
func (a *app) update(p *args) error {
	name := p.get("name")
	r, err := a.store.load(name)
	if err != nil {
		return err
	}
	if r == nil {
		return failf("config operation failed: update: machine '%s' not found", name)
	}
	if r.alive() {
		return failf("invalid vm state: expected stopped, got Running")
	}
	changes, err := a.applyUpdate(p, r)
	if err != nil {
		return err
	}
	if err := a.store.save(r); err != nil {
		return err
	}
	if len(changes) == 0 {
		fmt.Fprintln(a.stdout, "No changes specified.")
		return nil
	}
	fmt.Fprintf(a.stdout, "Updated machine '%s':\n%s\n\nStart with: smolvm machine start --name %s\n", name, strings.Join(changes, "\n"), name)
	return nil
}

// applyUpdate changes a record and says what it changed.
func (a *app) applyUpdate(p *args, r *record) (changes []string, err error) {
	changed := func(what string, v any) { changes = append(changes, fmt.Sprintf("  %s: %v", what, v)) }
	if p.has("cpus") {
		r.CPUs = number(p.get("cpus"))
		changed("cpus", r.CPUs)
	}
	if p.has("mem") {
		r.MemMiB = number(p.get("mem"))
		changed("memory", fmt.Sprint(r.MemMiB, " MiB"))
	}
	for _, v := range p.values["volume"] {
		vol, err := parseVolume(v)
		if err != nil {
			return nil, err
		}
		r.Volumes = append(r.Volumes, vol)
		changed("volume", v)
	}
	for _, e := range a.envItems(p.values["env"]) {
		r.Env = append(r.Env, e)
		k, _, _ := strings.Cut(e, "=")
		changed("env", k)
	}
	for _, k := range p.values["remove-env"] {
		r.Env = slices.DeleteFunc(r.Env, func(e string) bool { return strings.HasPrefix(e, k+"=") })
		changed("remove env", k)
	}
	if p.has("net") || p.has("no-net") {
		r.Network = p.has("net")
		changed("network", r.Network)
	}
	if p.has("workdir") {
		r.Workdir = p.get("workdir")
		changed("workdir", r.Workdir)
	}
	return changes, nil
}

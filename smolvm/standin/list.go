//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// shown is the JSON object of a machine; the encoder sorts the keys as the
// real one does.
func (a *app) shown(r *record, state string) map[string]any {
	m := map[string]any{
		"name": r.Name, "state": state, "cpus": r.CPUs, "memory_mib": r.MemMiB, "pid": nil,
		"mounts": len(r.Volumes), "ports": len(r.Ports), "created_at": r.CreatedAt,
		"storage_gb": r.StorageGiB, "overlay_gb": r.OverlayGiB, "image": r.Image,
		"entrypoint": list(r.Entrypoint), "cmd": list(r.Cmd), "ephemeral": false,
		"gpu": r.GPU, "gpu_vram_mib": nil, "restart_policy": "never", "restart_max_retries": 0, "restart_count": 0,
		"health_cmd": nil, "health_interval_secs": nil, "health_timeout_secs": nil, "health_retries": nil,
		"health_startup_grace_secs": nil, "network": r.Network,
	}
	if r.PID != 0 {
		m["pid"] = r.PID
	}
	if r.Image == "" {
		m["image"] = nil
	}
	if a.rel >= r177 {
		m["forkpoint_held"] = false
	}
	if a.rel >= r193 {
		m["cuda"], m["forkable"], m["cuda_fork_pool_size"], m["cuda_vram_limit_mib"] = false, false, nil, nil
		m["labels"] = r.Labels
	}
	return m
}

func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// list is "machine ls".
func (a *app) list(p *args) error {
	all, err := a.store.all()
	if err != nil {
		return err
	}
	if p.has("json") {
		out := []map[string]any{}
		for _, r := range all {
			out = append(out, a.shown(r, a.state(r)))
		}
		return a.printJSON(out)
	}
	if len(all) == 0 {
		fmt.Fprintln(a.stdout, "No machines found")
		return nil
	}
	fmt.Fprintln(a.stdout, "NAME                 STATE         CPUS     MEMORY  MOUNTS   PORTS  STORAGE  OVERLAY")
	fmt.Fprintln(a.stdout, "----------------------------------------------------------------------------------------")
	for _, r := range all {
		name := r.Name
		if len(name) > 18 {
			name = name[:15] + "..."
		}
		fmt.Fprintf(a.stdout, "%-20s %-10s %7d %6d MiB %7d %7d %4d GiB %4d GiB\n", name, a.state(r), r.CPUs, r.MemMiB,
			len(r.Volumes), len(r.Ports), orDefault(r.StorageGiB, 20), orDefault(r.OverlayGiB, 10))
	}
	return nil
}

func orDefault(n *int, def int) int {
	if n == nil {
		return def
	}
	return *n
}

// named returns --name, or the machine that is meant without it.
func named(p *args) string {
	if p.has("name") {
		return p.get("name")
	}
	return "default"
}

// status is "machine status".
func (a *app) status(p *args) error {
	name := named(p)
	r, err := a.store.load(name)
	if err != nil {
		return err
	}
	if r == nil {
		switch {
		case p.has("json"):
			return failf("config operation failed: machine status: machine '%s' not found", name)
		case p.has("name"):
			return failf("vm not found: %s", name)
		}
		fmt.Fprintf(a.stdout, "Machine '%s': not running\n", name)
		return nil
	}
	if p.has("json") {
		return a.printJSON(a.shown(r, a.state(r)))
	}
	// The text form always asks the machine itself.
	state := a.state(r)
	if r.alive() {
		state = a.pinged(r)
	}
	switch {
	case state == "running":
		state = fmt.Sprintf("running (PID: %d)", r.PID)
	case a.rel == r080:
		state = "not running"
	}
	fmt.Fprintf(a.stdout, "Machine '%s': %s\n", name, state)
	return nil
}

// dataDir is "machine data-dir"; 0.8.0 answers for names that do not exist.
func (a *app) dataDir(p *args) error {
	if a.rel > r080 {
		if _, err := a.machine(p.get("name")); err != nil {
			return err
		}
	}
	fmt.Fprintln(a.stdout, a.store.dir(p.get("name")))
	return nil
}

func (a *app) imagesOf(p *args) error {
	r, err := a.store.load(p.get("name"))
	if err != nil {
		return err
	}
	if r == nil {
		return failf("config operation failed: images: machine '%s' not found", p.get("name"))
	}
	fmt.Fprint(a.stdout, "Storage Usage:\n  Total:  19.6 GB\n  Used:   69.5 MB\n  Layers: 0\n\nNo cached images.\n")
	return nil
}

func (a *app) egressEvents(p *args) error {
	name := named(p)
	if _, err := a.machine(name); err != nil {
		return err
	}
	if p.has("json") {
		fmt.Fprintln(a.stdout, "[]")
		return nil
	}
	fmt.Fprintf(a.stdout, "No egress denials recorded for '%s'.\n", name)
	return nil
}

// packPrune is "pack prune": nothing is ever left unreferenced here.
func (a *app) packPrune(*args) error {
	all, err := a.store.all()
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for _, r := range all {
		if _, err := os.Stat(filepath.Join(a.sharedDir(r.CRC), "sha256")); r.CRC != "" && err == nil {
			kept[r.CRC] = true
		}
	}
	if len(kept) > 0 {
		fmt.Fprintf(a.stdout, "  retaining %d artifact cache entries referenced by machines\n", len(kept))
	}
	fmt.Fprintln(a.stdout, "No cached entries to remove.")
	return nil
}

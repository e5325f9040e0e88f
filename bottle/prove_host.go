package bottle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bottlebar.app/sidecar"
	"bottlebar.app/smolvm"
)

// proveMachine looks at smolvm's record, at the VM's process, and at what the
// machine was made with.
func (b *Bottle) proveMachine(ctx context.Context, p *proof, l *live, in *smolvm.Install) {
	b.mu.Lock()
	argv := b.entry.CreateArgv
	b.mu.Unlock()

	err := smolvm.CheckIsolation(argv)
	p.under(groupMachine, byJournal).add("arguments", "read what the machine was made with", "nothing that leads out", orWord(err, "one byte pipe, nothing else"), err == nil)
	b.proveRoot(ctx, p, in)

	record := p.under(groupMachine, byRecord)
	const look = "read smolvm's record of the machine"
	m, err := l.client.Status(ctx, machineName)
	if err != nil {
		record.untried("record", look, "no network", err)
		return
	}
	record.add("record-network", look, "no network", fmt.Sprintf("network %v", m.Network), !m.Network)
	record.add("record-ports", look, "no ports", fmt.Sprintf("%d ports", m.Ports), m.Ports == 0)
	record.add("record-mounts", look, "no mounts", fmt.Sprintf("%d mounts", m.Mounts), m.Mounts == 0)
	record.add("record-restart", look, "restart policy never", "restart policy "+m.RestartPolicy, m.RestartPolicy == "never")
	b.proveProcess(p, m.PID, in)
}

// proveRoot compares this start's agent root, hashed before the VM saw it, with
// the installation's. Once the command is another one, its root may be too.
func (b *Bottle) proveRoot(ctx context.Context, p *proof, in *smolvm.Install) {
	const tried = "compare this start's agent root, as it was before the VM started, with the installation's"
	out := p.under(groupMachine, byFiles)
	b.mu.Lock()
	hash, by := b.entry.RootHash, b.entry.StartedBy
	b.mu.Unlock()
	if by != "" && by != commandID(in) {
		out.add("agent-root", tried, "equal", word(hash != "", short(hash)+", checked at its start; smolvm was updated since", "no hash"), hash != "")
		return
	}
	want, err := b.rack.roots.of(ctx, in.AgentRoot)
	if err != nil {
		out.untried("agent-root", tried, "equal", err)
		return
	}
	out.add("agent-root", tried, "equal", word(hash == want, short(hash), short(hash)+" is not "+short(want)), hash != "" && hash == want)
}

// proveProcess looks at what the kernel shows of the VM's process.
func (b *Bottle) proveProcess(p *proof, pid int, in *smolvm.Install) {
	out := p.under(groupMachine, byKernel)
	vm, err := inspect(pid)
	if err != nil {
		out.untried("process", "look at the VM's process", "smolvm's own", err)
		return
	}
	b.mu.Lock()
	program := b.entry.Program
	b.mu.Unlock()
	own := ownedBy(vm.Executable, in.Path) || program != "" && beside(vm.Executable, program)
	out.add("process", "look at the VM's process", "smolvm's own", vm.Executable, own)
	home := b.inHome(vm)
	out.add("process-home", "look whose home the VM's process works in", "this bottle's", word(home, "this bottle's", "another one: "+strings.Join(vm.Args, " ")), home)
	out.add("process-sockets", "list the internet sockets of the VM's process", "none", orNone(vm.Network), len(vm.Network) == 0)
	out.add("process-devices", "list the network devices that the VM's process has open", "none", orNone(vm.Devices), len(vm.Devices) == 0)
	if in.Simulated && !slices.Equal(vm.Inside, []string{"lo"}) {
		out.add("guest-devices", "list the network devices beneath the VM's process", "lo", orNone(vm.Inside), false)
		return
	}
	outside := slices.DeleteFunc(slices.Clone(vm.Inside), func(d string) bool { return d == "lo" })
	out.add("guest-devices", "list the network devices beneath the VM's process", "none but lo", orNone(vm.Inside), len(outside) == 0)
}

// inHome tells whether a process names this bottle's home, in its arguments or
// its environment.
func (b *Bottle) inHome(vm process) bool {
	folder := b.rack.cfg.Paths.folder(b.id)
	dirs := []string{filepath.Join(folder, homeName)}
	if reach, err := b.rack.cfg.Paths.reach(b.id); err == nil {
		dirs = append(dirs, filepath.Join(reach, homeName))
	}
	if real, err := filepath.EvalSymlinks(folder); err == nil {
		dirs = append(dirs, filepath.Join(real, homeName))
	}
	for _, dir := range dirs {
		for _, word := range append(slices.Clone(vm.Args), vm.Env...) {
			if word == "HOME="+dir || strings.Contains(word, dir+"/") || word == dir {
				return true
			}
		}
	}
	return false
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// ownedBy tells whether an executable belongs to the installation of the
// command: beside it once links are followed, or in a folder next to that one.
func ownedBy(executable, command string) bool {
	real, err := filepath.EvalSymlinks(command)
	return err == nil && beside(executable, real)
}

// beside is ownedBy for a command whose links were followed before.
func beside(executable, real string) bool {
	dir := filepath.Dir(real)
	if executable == real || strings.HasPrefix(executable, dir+"/") {
		return true
	}
	prefix := filepath.Dir(dir)
	return filepath.Base(dir) == "bin" && prefix != "/" && strings.HasPrefix(executable, prefix+"/") && strings.Contains(filepath.Base(executable), "smolvm")
}

// innerProgram is the program behind smolvm's wrapper script.
const innerProgram = "smolvm-bin"

// commandID tells one smolvm command from another: an update changes its
// version, or at least a file's size or time.
func commandID(in *smolvm.Install) string {
	id := in.Version.String() + " " + in.Path
	real, err := filepath.EvalSymlinks(in.Path)
	if err != nil {
		return id
	}
	for _, f := range []string{real, filepath.Join(filepath.Dir(real), innerProgram)} {
		fi, err := os.Stat(f)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return id
		}
		id += fmt.Sprintf(" %d@%d", fi.Size(), fi.ModTime().UnixNano())
	}
	return id
}

// startedBy notes which command starts the VM.
func (e *entry) startedBy(in *smolvm.Install) {
	e.Smolvm, e.Release, e.Simulated, e.StartedBy = in.Path, in.Version.String(), in.Simulated, commandID(in)
	e.Program, _ = filepath.EvalSymlinks(in.Path)
}

// proveSidecar asks the engine whether the sidecar is as it was made.
func (b *Bottle) proveSidecar(ctx context.Context, p *proof, car *sidecar.Sidecar) sidecar.Facts {
	by := byEngine
	switch car.Handle().Driver {
	case sidecar.KindDocker:
		by = "the container engine"
	case sidecar.KindProcess:
		by = byKernel
	}
	out := p.under(groupSidecar, by)
	facts, err := car.Inspect(ctx)
	if err != nil {
		out.untried("sidecar", "inspect the sidecar", "as it was made", err)
		return facts
	}
	for _, f := range facts.Lines {
		out.add("sidecar-"+f.Name, "inspect the sidecar: "+f.Name, f.Want, f.Got, f.Holds)
	}
	return facts
}

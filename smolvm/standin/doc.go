// Command smolvm (the stand-in) behaves like the smolvm command on a machine
// without a hypervisor: same arguments, texts, JSON, exit codes and traps as
// releases 0.8.0, 1.0.2, 1.7.7 and 1.9.3. Tests and "make run" use it; it is
// a test double and says so: "smolvm standin" prints "simulated, no VM".
//
// A machine is the root of a real-format artifact, run in new Linux user,
// mount, PID, network, UTS and IPC namespaces: it has a loopback device and
// no route, for real. "machine start" leaves a process behind ("_boot-vm")
// that owns the machine's agent.sock and the host ends of its two kinds of
// byte pipe; inside the namespaces a second one ("_guest") is pid 1 and
// serves exec, cp and pings, at most eight at once.
//
// What it reads, besides smolvm's own variables:
//
//	STANDIN_VERSION  release to behave as (default 1.9.3); others act as the
//	                 newest of the four that is not newer
//	STANDIN_FAULT    faults, separated by commas: VERB:ACTION, see fault.go
//	STANDIN_IMAGES   folder of root file systems that "pack create --image" takes
//	STANDIN_ARCH     architecture to claim for the host (replays of recordings)
//	standin.conf     beside the command: lines version=, fault=, images= with
//	                 the same meaning, for callers that pass no environment
//
// Where it is not the real one: guests see the agent's root read-write at
// /.smolvm-root and the console log at /.smolvm-console (a real guest reaches
// them by mounting devices); pid 1 is the agent; unpacked layers are shared
// between machines as 0.8.0; CPU, memory, disk sizes and time are the
// host's. The binary must be linked statically (CGO_ENABLED=0), since it runs
// itself inside a guest's root.
package main

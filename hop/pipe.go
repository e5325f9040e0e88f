package hop

// Wiring is what a machine must be created and started with so that its pipe
// ends at a host socket.
type Wiring struct {
	Agent      bool   // create with the forwarded agent socket
	MountHost  string // create with this host socket mounted …
	MountGuest string // … at this path of the guest
	AuthSock   string // SSH_AUTH_SOCK of the process that starts the machine
}

// Pipe is one way of giving a machine a byte pipe to a host socket.
type Pipe interface {
	// Name is the word that settings, journal and diagnostics use.
	Name() string
	// Guest is the path of the guest's end, for [HelperConfig].
	Guest() string
	// Wire says how to create and start a machine whose pipe ends at host.
	Wire(host string) Wiring
	// KeepsHostPath says that the machine's record holds the host's path, so
	// that a home with such a machine cannot be cloned for another socket.
	KeepsHostPath() bool
}

// AgentSocket uses the forwarded SSH agent socket. Every supported release
// has it, and the host path is given anew at each start. It closes after
// 30 s without traffic and knows no half-close: the session on top keeps it
// alive and closes its own streams.
type AgentSocket struct{}

// agentGuest is where the guest finds the forwarded agent, on all releases.
const agentGuest = "/tmp/ssh-agent.sock"

// Name implements Pipe.
func (AgentSocket) Name() string { return "agent-socket" }

// Guest implements Pipe.
func (AgentSocket) Guest() string { return agentGuest }

// Wire implements Pipe.
func (AgentSocket) Wire(host string) Wiring { return Wiring{Agent: true, AuthSock: host} }

// KeepsHostPath implements Pipe.
func (AgentSocket) KeepsHostPath() bool { return false }

// MountSocket uses a mounted host socket, which releases from 1.8.0 offer for
// machines made from artifacts.
type MountSocket struct {
	// Path is the guest's end; empty means [DefaultMountPath].
	Path string
}

// DefaultMountPath is where a mounted socket appears in the guest.
const DefaultMountPath = "/run/bottlebar.sock"

// Name implements Pipe.
func (MountSocket) Name() string { return "mount-socket" }

// Guest implements Pipe.
func (m MountSocket) Guest() string {
	if m.Path == "" {
		return DefaultMountPath
	}
	return m.Path
}

// Wire implements Pipe.
func (m MountSocket) Wire(host string) Wiring {
	return Wiring{MountHost: host, MountGuest: m.Guest()}
}

// KeepsHostPath implements Pipe.
func (MountSocket) KeepsHostPath() bool { return true }

// Pipes lists the kinds, the preferred one first.
func Pipes() []Pipe { return []Pipe{AgentSocket{}, MountSocket{}} }

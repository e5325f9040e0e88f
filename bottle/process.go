package bottle

// process is what the host's kernel says about a running process. The proof
// rests on it: a guest cannot change it.
type process struct {
	Executable string
	Args       []string
	Env        []string // where the system shows it
	// Network lists its internet sockets, listening or connected, as the system
	// words them. A machine without a network device has none.
	Network []string
	// Devices lists what it has open that could feed a network device of a
	// guest: a tap, a packet socket.
	Devices []string
	// Inside lists the network devices of the namespaces below it that are not
	// this process's own. Only Linux has such, and a real VM has none there.
	Inside []string
}

package bottle

// process is what the host's kernel says about a running process. The proof
// rests on it: a guest cannot change it.
type process struct {
	Executable string
	Args       []string
	// Network lists its internet sockets, listening or connected, as the system
	// words them. A machine without a network device has none.
	Network []string
}

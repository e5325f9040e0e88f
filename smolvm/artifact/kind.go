package artifact

// Kind is which of the files that smolvm packs something is.
type Kind int

// The kinds. Only a sidecar can enter the library.
const (
	Unknown    Kind = iota
	Sidecar         // NAME.smolmachine: assets, manifest, footer
	Launcher        // NAME: the executable beside a sidecar, with libraries only
	SingleFile      // one executable with everything in it
)

func (k Kind) String() string {
	switch k {
	case Sidecar:
		return "artifact"
	case Launcher:
		return "launcher"
	case SingleFile:
		return "single file"
	}
	return "unknown"
}

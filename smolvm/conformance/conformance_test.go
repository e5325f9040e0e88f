package conformance

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"bottlebar.app/smolvm"
	"bottlebar.app/smolvm/artifact/build"
)

// implementation is a command that claims to be smolvm.
type implementation struct {
	name string
	env  func(t *testing.T) Env
}

func TestEveryImplementationKeepsThePromises(t *testing.T) {
	all := standIns(t)
	if path := os.Getenv("BOTTLEBAR_SMOLVM"); path != "" {
		all = append(all, implementation{"real", func(t *testing.T) Env { return realEnv(t, path) }})
	}
	for _, im := range all {
		t.Run(im.name, func(t *testing.T) {
			t.Parallel()
			Run(t, im.env(t))
		})
	}
}

// standIns are the four releases that the stand-in can be; it needs Linux.
func standIns(t *testing.T) []implementation {
	t.Helper()
	if runtime.GOOS != "linux" {
		return nil
	}
	dir := t.TempDir()
	command := filepath.Join(dir, "smolvm")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-o", command, "bottlebar.app/smolvm/standin")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the stand-in: %v\n%s", err, out)
	}
	artifact, foreign := artifacts(t, dir)
	var out []implementation
	for _, release := range []string{"0.8.0", "1.0.2", "1.7.7", "1.9.3"} {
		out = append(out, implementation{"stand-in " + release, func(t *testing.T) Env {
			env := []string{"STANDIN_VERSION=" + release}
			in, err := smolvm.Find(t.Context(), smolvm.FindOptions{Command: command, GOOS: "linux", GOARCH: runtime.GOARCH, Env: env})
			if err != nil {
				t.Fatal(err)
			}
			if in.Version.String() != release || !in.Simulated {
				t.Fatalf("%+v", in)
			}
			root := filepath.Join(t.TempDir(), "agent-rootfs")
			if err := os.MkdirAll(filepath.Join(root, "sbin"), 0o755); err != nil {
				t.Fatal(err)
			}
			return Env{Install: in, Artifact: artifact, AgentRoot: root, HomeEnv: env, ForeignArtifact: foreign}
		}})
	}
	return out
}

// artifacts writes one that runs here and one for another processor.
func artifacts(t *testing.T, dir string) (here, foreign string) {
	t.Helper()
	other := "arm64"
	if runtime.GOARCH == other {
		other = "amd64"
	}
	write := func(path, arch string) string {
		err := build.WriteFile(path, func(w io.Writer) error {
			return build.Demo(w, build.DemoOptions{Arch: arch, Cmd: []string{"sleep", "100000"}})
		})
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write(filepath.Join(dir, "demo.smolmachine"), runtime.GOARCH), write(filepath.Join(dir, "foreign.smolmachine"), other)
}

// realEnv drives an installed smolvm, which needs a hypervisor, with the
// artifact that BOTTLEBAR_ARTIFACT names, or a small one.
func realEnv(t *testing.T, path string) Env {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	in, err := smolvm.Find(t.Context(), smolvm.FindOptions{
		Command: path, Home: home, GOOS: runtime.GOOS, GOARCH: runtime.GOARCH,
		AgentRoot: os.Getenv("SMOLVM_AGENT_ROOTFS"), DataHome: os.Getenv("XDG_DATA_HOME"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, refused := in.Refused(); refused {
		t.Fatalf("%s %s", n.Text, n.Cure)
	}
	artifact := os.Getenv("BOTTLEBAR_ARTIFACT")
	if artifact == "" {
		artifact, _ = artifacts(t, t.TempDir())
	}
	return Env{Install: in, Artifact: artifact, AgentRoot: in.AgentRoot}
}

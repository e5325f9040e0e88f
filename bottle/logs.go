package bottle

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"bottlebar.app/internal/fault"
	"bottlebar.app/smolvm"
)

// Log opens one of the bottle's logs: "console" is what the VM said while it
// booted and since, "startup" why its last boot failed (both written inside),
// "sidecar" what was reached or refused, "helper" what happened at its pipe
// since this owner has it.
func (b *Bottle) Log(ctx context.Context, which string) (io.ReadCloser, error) {
	name := ""
	switch which {
	case "", "console":
		name = "agent-console.log"
	case "startup":
		name = "agent-startup-error.log"
	case "sidecar":
		return io.NopCloser(strings.NewReader(b.sidecarLog())), nil
	case "helper":
		return io.NopCloser(strings.NewReader(b.diary.text())), nil
	default:
		return nil, fault.New("reading a log of "+b.name, "there is no log "+which, "the logs are console, startup, sidecar and helper")
	}
	client, err := b.smolvm(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := client.DataDir(ctx, machineName)
	if err != nil {
		return nil, err
	}
	// The folder is smolvm's, but the guest writes the console: never follow a
	// link that might be there, nor open what is not a file.
	root, err := os.OpenRoot(dir)
	if os.IsNotExist(err) {
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	fi, err := root.Lstat(name)
	if os.IsNotExist(err) {
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", filepath.Join(dir, name))
	}
	return root.Open(name)
}

// smolvm is the one client of the bottle's home: it counts the connections.
func (b *Bottle) smolvm(ctx context.Context) (*smolvm.Client, error) {
	b.mu.Lock()
	l := b.live
	b.mu.Unlock()
	if l != nil && l.client != nil {
		return l.client, nil
	}
	in, err := b.rack.cfg.Install(ctx)
	if err != nil {
		return nil, err
	}
	return b.rack.client(in, b.id)
}

// Environment lists the variables with which smolvm itself looks at the
// bottle's machine, under the name "bottle".
func (b *Bottle) Environment(context.Context) ([]string, error) {
	reach, err := b.rack.cfg.Paths.reach(b.id)
	if err != nil {
		return nil, err
	}
	return smolvm.Home{Dir: filepath.Join(reach, homeName), AgentRoot: filepath.Join(reach, rootName)}.Environ(), nil
}

package bottle

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"bottlebar.app/hop"
	"bottlebar.app/internal/fault"
	"bottlebar.app/smolvm"
)

// The helper's place in the guest. It is not below /tmp or /run: what smolvm
// copies there can land out of the container's sight.
const helperPath = "/opt/bottlebar/helper"

// putHelper copies the helper into the machine and starts it. The first exec
// after a start runs alone: several at once race to make the container.
func (b *Bottle) putHelper(ctx context.Context, l *live, in *smolvm.Install) error {
	short := smolvm.ExecOptions{Timeout: 30 * time.Second}
	res, err := l.client.Exec(ctx, machineName, short, "true")
	if err != nil {
		return err
	}
	if res.ExitCode != 0 {
		return &fault.Error{
			What: "running the first command in the VM", Why: fmt.Sprintf("it ended with code %d", res.ExitCode),
			Cure: "the artifact needs a shell and the usual commands; pack it from a complete image", Detail: string(res.Stderr),
		}
	}
	b.mu.Lock()
	processor, secret := b.entry.Arch, b.entry.Secret // the artifact may be gone from the library
	b.mu.Unlock()
	helper, err := b.rack.cfg.Helper(processor)
	if err != nil {
		return err
	}
	if err := l.client.CopyIn(ctx, machineName, helper, helperPath, smolvm.CopyOptions{}); err != nil {
		return fault.Wrap(err, "copying the helper into the VM", "")
	}
	config, err := json.Marshal(hop.HelperConfig{Secret: secret, Socket: b.pipe().Guest()})
	if err != nil {
		return err
	}
	config = append(config, '\n')
	if in.Version.Family() == smolvm.FamilyA {
		// There each exec is a container of its own, and what it leaves behind
		// dies with it: the helper stays in the foreground of one held exec.
		held, err := l.client.ExecHeld(ctx, machineName, smolvm.ExecOptions{}, bytes.NewReader(config), "sh", "-c", "chmod 755 "+helperPath+" && exec "+helperPath+" run")
		if err != nil {
			return err
		}
		b.mu.Lock()
		l.held = held
		b.mu.Unlock()
		return nil
	}
	var out, errOut bytes.Buffer
	code, err := l.client.ExecStream(ctx, machineName, smolvm.ExecOptions{}, bytes.NewReader(config), &out, &errOut,
		"sh", "-c", "chmod 755 "+helperPath+" && exec "+helperPath+" start")
	if err != nil {
		return err
	}
	if code != 0 {
		return &fault.Error{
			What: "starting the helper in the VM", Why: fmt.Sprintf("it ended with code %d", code),
			Cure: "the artifact needs a shell; pack it from a complete image", Detail: errOut.String() + out.String(),
		}
	}
	return nil
}

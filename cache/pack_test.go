package cache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"bottlebar.app/internal/fault"
)

// packer is a Packer that writes b.
type packer struct {
	b     []byte
	err   error
	elsew string // a folder other than the one it is told
	base  string
}

func (p *packer) Pack(_ context.Context, _, base string, progress func(string)) (string, error) {
	if p.elsew != "" {
		base = filepath.Join(p.elsew, "x")
	}
	p.base = base
	progress("\x1b[2K\rPulling 1/3\rPulling 2/3")
	if p.err != nil {
		_ = os.WriteFile(base, nil, 0o700)
		return "", p.err
	}
	return base + suffix, errors.Join(os.WriteFile(base, []byte("stub"), 0o700), os.WriteFile(base+suffix, p.b, 0o600))
}

func TestPackAddsWhatWasPackedAndLeavesNothingElse(t *testing.T) {
	for _, elsewhere := range []string{"", t.TempDir()} {
		l := open(t)
		p := &packer{b: machine(t, nil), elsew: elsewhere}
		var lines []string
		a, err := l.Pack(t.Context(), p, PackOptions{Image: "docker.io/library/Claude_Node:22"}, func(p Progress) {
			if p.Phase == Packing && p.Line != "" {
				lines = append(lines, p.Line)
			}
		})
		if err != nil || a.Name != "claude-node" && elsewhere == "" || a.Origin != "docker.io/library/Claude_Node:22" {
			t.Errorf("%+v %v", a, err)
		}
		if !slices.Equal(lines, []string{"Pulling 2/3"}) {
			t.Errorf("lines %q", lines)
		}
		for _, path := range []string{p.base, p.base + suffix} {
			if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is left: %v", path, err)
			}
		}
		if len(sound(t, l)) != 1 {
			t.Error("not added")
		}
	}
}

func TestAFailedPackLeavesNothing(t *testing.T) {
	l := open(t)
	cause := fault.New("", "no hypervisor", "use a Mac")
	_, err := l.Pack(t.Context(), &packer{err: cause}, PackOptions{Image: "debian:13"}, nil)
	if f := fault.Of(err); !errors.Is(err, cause) || f.What != `packing "debian:13"` || f.Cure != "use a Mac" {
		t.Errorf("%v", err)
	}
	for _, image := range []string{"", "-I", "a b", "a\nb"} {
		if _, err := l.Pack(t.Context(), &packer{}, PackOptions{Image: image}, nil); err == nil {
			t.Errorf("%q: no error", image)
		}
	}
	if got := left(t, l); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
}

package cache

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"bottlebar.app/internal/fault"
	"bottlebar.app/smolvm/artifact"
)

// Packer makes artifacts from images; smolvm's client is one. Pack writes
// outBase and outBase.smolmachine, calls progress for each line it says, and
// returns the path of the latter.
type Packer interface {
	Pack(ctx context.Context, image, outBase string, progress func(line string)) (sidecarPath string, err error)
}

// PackOptions say what to pack.
type PackOptions struct {
	Image    string   // reference
	Name     string   // empty: from the image
	Platform string   // as in AddOptions
	Source   Source   // what is noted; without a kind it is the image, from a registry
	Settings Settings // what launches start from
	Again    bool     // pack though the library has it
}

func (o *PackOptions) fill() error {
	if o.Image == "" || strings.HasPrefix(o.Image, "-") || strings.ContainsFunc(o.Image, func(r rune) bool { return r == ' ' || control(r) }) {
		return fault.New("packing "+quote(o.Image), "that is not an image", "name one as in a registry, like docker.io/library/debian:13")
	}
	if o.Source.Kind == "" {
		o.Source.Kind = FromRegistry
	}
	if o.Source.Ref == "" {
		o.Source.Ref = o.Image
	}
	o.Source.Ref = artifact.Clean(o.Source.Ref)
	return o.Settings.Validate()
}

// Pack makes an artifact from an image and adds it. Nothing but the library's
// copy is left. What the library has packed already of the same image with the
// same options is told as a duplicate is by Add, without packing it.
func (l *Library) Pack(ctx context.Context, p Packer, o PackOptions, progress func(Progress)) (Artifact, error) {
	if err := o.fill(); err != nil {
		return Artifact{}, err
	}
	what := "packing " + quote(o.Source.Ref)
	if !o.Again {
		if a, found, err := l.Find(o.Source, o.Platform); err != nil {
			return Artifact{}, failed(what, err)
		} else if found {
			return a, &DuplicateError{Name: a.Name}
		}
	}
	if err := l.nameFree(o.Name); err != nil {
		return Artifact{}, err
	}
	ws, err := l.workspace(ctx)
	if err != nil {
		return Artifact{}, failed(what, err)
	}
	defer ws.close()
	add := AddOptions{Name: o.Name, Platform: o.Platform, Origin: o.Source.Ref, Source: o.Source, Settings: o.Settings, Progress: progress}
	add.tell(Progress{Phase: Packing})
	base := filepath.Join(ws.dir, nameOfImage(o.Source.Ref))
	sidecar, err := p.Pack(ctx, o.Image, base, func(line string) {
		if line = progressLine(line); line != "" {
			add.tell(Progress{Phase: Packing, Line: line})
		}
	})
	if err != nil {
		return Artifact{}, failed(what, err)
	}
	defer func() { // where the packer put it: the workspace, or elsewhere
		_ = os.Remove(sidecar)
		if stub, ok := strings.CutSuffix(sidecar, suffix); ok {
			_ = os.Remove(stub)
		}
	}()
	return l.Add(ctx, sidecar, add)
}

var reEscape = regexp.MustCompile(`\x1b\[[0-9;?]*[ -/]*[@-~]`)

// progressLine makes one line of what a tool draws on a terminal: the last
// thing that it wrote over the rest.
func progressLine(s string) string {
	s = strings.TrimSpace(reEscape.ReplaceAllString(s, ""))
	return artifact.Clean(strings.TrimSpace(s[strings.LastIndexByte(s, '\r')+1:]))
}

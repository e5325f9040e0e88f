package window

import (
	"context"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

// The two places that an image can be in.
const (
	inRegistry = "Registry"
	inEngine   = "Docker engine"
)

// packing is the window that packs an artifact from an image.
type packing struct {
	w      *Windows
	win    fyne.Window
	job    *job
	output *tail

	where  *widget.RadioGroup
	image  *widget.Entry
	choice *widget.Select // the engine's images
	images map[string]string
	hint   *look.Text
	name   *widget.Entry
	form   *fyne.Container
}

// ShowPack opens the window that packs an artifact from an image.
func (w *Windows) ShowPack() {
	w.present("pack", "Pack from image — Bottlebar", func(win fyne.Window) content {
		p := &packing{w: w, win: win, output: newTail(), image: widget.NewEntry(), name: widget.NewEntry(), hint: look.NewSecond("").Cutting(look.CutEnd)}
		p.image.SetPlaceHolder("node:22-bookworm")
		p.image.OnSubmitted = func(string) { p.begin() }
		p.choice = widget.NewSelect(nil, nil)
		p.choice.PlaceHolder = "Choose an image"
		p.name.SetPlaceHolder("as the image is called")
		p.where = widget.NewRadioGroup([]string{inRegistry, inEngine}, p.switched)
		p.where.Horizontal, p.where.Required = true, true
		p.form = container.NewStack()
		p.job = newJob(w, win, "Pack", p.begin)
		p.where.SetSelected(inRegistry)
		top := look.Column(look.Group, field("Image from", p.where, ""), look.Column(look.Step, look.NewText("Image"), p.form, p.hint),
			field("Name", p.name, "What the artifact is called in the library."))
		root := container.New(footed{}, container.New(stacked{}, look.Pad(top, look.Edge, look.Edge), look.Pad(p.output.root, 0, look.Edge)), p.job.root)
		return content{view: p, root: root, size: fyne.NewSize(560, 480), closed: p.job.stop}
	})
}

// switched shows the field that goes with the place, and asks the engine.
func (p *packing) switched(where string) {
	p.form.RemoveAll()
	if where != inEngine {
		p.hint.Set("A reference, as in docker pull. smolvm pulls it.")
		p.form.Add(p.image)
		p.form.Refresh()
		return
	}
	p.hint.Set("Asking the engine…")
	p.form.Add(p.choice)
	p.form.Refresh()
	p.w.background(func(ctx context.Context) {
		list, err := p.w.o.Backend.Library.Images(ctx)
		p.w.post(func() { p.listed(list, err) })
	})
}

func (p *packing) listed(list []snapshot.Image, err error) {
	if p.where.Selected != inEngine {
		return
	}
	if err != nil {
		p.hint.Set(strings.Join(look.Reasons(look.Problem(err)), " "))
		p.job.trouble(err)
		return
	}
	p.images, p.choice.Options = map[string]string{}, nil
	others := 0
	for _, i := range list {
		if !i.Fits {
			others++
			continue
		}
		label := look.Clean(i.Ref, 60) + "   " + look.Size(i.Size)
		p.images[label] = i.Ref
		p.choice.Options = append(p.choice.Options, label)
	}
	if !slices.Contains(p.choice.Options, p.choice.Selected) {
		p.choice.ClearSelected()
	}
	text := look.Count(len(p.choice.Options), "image", "images")
	if others > 0 {
		text += "; " + look.Count(others, "other is", "others are") + " for another processor"
	}
	p.hint.Set(text + ". The engine hands it to smolvm; nothing is uploaded.")
	p.choice.Refresh()
}

func (p *packing) begin() {
	engine := p.where.Selected == inEngine
	ref := strings.TrimSpace(p.image.Text)
	if engine {
		ref = p.images[p.choice.Selected]
	}
	if ref == "" {
		if !engine {
			p.win.Canvas().Focus(p.image)
		}
		return
	}
	name := strings.TrimSpace(p.name.Text)
	p.w.gain(p.job, p.output, "Packing "+look.Clean(ref, 60), "Packed", func(ctx context.Context, line func(string)) (snapshot.Artifact, error) {
		return p.w.o.Backend.Library.Pack(ctx, ref, engine, name, line)
	})
}

// gain runs what ends with a new artifact, and shows that in the library.
func (w *Windows) gain(j *job, output *tail, title, done string, work func(ctx context.Context, line func(string)) (snapshot.Artifact, error)) {
	output.clear()
	j.run(title, func(ctx context.Context, _ func(done, total int64)) error {
		a, err := work(ctx, output.lines(w.post))
		if err == nil {
			w.post(func() { w.ShowLibrary(a.ID) })
		}
		return err
	}, func(err error) {
		if err != nil {
			j.trouble(err)
		} else {
			j.say(good(done, "The artifact is in the library."))
		}
		output.end()
	})
}

package window

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"bottlebar.app/assets/look"
	"bottlebar.app/internal/fault"
)

func (w *Windows) showCopy(bottle string, in bool) {
	b, ok := w.bottle(bottle)
	if !ok {
		return
	}
	name := look.Clean(b.Name, 40)
	if in {
		w.present("copy-in "+bottle, "Copy files into "+name, func(win fyne.Window) content { return w.copyIn(bottle, b.Folder, win) })
		return
	}
	w.present("copy-out "+bottle, "Copy files out of "+name, func(win fyne.Window) content { return w.copyOut(bottle, b.Folder, win) })
}

// chosen is a list of paths that grows by buttons and drops.
type chosen struct {
	win   fyne.Window
	paths []string
	rows  *fyne.Container
	body  *fyne.Container
}

func newChosen(win fyne.Window) *chosen {
	c := &chosen{win: win, rows: look.Column(0), body: container.NewStack()}
	c.show()
	return c
}

func (c *chosen) add(paths ...string) {
	for _, p := range paths {
		c.paths = append(c.paths, filepath.Clean(p))
	}
	c.show()
}

func (c *chosen) clear() {
	c.paths = nil
	c.show()
}

func (c *chosen) show() {
	c.rows.RemoveAll()
	for i, p := range c.paths {
		line := look.Column(2, look.NewText(base(p)).Cutting(look.CutEnd), look.NewSecond(look.Clean(filepath.Dir(p), 200)).Cutting(look.CutHead))
		remove := look.NewPart("", func() {
			c.paths = append(c.paths[:i:i], c.paths[i+1:]...)
			c.show()
		})
		remove.Set("", "Remove", look.ColorAccent)
		c.rows.Add(container.NewStack(look.NewSpace(0, look.TallRow), look.Sides(line, remove)))
		c.rows.Add(look.NewLine())
	}
	c.body.RemoveAll()
	if len(c.paths) == 0 {
		c.body.Add(container.NewCenter(look.NewText("Drop files and folders here").Colored(look.ColorQuiet)))
	} else {
		c.body.Add(container.NewVScroll(look.Pad(c.rows, 0, look.Edge)))
	}
	c.body.Refresh()
}

// copyIn asks for files and copies them into a bottle's session folder.
func (w *Windows) copyIn(bottle, folder string, win fyne.Window) content {
	c := newChosen(win)
	var j *job
	begin := func() {
		if len(c.paths) == 0 {
			return
		}
		paths := append([]string{}, c.paths...)
		var guest []string
		j.run("Copying "+look.Count(len(paths), "item", "items"), func(ctx context.Context, progress func(done, total int64)) (err error) {
			guest, err = w.o.Backend.Copier.CopyIn(ctx, bottle, paths, progress)
			return err
		}, func(err error) {
			if err != nil {
				j.trouble(err)
				return
			}
			c.clear()
			j.say(good("Copied", strings.Join(cleaned(guest), "  ")))
		})
	}
	j = newJob(w, win, "Copy in", begin)
	where := "the session’s folder"
	if folder != "" {
		where = look.Clean(folder, 80)
	}
	tools := look.Sides(look.Row(look.Gap,
		look.NewButton("Add file…", func() { chooseFile(win, "Choose a file", "Choose", nil, func(p string) { c.add(p) }) }),
		look.NewButton("Add folder…", func() { chooseFolder(win, "Choose a folder", func(p string) { c.add(p) }) })),
		look.NewSecond("into "+where))
	top := look.Column(0, look.Pad(tools, look.Gap, look.Edge), look.NewLine())
	root := container.New(footed{}, container.New(stacked{}, top, c.body), j.root)
	return content{view: c, root: root, dropped: func(p []string) { c.add(p...) }, size: fyne.NewSize(560, 400), closed: j.stop}
}

// copyOut asks for paths of the VM and a folder of this computer.
func (w *Windows) copyOut(bottle, folder string, win fyne.Window) content {
	guest, to := widget.NewMultiLineEntry(), widget.NewEntry()
	guest.SetMinRowsVisible(4)
	guest.SetPlaceHolder("results.csv")
	to.SetText(downloads())
	var j *job
	begin := func() {
		paths := lines(guest.Text)
		dest := strings.TrimSpace(to.Text)
		if len(paths) == 0 || dest == "" {
			return
		}
		var out []string
		j.run("Copying "+look.Count(len(paths), "item", "items"), func(ctx context.Context, progress func(done, total int64)) (err error) {
			out, err = w.o.Backend.Copier.CopyOut(ctx, bottle, paths, dest, progress)
			return err
		}, func(err error) {
			if err != nil {
				j.trouble(err)
				return
			}
			j.say(good("Copied", strings.Join(cleaned(out), "  ")))
		})
	}
	j = newJob(w, win, "Copy out", begin)
	from := "One path on each line."
	if folder != "" {
		from += " A relative one begins at " + look.Clean(folder, 80) + "."
	}
	form := look.Column(look.Group,
		field("Files and folders in the VM", guest, from),
		field("Into", withButton(to, "Choose…", func() { chooseFolder(win, "Choose a folder", to.SetText) }), "Files that are already there are left as they are."))
	root := container.New(footed{}, look.Pad(container.NewVBox(form), look.Edge, look.Edge), j.root)
	return content{root: root, size: fyne.NewSize(560, 400), closed: j.stop}
}

// lines are the paths that were typed, one on each line.
func lines(s string) []string {
	var out []string
	for _, l := range strings.Split(s, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}

func cleaned(paths []string) []string {
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = look.Clean(p, 120)
	}
	return out
}

// downloads is the folder that files come out into unless another is chosen.
func downloads() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, "Downloads")
}

func folderError(path, why string, cause error) error {
	e := fault.New("opening "+path, why, "choose a folder that you can read")
	e.Err = cause
	return e
}

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

// making is the window that makes an artifact of a recipe.
type making struct {
	w      *Windows
	win    fyne.Window
	job    *job
	output *tail

	recipe *widget.Select
	list   []snapshot.Recipe
	hint   *look.Text
	base   *widget.Entry
	name   *widget.Entry
}

// shippedRecipe is the one that comes with the app.
const shippedRecipe = "claude"

// ShowMake opens the window that makes an artifact; "" is the recipe that comes
// with the app.
func (w *Windows) ShowMake(recipe string) {
	if recipe == "" {
		recipe = shippedRecipe
	}
	f := w.present("make", "Make an artifact — Bottlebar", func(win fyne.Window) content {
		m := &making{w: w, win: win, output: newTail(), base: widget.NewEntry(), name: widget.NewEntry(), hint: look.NewSecond("").Cutting(look.CutEnd)}
		m.base.SetPlaceHolder("as the recipe says")
		m.name.SetPlaceHolder("as the recipe is called")
		m.recipe = widget.NewSelect(nil, m.chosen)
		m.job = newJob(w, win, "Make", m.begin)
		top := look.Column(look.Group,
			look.Column(look.Step, look.NewText("Recipe"), m.recipe, m.hint),
			field("Base image", m.base, "What the recipe is built on, by your Docker engine. The first time takes some minutes."),
			field("Name", m.name, "What the artifact is called in the library."))
		root := container.New(footed{}, container.New(stacked{}, look.Pad(top, look.Edge, look.Edge), look.Pad(m.output.root, 0, look.Edge)), m.job.root)
		return content{view: m, root: root, size: fyne.NewSize(600, 520), closed: m.job.stop}
	})
	f.view.(*making).ask(recipe)
}

// ask lists the recipes and chooses one.
func (m *making) ask(want string) {
	m.w.background(func(ctx context.Context) {
		list, err := m.w.o.Backend.Library.Recipes(ctx)
		m.w.post(func() {
			if err != nil {
				m.job.trouble(err)
				return
			}
			m.list, m.recipe.Options = list, nil
			for _, r := range list {
				m.recipe.Options = append(m.recipe.Options, look.Clean(r.Name, 64))
			}
			if m.recipe.Selected == "" || want != shippedRecipe {
				m.recipe.SetSelected(want)
			}
			m.recipe.Refresh()
		})
	})
}

func (m *making) chosen(name string) {
	r, ok := m.selected()
	switch {
	case !ok:
		m.hint.Set("")
	case r.Problem != nil:
		m.hint.Set(strings.Join(look.Reasons(*r.Problem), " "))
	case len(r.Stale) > 0:
		m.hint.Set("Changed since " + look.Clean(strings.Join(r.Stale, ", "), 60) + " was made.")
	default:
		m.hint.Set(look.Clean(r.Title, 120))
	}
	m.base.SetPlaceHolder("as the recipe says")
	if ok && r.Base != "" {
		m.base.SetPlaceHolder(look.Clean(r.Base, 80))
	}
}

func (m *making) selected() (snapshot.Recipe, bool) {
	i := slices.IndexFunc(m.list, func(r snapshot.Recipe) bool { return look.Clean(r.Name, 64) == m.recipe.Selected })
	if i < 0 {
		return snapshot.Recipe{}, false
	}
	return m.list[i], true
}

func (m *making) begin() {
	r, ok := m.selected()
	if !ok || r.Problem != nil {
		return
	}
	base, name := strings.TrimSpace(m.base.Text), strings.TrimSpace(m.name.Text)
	m.w.gain(m.job, m.output, "Making "+look.Clean(r.Name, 60), "Made", func(ctx context.Context, line func(string)) (snapshot.Artifact, error) {
		return m.w.o.Backend.Library.Make(ctx, r.Name, base, name, line)
	})
}

package screen

import (
	"context"
	"errors"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

// quitting is the window that asks what is to become of the bottles.
type quitting struct {
	fyne.Window
	title, names *look.Text
	text         *widget.Label
	buttons      *fyne.Container
}

// askQuit ends the app; while bottles run it asks what is to become of them.
func (s *screen) askQuit() {
	left := running(s.last.Bottles)
	if len(left) == 0 {
		s.fyne.Quit()
		return
	}
	if s.quit == nil {
		s.quit = s.newQuitting()
	}
	s.quit.ask(left, s)
	s.quit.Show()
	s.quit.RequestFocus()
}

// running are the bottles that the end of the app would leave behind.
func running(all []snapshot.Bottle) []snapshot.Bottle {
	var out []snapshot.Bottle
	for _, b := range all {
		if b.State != snapshot.Stopped && b.State != snapshot.Failed {
			out = append(out, b)
		}
	}
	return out
}

func (s *screen) newQuitting() *quitting {
	q := &quitting{
		Window: s.fyne.NewWindow("Quit Bottlebar"), title: look.NewTitle("").Cutting(look.CutEnd),
		names: look.NewSecond("").Cutting(look.CutEnd), text: widget.NewLabel(""), buttons: look.Row(look.Gap),
	}
	q.text.Wrapping = fyne.TextWrapWord
	q.SetOnClosed(func() { s.quit = nil })
	q.SetPadded(false)
	end := container.NewHBox(layout.NewSpacer(), q.buttons)
	q.SetContent(look.Pad(container.NewBorder(look.Column(2, q.title, q.names), end, nil, nil, container.New(flush{}, q.text)), look.Edge, look.Edge))
	q.Resize(fyne.NewSize(460, 172))
	q.SetFixedSize(true)
	return q
}

// flush takes back the room that a label has around its text.
type flush struct{}

const labelPadding = 5

func (flush) MinSize(o []fyne.CanvasObject) fyne.Size { return o[0].MinSize() }
func (flush) Layout(o []fyne.CanvasObject, s fyne.Size) {
	o[0].Move(fyne.NewPos(-labelPadding, 0))
	o[0].Resize(fyne.NewSize(s.Width+2*labelPadding, s.Height))
}

// ask shows the three ways to go on.
func (q *quitting) ask(left []snapshot.Bottle, s *screen) {
	title, text := quitWords(len(left))
	q.title.Set(title)
	q.names.Set(nameList(left))
	q.text.SetText(text)
	q.choices(look.NewButton("Cancel", q.Close), look.NewButton("Stop and quit", func() { q.stop(left, s) }), look.NewPrimary("Leave running", s.fyne.Quit))
}

func (q *quitting) choices(all ...fyne.CanvasObject) {
	q.buttons.Objects = all
	q.buttons.Refresh()
	q.Content().Refresh()
}

// stop stops the bottles, then quits. What cannot be stopped is told instead.
func (q *quitting) stop(left []snapshot.Bottle, s *screen) {
	q.text.SetText("Stopping…")
	q.choices()
	s.work.Go(func() {
		err := s.stopAll()
		s.post(func() {
			if err == nil {
				s.fyne.Quit()
				return
			}
			q.title.Set("Not everything could be stopped")
			q.names.Set(nameList(left))
			q.text.SetText(strings.Join(look.Reasons(look.Problems(err)[0]), " "))
			q.choices(look.NewButton("Cancel", q.Close), look.NewPrimary("Quit", s.fyne.Quit))
		})
	})
}

// quitWords says what runs, and what the choices mean for it.
func quitWords(n int) (title, text string) {
	if n == 1 {
		return "1 bottle is running", "It can go on without Bottlebar, but reaches nothing until Bottlebar runs again. Stopping it removes its VM and all files in it."
	}
	return look.Count(n, "bottle", "bottles are running"), "They can go on without Bottlebar, but reach nothing until Bottlebar runs again. Stopping them removes their VMs and all files in them."
}

// nameList names the first few.
func nameList(all []snapshot.Bottle) string {
	const most = 4
	var names []string
	for i, b := range all {
		if i == most {
			names = append(names, look.Count(len(all)-most, "more", "more"))
			break
		}
		names = append(names, look.Clean(b.Name, 32))
	}
	return strings.Join(names, ", ")
}

// stopAll stops what runs now, one after another, and goes on past failures.
func (s *screen) stopAll() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), 2*time.Minute)
	defer cancel()
	var errs []error
	for _, b := range running(s.app.Snapshot().Bottles) {
		if err := s.app.Stop(ctx, b.ID); err != nil {
			s.log.Error("stopping at the end", "bottle", b.Name, "error", err)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

package screen

import (
	"context"
	"fmt"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"bottlebar.app/snapshot"
)

// askQuit ends the app; while bottles run it asks what is to become of them.
func (s *screen) askQuit() {
	n := 0
	for _, b := range s.last.Bottles {
		if b.State != snapshot.Stopped && b.State != snapshot.Failed {
			n++
		}
	}
	if n == 0 {
		s.fyne.Quit()
		return
	}
	if s.quit != nil {
		s.quit.Show()
		s.quit.RequestFocus()
		return
	}
	win := s.fyne.NewWindow("Quit Bottlebar")
	s.quit = win
	win.SetOnClosed(func() { s.quit = nil })
	what := "1 bottle runs."
	if n > 1 {
		what = fmt.Sprintf("%d bottles run.", n)
	}
	text := widget.NewLabel(what + " They can go on without Bottlebar; until it starts again they reach nothing.")
	text.Wrapping = fyne.TextWrapWord
	stop := widget.NewButton("Stop Them and Quit", nil)
	leave := widget.NewButton("Leave Running", func() { s.fyne.Quit() })
	cancel := widget.NewButton("Cancel", win.Close)
	leave.Importance = widget.HighImportance
	stop.OnTapped = func() {
		stop.Disable()
		leave.Disable()
		cancel.Disable()
		text.SetText("Stopping…")
		s.work.Go(s.stopAll)
	}
	win.SetContent(container.NewPadded(container.NewBorder(nil, container.NewHBox(layout.NewSpacer(), cancel, stop, leave), nil, nil, text)))
	win.Resize(fyne.NewSize(420, 140))
	win.Show()
	win.RequestFocus()
}

// stopAll stops what runs, then quits.
func (s *screen) stopAll() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), 2*time.Minute)
	defer cancel()
	for _, b := range s.app.Snapshot().Bottles {
		if b.State == snapshot.Stopped {
			continue
		}
		if err := s.app.Stop(ctx, b.ID); err != nil {
			s.log.Error("stopping at the end", "bottle", b.Name, "error", err)
		}
	}
	fyne.Do(s.fyne.Quit)
}

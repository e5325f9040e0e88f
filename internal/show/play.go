package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"path/filepath"
	"strings"
	"time"

	"bottlebar.app/internal/traytest"
	"bottlebar.app/internal/xdrive"
)

// play is one run of the show: what the steps hand on to each other.
type play struct {
	*stage
	options
	out io.Writer

	shot     int           // number of the last picture
	artifact artifact      // as the library lists it
	bottle   bottle        // as `ls` lists it
	session  xdrive.Window // its window
	given    files         // what is dropped on it
	traces   traces        // what the bottle is made of on this computer
}

// step is one thing that a person would do, and how they would know that it worked.
type step struct {
	title string
	limit time.Duration
	do    func(context.Context, *play) error
}

// run plays the steps in order and stops at the first that fails.
func (p *play) run(ctx context.Context) error {
	engine := "containers"
	if p.driver() == "process" {
		engine = "child processes, no container engine"
	}
	fmt.Fprintf(p.out, "Bottlebar, %s, scale %d; sidecars as %s\n", p.theme, p.options.scale, engine)
	began := time.Now()
	for i, s := range script {
		at := time.Now()
		within, cancel := context.WithTimeout(ctx, s.limit)
		err := s.do(within, p)
		cancel()
		if err == nil && p.app != nil && i < len(script)-1 {
			err = p.app.alive()
		}
		if err != nil {
			fmt.Fprintf(p.out, "%3d ✕ %-58s %6.2f s\n", i+1, s.title, time.Since(at).Seconds())
			return fmt.Errorf("%s: %w", lowerFirst(s.title), errors.Join(err, p.evidence()))
		}
		fmt.Fprintf(p.out, "%3d ✓ %-58s %6.2f s\n", i+1, s.title, time.Since(at).Seconds())
	}
	fmt.Fprintf(p.out, "The whole job took %.1f s. %d pictures are in %s\n", time.Since(began).Seconds(), p.shot, p.options.shots)
	return nil
}

func (p *play) driver() string { return p.stage.driver }

// evidence takes a picture of a failed step and says where to look.
func (p *play) evidence() error {
	img, err := p.display.Picture(p.display.Bounds())
	if err == nil {
		err = xdrive.Save(filepath.Join(p.stage.shots, "failed"+p.suffix()+".png"), img)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	menu := ""
	if p.app != nil && p.app.icon != nil {
		if root, err := p.app.icon.Menu(ctx); err == nil {
			menu = "\nThe menu:\n" + root.String()
		}
	}
	var titles []string
	for _, w := range p.display.Windows() {
		titles = append(titles, w.Title)
	}
	return errors.Join(err, fmt.Errorf("see failed%s.png and app%s.log in %s; windows: %q%s", p.suffix(), p.suffix(), p.stage.shots, titles, menu))
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// pause is how long to wait before asking again for something that tells nobody
// when it changes.
const pause = 50 * time.Millisecond

// rest waits, at most until the step's time is over.
func rest(ctx context.Context, long time.Duration) error {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// final is an answer after which asking again has no use.
type final struct{ error }

// until asks until the answer is yes or final, or the step's time is over.
func until(ctx context.Context, what string, ok func() (bool, error)) error {
	for {
		yes, err := ok()
		if yes && err == nil {
			return nil
		}
		if f := (final{}); errors.As(err, &f) {
			return f.error
		}
		if over := rest(ctx, pause); over != nil {
			return fmt.Errorf("waiting until %s: %w", what, errors.Join(err, over))
		}
	}
}

// picture saves an area of the screen as the next numbered picture, once it has
// come to rest.
func (p *play) picture(ctx context.Context, name string, area image.Rectangle) error {
	if err := p.settle(ctx, area); err != nil {
		return err
	}
	return p.snap(name, area)
}

// snap saves a picture of what is there now.
func (p *play) snap(name string, area image.Rectangle) error {
	img, err := p.display.Picture(area)
	if err != nil {
		return err
	}
	return p.save(name, img)
}

func (p *play) save(name string, img image.Image) error {
	p.shot++
	return xdrive.Save(filepath.Join(p.stage.shots, fmt.Sprintf("%02d-%s%s.png", p.shot, name, p.suffix())), img)
}

// liveliest watches an area for a second, from now on, and saves the look that
// differs most from the first: what is shown only while something goes on.
func (p *play) liveliest(ctx context.Context, name string, area image.Rectangle) error {
	first, err := p.display.Picture(area)
	if err != nil {
		return err
	}
	best, most := first, 0
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		img, err := p.display.Picture(area)
		if err != nil {
			return err
		}
		if d := difference(first, img); d > most {
			best, most = img, d
		}
		if err := rest(ctx, pause/2); err != nil {
			return err
		}
	}
	return p.save(name, best)
}

// plain says that nothing is drawn in a picture: it has one colour.
func plain(img *image.RGBA) bool {
	return len(img.Pix) < 8 || bytes.Equal(img.Pix[4:], img.Pix[:len(img.Pix)-4])
}

// has says whether some pixel of a picture has that colour.
func has(img *image.RGBA, c [3]byte) bool {
	for i := 0; i+3 < len(img.Pix); i += 4 {
		if [3]byte(img.Pix[i:i+3]) == c {
			return true
		}
	}
	return false
}

// difference counts the pixels that are not the same in two pictures of one size.
func difference(a, b *image.RGBA) int {
	n := 0
	for i := 0; i+3 < len(a.Pix) && i+3 < len(b.Pix); i += 4 {
		if !bytes.Equal(a.Pix[i:i+4], b.Pix[i:i+4]) {
			n++
		}
	}
	return n
}

// kindOf is the part of a picture's or log's name that tells which show made it.
func kindOf(name string) string {
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".png"), ".log")
	at := strings.LastIndexByte(name, '@')
	if at < 0 {
		return ""
	}
	if strings.HasSuffix(name[:at], "-dark") {
		return "-dark" + name[at:]
	}
	return name[at:]
}

func (p *play) suffix() string { return p.options.suffix() }

// settle waits until two looks in a row see the same and something is drawn, or for
// three seconds: a cursor may blink for ever.
func (p *play) settle(ctx context.Context, area image.Rectangle) error {
	end := time.Now().Add(3 * time.Second)
	var last []byte
	for same := 0; same < 2 && time.Now().Before(end); {
		img, err := p.display.Picture(area)
		if err != nil {
			return err
		}
		if bytes.Equal(img.Pix, last) && !plain(img) {
			same++
		} else {
			same = 0
		}
		last = img.Pix
		if err := rest(ctx, 2*pause); err != nil {
			return err
		}
	}
	return nil
}

// menuPicture opens the menu with the mouse, as a person does, takes a picture of
// the corner in which it hangs, and closes it.
func (p *play) menuPicture(ctx context.Context, name string) error {
	panel, err := p.display.Await(ctx, isPanel)
	if err != nil {
		return err
	}
	icon := image.Pt(panel.Area.Max.X-panel.Area.Dy()/2, panel.Area.Min.Y+panel.Area.Dy()/2)
	// The panel ignores a click while it is still reading the menu.
	var popup xdrive.Window
	err = until(ctx, "a click on the icon opens the menu", func() (bool, error) {
		if err := p.display.Click(ctx, icon.X, icon.Y, 1); err != nil {
			return false, err
		}
		short, cancel := context.WithTimeout(ctx, 1500*time.Millisecond)
		defer cancel()
		var err error
		popup, err = p.display.AwaitMenu(short)
		return err == nil, err
	})
	if err != nil {
		return err
	}
	// Off the icon, or its tooltip joins the picture.
	if err := p.display.Move(popup.Area.Min.X-40, panel.Area.Max.Y+200); err != nil {
		return err
	}
	corner := popup.Area.Union(image.Rect(popup.Area.Min.X, 0, panel.Area.Max.X, panel.Area.Max.Y))
	if err := p.picture(ctx, name, corner.Inset(-24)); err != nil {
		return err
	}
	// A menu that has just been filled may not have the keyboard yet.
	return until(ctx, "the menu closes", func() (bool, error) {
		if err := p.display.Key(ctx, "Escape"); err != nil {
			return false, err
		}
		short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		defer cancel()
		err := p.display.AwaitGone(short, popup)
		return err == nil, err
	})
}

// open chooses a menu entry that opens a window, and returns the window with the
// keys going to it.
func (p *play) open(ctx context.Context, ok func(xdrive.Window) bool, path ...traytest.Match) (xdrive.Window, error) {
	var w xdrive.Window
	// A click that falls into a rebuild of the menu is lost, so it is repeated; to
	// open a window twice shows the same window.
	err := until(ctx, "its window is there", func() (bool, error) {
		if err := p.app.icon.Click(ctx, path...); err != nil {
			return false, err
		}
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		var err error
		w, err = p.display.Await(short, ok)
		return err == nil, err
	})
	if err != nil {
		return w, err
	}
	return w, p.display.Focus(ctx, w)
}

// press chooses a menu entry again and again until what it is for has begun: a
// click that falls into a rebuild of the menu is lost. begun may take its time
// to see it, and ends with its context; the entry has to be one that a second
// click does no harm to.
func (p *play) press(ctx context.Context, what string, begun func(context.Context) bool, path ...traytest.Match) error {
	return until(ctx, what, func() (bool, error) {
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err := p.app.icon.Click(short, path...)
		if begun(short) {
			return true, nil
		}
		return false, err
	})
}

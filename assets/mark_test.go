package assets

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"image"
	"image/png"
	"io/fs"
	"os"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/software"
	"fyne.io/fyne/v2/test"
)

var update = flag.Bool("update", false, "write icon.png anew from appicon.svg")

// The bundle wants its icon as a PNG of 1024 pixels; it is the drawing's.
func TestTheBundlesIconIsTheDrawing(t *testing.T) {
	test.NewTempApp(t)
	want := raster(AppIcon(), 1024)
	if *update {
		var b bytes.Buffer
		if err := png.Encode(&b, want); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("icon.png", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open("icon.png")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if got.Bounds() != want.Bounds() {
		t.Fatalf("icon.png is %v", got.Bounds())
	}
	for y := 0; y < 1024; y += 16 {
		for x := 0; x < 1024; x += 16 {
			if got.At(x, y) != want.At(x, y) {
				t.Fatalf("icon.png differs from appicon.svg at %d,%d", x, y)
			}
		}
	}
}

// shapes are all small shapes.
var shapes = []ShapeName{
	ShapeWorking, ShapeNeeds, ShapeIdle, ShapeDone, ShapeFailed, ShapeMoving,
	ShapeStopped, ShapeUnknown, ShapeWaiting, ShapeShield, ShapeCopy,
}

// The toolkit recolours a drawing by rewriting its fill, and drops what it
// does not know: one filled path, no fill rule, no group, survives that.
func TestEveryDrawingIsOneBlackPath(t *testing.T) {
	var names []string
	for _, g := range Glyphs() {
		names = append(names, "mark/"+string(g))
	}
	for _, s := range shapes {
		names = append(names, "shape/"+string(s))
	}
	for _, name := range names {
		var doc struct {
			ViewBox string `xml:"viewBox,attr"`
			Paths   []struct {
				Fill string `xml:"fill,attr"`
				D    string `xml:"d,attr"`
				Rule string `xml:"fill-rule,attr"`
			} `xml:"path"`
			Rest []struct {
				XMLName xml.Name
			} `xml:",any"`
		}
		if err := xml.Unmarshal(drawing(name).Content(), &doc); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(doc.Paths) != 1 || len(doc.Rest) != 0 || doc.Paths[0].Fill != "#000000" || doc.Paths[0].Rule != "" || doc.Paths[0].D == "" {
			t.Errorf("%s is not one path filled with black: %+v", name, doc)
		}
		if doc.ViewBox != "0 0 16 16" && doc.ViewBox != "0 0 10 10" {
			t.Errorf("%s has the view box %q", name, doc.ViewBox)
		}
	}
}

func TestEveryStateLooksDifferentAtSixteenPixels(t *testing.T) {
	test.NewTempApp(t)
	seen := map[string]Glyph{}
	for _, g := range Glyphs() {
		if g == Fill4 {
			continue // the last step of filling is the full bottle
		}
		pix := string(raster(Template(g), 16).Pix)
		if other, ok := seen[pix]; ok {
			t.Errorf("%s and %s are the same picture", g, other)
		}
		seen[pix] = g
	}
}

func TestTheBottleFillsFromBelow(t *testing.T) {
	test.NewTempApp(t)
	last := 0
	for _, g := range []Glyph{Outline, Fill1, Fill2, Fill3, Fill4} {
		ink := inked(raster(Template(g), 32))
		if ink <= last {
			t.Errorf("%s has no more ink than the step before it: %d after %d", g, ink, last)
		}
		last = ink
	}
}

// A panel shows the icon as it is, on a ground that nobody tells us: whichever
// it is, some pixels must stand out from it.
func TestPanelIconsStandOutOnLightAndDark(t *testing.T) {
	test.NewTempApp(t)
	for _, g := range Glyphs() {
		for _, dark := range []bool{true, false} {
			light, darkest := 0, 0
			img := raster(Panel(g, dark), 64)
			for i := 0; i < len(img.Pix); i += 4 {
				switch v, a := img.Pix[i], img.Pix[i+3]; {
				case a < 0xC0:
				case v > 0xC0:
					light++
				case v < 0x40:
					darkest++
				}
			}
			if light < 240 || darkest < 240 { // a hairline has about 150
				t.Errorf("%s (dark panel %v): %d light and %d dark pixels", g, dark, light, darkest)
			}
		}
	}
}

func TestAMissingLinuxProgramNamesMake(t *testing.T) {
	_, err := fs.ReadFile(Binaries(), "sidecar-mips.gz")
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "make") {
		t.Errorf("got %v", err)
	}
	if _, err := fs.ReadFile(Binaries(), "README.md"); err != nil {
		t.Errorf("the folder's own page: %v", err)
	}
	if _, err := Binaries().Open("../look"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a path that leaves the folder: %v", err)
	}
}

func TestTheAppIconIsGreenAtItsEdgeAndOffWhiteInTheBottle(t *testing.T) {
	test.NewTempApp(t)
	img := raster(AppIcon(), 256)
	if r, g, _, _ := img.At(40, 128).RGBA(); g <= r {
		t.Error("the ground is not green")
	}
	if r, _, b, _ := img.At(128, 51).RGBA(); r < 0xC000 || b < 0xC000 {
		t.Error("the cork is not off-white")
	}
	if _, _, _, a := img.At(4, 4).RGBA(); a != 0 {
		t.Error("the corner is not empty")
	}
}

func raster(r fyne.Resource, px float32) *image.NRGBA {
	// The copy is a plain resource: the test theme colours no template.
	c := software.NewTransparentCanvas()
	c.SetPadded(false)
	c.SetContent(canvas.NewImageFromResource(fyne.NewStaticResource("x.svg", bytes.Clone(r.Content()))))
	c.Resize(fyne.NewSquareSize(px))
	return c.Capture().(*image.NRGBA)
}

func inked(img *image.NRGBA) (n int) {
	for i := 3; i < len(img.Pix); i += 4 {
		n += int(img.Pix[i])
	}
	return n
}

package xdrive

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"

	"github.com/jezek/xgb/xproto"
)

// Bounds is the whole screen.
func (d *Display) Bounds() image.Rectangle {
	s := xproto.Setup(d.conn).DefaultScreen(d.conn)
	return image.Rect(0, 0, int(s.WidthInPixels), int(s.HeightInPixels))
}

// Picture returns what the screen shows in an area, cut at the screen's edges.
func (d *Display) Picture(area image.Rectangle) (*image.RGBA, error) {
	area = area.Intersect(d.Bounds())
	if area.Empty() {
		return nil, errors.New("taking a picture: the area is not on the screen")
	}
	reply, err := xproto.GetImage(d.conn, xproto.ImageFormatZPixmap, xproto.Drawable(d.root),
		int16(area.Min.X), int16(area.Min.Y), uint16(area.Dx()), uint16(area.Dy()), ^uint32(0)).Reply()
	if err != nil {
		return nil, fmt.Errorf("taking a picture: %w", err)
	}
	if len(reply.Data) < 4*area.Dx()*area.Dy() {
		return nil, fmt.Errorf("taking a picture: the screen has %d bits per pixel, not 24 in 32", reply.Depth)
	}
	// Little endian: blue, green, red, nothing.
	img := image.NewRGBA(image.Rectangle{Max: area.Size()})
	for i := 0; i < len(img.Pix); i += 4 {
		img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = reply.Data[i+2], reply.Data[i+1], reply.Data[i], 0xff
	}
	return img, nil
}

// Save writes a picture as PNG.
func Save(file string, img image.Image) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		return err
	}
	return f.Close()
}

// Paint fills the screen behind all windows with one colour.
func (d *Display) Paint(c color.RGBA) error {
	pixel := uint32(c.R)<<16 | uint32(c.G)<<8 | uint32(c.B)
	if err := xproto.ChangeWindowAttributesChecked(d.conn, d.root, xproto.CwBackPixel, []uint32{pixel}).Check(); err != nil {
		return err
	}
	return xproto.ClearAreaChecked(d.conn, false, d.root, 0, 0, 0, 0).Check()
}

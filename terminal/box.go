package terminal

import (
	"math"
	"strings"
)

// boxArms says how heavy each arm of U+2500 to U+257F is, in the order up,
// right, down, left: 0 none, 1 light, 2 heavy, 3 double. Dashes, arcs and
// diagonals are not made of arms and have a dot.
var boxArms = strings.Fields(`
0101 0202 1010 2020 . . . . . . . . 0110 0210 0120 0220
0011 0012 0021 0022 1100 1200 2100 2200 1001 1002 2001 2002 1110 1210 2110 1120
2120 2210 1220 2220 1011 1012 2011 1021 2021 2012 1022 2022 0111 0112 0211 0212
0121 0122 0221 0222 1101 1102 1201 1202 2101 2102 2201 2202 1111 1112 1211 1212
2111 1121 2121 2112 2211 1122 1221 2212 1222 2122 2221 2222 . . . .
0303 3030 0310 0130 0330 0013 0031 0033 1300 3100 3300 1003 3001 3003 1310 3130
3330 1013 3031 3033 0313 0131 0333 1303 3101 3303 1313 3131 3333 . . .
. . . . 0001 1000 0100 0010 0002 2000 0200 0020 0201 1020 0102 2010`)

// box draws one of U+2500 to U+257F.
func (c *shape) box(s *sheet, r rune) {
	if arms := boxArms[r-0x2500]; arms != "." {
		c.arms(s, arms)
		return
	}
	w, h, t := float64(c.w), float64(c.h), float64(s.line)
	switch {
	case r <= 0x2507:
		c.dashes(s, int(r-0x2504), 3)
	case r <= 0x250b:
		c.dashes(s, int(r-0x2508), 4)
	case r <= 0x254f:
		c.dashes(s, int(r-0x254c), 2)
	case r <= 0x2570:
		c.arc(s, r)
	default:
		if r != 0x2572 {
			c.near(t, segment(0, h, w, 0))
		}
		if r != 0x2571 {
			c.near(t, segment(0, 0, w, h))
		}
	}
}

// dashes draws n dashes; kind bit 0 is heavy, bit 1 vertical.
func (c *shape) dashes(s *sheet, kind, n int) {
	t := s.line * (1 + kind&1)
	long, across := c.w, c.h
	if kind&2 != 0 {
		long, across = c.h, c.w
	}
	at := (across - t) / 2
	gap := max(long/(n*4), 1)
	for i := range n {
		a, b := i*long/n+(gap+1)/2, (i+1)*long/n-gap/2
		if kind&2 != 0 {
			c.rect(at, a, at+t, b)
		} else {
			c.rect(a, at, b, at+t)
		}
	}
}

// arc draws the rounded corners U+256D to U+2570.
func (c *shape) arc(s *sheet, r rune) {
	t := float64(s.line)
	// The middles of a light line, so that the ends meet its neighbours.
	mx, my := float64((c.w-s.line)/2)+t/2, float64((c.h-s.line)/2)+t/2
	right, down := r == 0x256d || r == 0x2570, r == 0x256d || r == 0x256e
	ex, ey := 0.0, 0.0
	if right {
		ex = float64(c.w)
	}
	if down {
		ey = float64(c.h)
	}
	rad := min(math.Abs(ex-mx), math.Abs(ey-my))
	sx, sy := math.Copysign(1, ex-mx), math.Copysign(1, ey-my)
	cx, cy := mx+sx*rad, my+sy*rad
	c.near(t, func(x, y float64) float64 {
		switch dx, dy := (x-cx)*sx, (y-cy)*sy; {
		case dx <= 0 && dy <= 0:
			return math.Abs(math.Hypot(dx, dy) - rad)
		case dx <= 0:
			return math.Abs(x - mx) // below the bend
		case dy <= 0:
			return math.Abs(y - my)
		}
		return math.Inf(1)
	})
}

// cross is what arms need to know of the cell: the middle lines and how
// thick each kind of line is.
type cross struct {
	*shape
	t              int // light
	cx, cy         int // top left of a light line in the middle
	up, rt, dn, lt byte
}

// arms draws lines from the middle to the edges.
func (c *shape) arms(s *sheet, arms string) {
	x := &cross{
		shape: c, t: s.line, cx: (c.w - s.line) / 2, cy: (c.h - s.line) / 2,
		up: arms[0] - '0', rt: arms[1] - '0', dn: arms[2] - '0', lt: arms[3] - '0',
	}
	// Vertical arms, then horizontal ones with the axes exchanged.
	x.arm(x.up, x.dn, x.lt, x.rt, -1, true)
	x.arm(x.dn, x.up, x.lt, x.rt, 1, true)
	x.arm(x.lt, x.rt, x.up, x.dn, -1, false)
	x.arm(x.rt, x.lt, x.up, x.dn, 1, false)
}

// arm draws one arm of weight own, with opp opposite to it and before and
// after on the other axis; dir is the way it goes, vertical its axis.
func (x *cross) arm(own, opp, before, after byte, dir int, vertical bool) {
	if own == 0 {
		return
	}
	long, mid := x.w, x.cx // mid is along the arm
	across := x.cy
	if vertical {
		long, mid, across = x.h, x.cy, x.cx
	}
	// span draws from the arm's outer end to the inner one, off pixels from
	// the middle line on the other axis, thick pixels thick.
	span := func(inner, off, thick int) {
		a, b := 0, inner
		if dir > 0 {
			a, b = inner, long
		}
		if vertical {
			x.rect(across+off, a, across+off+thick, b)
		} else {
			x.rect(a, across+off, b, across+off+thick)
		}
	}
	// at turns a distance beyond the middle line, in the direction away from
	// the arm, into a coordinate.
	at := func(beyond int) int {
		if dir > 0 {
			return mid - beyond
		}
		return mid + x.t + beyond
	}
	if own == 3 {
		for _, side := range [...]int{-1, 1} {
			same, other := before, after
			if side > 0 {
				same, other = after, before
			}
			span(at(x.doubleEnd(same, other)), side*x.t, x.t)
		}
		return
	}
	thick, off := x.t, 0
	if own == 2 {
		thick, off = 2*x.t, -(x.t / 2)
	}
	span(at(x.singleEnd(opp, before, after)), off, thick)
}

// doubleEnd is how far one line of a double arm goes beyond the middle: same
// is the arm that leaves on its side, other the one on the far side.
func (x *cross) doubleEnd(same, other byte) int {
	switch {
	case same == 3:
		return -x.t
	case other == 3:
		return x.t
	}
	return 0
}

// singleEnd is the same for a light or heavy arm.
func (x *cross) singleEnd(opp, before, after byte) int {
	switch {
	case opp != 0:
		return 0
	case before == 3 && after == 3:
		return -x.t
	case before == 3 || after == 3:
		return x.t
	case before == 2 || after == 2:
		return x.t / 2
	}
	return 0
}

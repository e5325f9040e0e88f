package vt

// Bounds of the tables beside the grid. When one is full it is swept of what
// no cell uses any more; when that does not help, new entries are refused for
// a while.
const (
	maxClusters     = 1 << 17
	maxClusterBytes = 64
	maxExtras       = 1<<16 - 1
	maxLinkBytes    = 4 << 20
)

// clusters holds the texts of cells that are more than one rune.
type clusters struct {
	texts []string
	index map[string]uint32
	free  []uint32
	rest  int // adds to refuse before the next sweep
}

func (c *clusters) text(ch uint32) string {
	if i := int(ch &^ clusterBit); i < len(c.texts) {
		return c.texts[i]
	}
	return ""
}

// cluster returns the cell value for a text of several runes.
func (m *machine) cluster(b []byte) (uint32, bool) {
	c := &m.clusters
	if i, ok := c.index[string(b)]; ok {
		return i | clusterBit, true
	}
	if len(c.free) == 0 && len(c.texts) >= maxClusters && !m.sweepClusters() {
		return 0, false
	}
	if c.index == nil {
		c.index = make(map[string]uint32)
	}
	s := string(b)
	var i uint32
	if n := len(c.free); n > 0 {
		i = c.free[n-1]
		c.free = c.free[:n-1]
		c.texts[i] = s
	} else {
		i = uint32(len(c.texts))
		c.texts = append(c.texts, s)
	}
	c.index[s] = i
	return i | clusterBit, true
}

func (m *machine) sweepClusters() bool {
	c := &m.clusters
	if c.rest > 0 {
		c.rest--
		return false
	}
	m.repaint() // numbers are given out again
	used := make([]bool, len(c.texts))
	m.eachCell(func(cell Cell) {
		if cell.ch&clusterBit != 0 {
			used[cell.ch&^clusterBit] = true
		}
	})
	for i, u := range used {
		if !u {
			delete(c.index, c.texts[i])
			c.texts[i] = ""
			c.free = append(c.free, uint32(i))
		}
	}
	if len(c.free) < maxClusters/8 {
		c.rest = maxClusters
	}
	return len(c.free) > 0
}

// extra is what few cells have, shared by all that have the same.
type extra struct {
	underline Color
	link      uint32 // key of extras.uris; 0 is none
}

// link is the target of an OSC 8 hyperlink.
type link struct{ id, uri string }

// extras is the table behind extraMask; index 0 stands for no extra.
type extras struct {
	list  []extra // list[0] is unused
	index map[extra]uint16
	free  []uint16
	links map[link]uint32
	uris  map[uint32]link
	next  uint32
	bytes int // of all links
	rest  int
}

func (a Attr) extra() int { return int(a >> extraShift) }

// extraOf returns what a cell with these attributes has.
func (m *machine) extraOf(a Attr) extra {
	if i := a.extra(); i > 0 && i < len(m.extras.list) {
		return m.extras.list[i]
	}
	return extra{}
}

// withExtra returns a with x; unchanged but for the extra where the table is
// full of entries in use.
func (m *machine) withExtra(a Attr, x extra) Attr {
	a &^= extraMask
	if x == (extra{}) {
		return a
	}
	e := &m.extras
	if i, ok := e.index[x]; ok {
		return a | Attr(i)<<extraShift
	}
	if len(e.free) == 0 && len(e.list) > maxExtras && !m.sweepExtras() {
		return a
	}
	if e.index == nil {
		e.index = make(map[extra]uint16)
		e.list = make([]extra, 1)
	}
	var i uint16
	if n := len(e.free); n > 0 {
		i = e.free[n-1]
		e.free = e.free[:n-1]
		e.list[i] = x
	} else {
		i = uint16(len(e.list))
		e.list = append(e.list, x)
	}
	e.index[x] = i
	return a | Attr(i)<<extraShift
}

// linkKey returns the key of a link; 0 where there is no room.
func (m *machine) linkKey(l link) uint32 {
	e := &m.extras
	if k, ok := e.links[l]; ok {
		return k
	}
	size := len(l.id) + len(l.uri)
	if e.bytes+size > maxLinkBytes && (!m.sweepExtras() || e.bytes+size > maxLinkBytes) {
		return 0
	}
	if e.links == nil {
		e.links = make(map[link]uint32)
		e.uris = make(map[uint32]link)
	}
	e.next++
	e.links[l] = e.next
	e.uris[e.next] = l
	e.bytes += size
	return e.next
}

func (m *machine) sweepExtras() bool {
	e := &m.extras
	if e.rest > 0 {
		e.rest--
		return false
	}
	m.repaint()
	used := make([]bool, len(e.list))
	mark := func(a Attr) {
		if i := a.extra(); i < len(used) {
			used[i] = true
		}
	}
	m.eachCell(func(c Cell) { mark(c.Attr) })
	mark(m.cur.attr)
	mark(m.main.saved.attr)
	mark(m.alt.saved.attr)
	live := make(map[uint32]bool)
	for i := 1; i < len(used); i++ {
		x := e.list[i]
		switch {
		case used[i]:
			live[x.link] = true
		case x != extra{}:
			delete(e.index, x)
			e.list[i] = extra{}
			e.free = append(e.free, uint16(i))
		}
	}
	for k, l := range e.uris {
		if !live[k] {
			delete(e.uris, k)
			delete(e.links, l)
			e.bytes -= len(l.id) + len(l.uri)
		}
	}
	if len(e.list) > maxExtras && len(e.free) < maxExtras/8 || e.bytes > maxLinkBytes*7/8 {
		e.rest = maxExtras
	}
	return true
}

// eachCell visits every cell that is kept anywhere.
func (m *machine) eachCell(f func(Cell)) {
	for _, rows := range [][]*row{m.main.rows, m.alt.rows, m.shadow.rows} {
		for _, r := range rows {
			for _, c := range r.cells[:r.used] {
				f(c)
			}
		}
	}
	var buf []Cell
	for n := m.hist.first; n < m.hist.next(); n++ {
		buf, _ = m.hist.line(n, buf[:0])
		for _, c := range buf {
			f(c)
		}
	}
	f(m.last)
}

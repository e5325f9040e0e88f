package egress

import "strings"

// What a request may take is bounded by its text: no token stands for less
// than a byte. What is not text has bounds of its own.
const (
	// window is the most that a model reads at once (docs.anthropic.com,
	// "Context windows").
	window = 1_000_000
	// perImage is the most that one image takes: a token for 750 pixels, and
	// images above 3.75 megapixels are made smaller before they are read
	// (docs.anthropic.com, "Vision").
	perImage = 5_000
	// perTool is above what a tool takes that the API itself describes (about 700),
	// and perRequest above what it adds where there are tools (up to 530; both
	// docs.anthropic.com, "Tool use", "Pricing").
	perTool    = 2_000
	perRequest = 2_000
	// defaultOutput is reserved where a request names no max_tokens; the API
	// refuses it.
	defaultOutput = 64_000
)

// load is what in a body takes other tokens than its bytes say.
type load struct {
	images  int64
	pixels  int64 // bytes of images
	tools   int64 // that the API describes
	open    bool  // a document, whose pages are compressed, or a search: nobody knows how much is read
	compact bool  // the conversation is read once to be summed up, and again
}

// carry takes in a source that has ended: it counts with the block in which it
// stands, whose type may come after it.
func (m *messageReader) carry(s spot) {
	if s.kind != "base64" {
		return
	}
	if len(m.spots) == 0 || m.top().list || m.top().place != placeBlock {
		m.load.open = true
		return
	}
	m.top().data, m.top().whole = s.data, true
}

func (l *load) block(s spot) {
	switch {
	case !s.whole:
	case s.kind == "image":
		l.images++
		l.pixels += s.data
	default:
		l.open = true
	}
}

func (l *load) tool(kind string) {
	if kind != "custom" {
		l.tools++
	}
	l.open = l.open || webTool.MatchString(kind)
}

func (l *load) edit(kind string) {
	l.compact = l.compact || strings.HasPrefix(kind, "compact")
}

// most is the most tokens that a request takes with the body that was read,
// of size bytes. Two things may take more: a web search, which lets the model
// read several times, and text that grows when it is normalised.
func (m *messageReader) most(size int64) int64 {
	l := &m.load
	in := min(window, size-l.pixels+l.images*perImage+l.tools*perTool+perRequest)
	if l.open {
		in = window
	}
	out := m.tokens
	if out < 0 {
		out = defaultOutput
	}
	if l.compact {
		return 2 * (in + out)
	}
	return in + out
}

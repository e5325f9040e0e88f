package vt

// EventKind says what an Event is about.
type EventKind uint8

// Kinds of events, with the fields that they set.
const (
	EventTitle     EventKind = iota + 1 // Text: the window title (OSC 0, 2)
	EventBell                           // BEL
	EventCwd                            // Text: file URL or path of the folder (OSC 7); never ours to enter
	EventNotify                         // Title (OSC 777 only) and Text (OSC 9, 777)
	EventProgress                       // Code: state 0 to 4, Value: percent (OSC 9;4)
	EventClipboard                      // Text: what the program wants on the clipboard (OSC 52)
	EventPrompt                         // Mark: 'A' prompt, 'B' input, 'C' output, 'D' end with Code, -1 if not said (OSC 133)
	EventModes                          // a mode that input depends on changed
)

// Event is something that a program said and that is not on the grid. All
// text is from the program: controls and bidirectional overrides are taken
// out and it is cut to a length, but it remains untrusted.
type Event struct {
	Kind  EventKind
	Text  string
	Title string
	Mark  byte
	Code  int
	Value int
}

const (
	maxEvents    = 64
	maxTitle     = 512       // bytes of a title or notification
	maxClipboard = 100 << 10 // bytes of OSC 52 after decoding
)

// emit queues an event. Kinds of which only the last matters replace an
// earlier one, so that a flood stays small.
func (m *machine) emit(e Event) {
	if e.Kind != EventNotify && e.Kind != EventPrompt {
		for i := range m.events {
			if m.events[i].Kind == e.Kind {
				copy(m.events[i:], m.events[i+1:])
				m.events[len(m.events)-1] = e
				return
			}
		}
	}
	if len(m.events) >= maxEvents {
		copy(m.events, m.events[1:])
		m.events = m.events[:maxEvents-1]
	}
	m.events = append(m.events, e)
}

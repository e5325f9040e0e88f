// Package control is how the app steers a sidecar: JSON lines, commands one
// way and events the other, over the sidecar's standard input and output. It
// also makes the keys that each side of the data connection is known by. The
// package is linked into the container's program and stays small.
package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"bottlebar.app/egress"
)

// Proto is the version of the lines. It rises when an old sidecar and a new
// app could misunderstand each other.
const Proto = 2

// The longest lines, without their newline. A policy of egress.MaxRules rules,
// each with the longest name, is a command of under 8 MiB.
const (
	MaxCommand = 8 << 20
	MaxEvent   = 64 << 10
)

// Op is what a command asks for.
type Op string

// The commands. Each is answered by one ack with its ID, except keys, which a
// ready answers, and ping, which nothing answers.
const (
	Keys     Op = "keys"   // Client, Nonce: forget everything, then serve closed
	Policy   Op = "policy" // Policy
	Way      Op = "way"    // Way, Login; before anything is opened
	Cred     Op = "cred"   // Cred; nil removes it
	Open     Op = "open"
	Shut     Op = "shut"
	Ping     Op = "ping"     // renews the lease
	Watch    Op = "watch"    // Decoys: what is looked for in everything that leaves
	Reopen   Op = "reopen"   // open again after a decoy was seen
	Allow    Op = "allow"    // Allow, Want: what the API route may spend; the ack holds Allow and Totals
	Try      Op = "try"      // the ack holds Trial: the credential was tested at the API
	Stats    Op = "stats"    // the ack holds Stats
	Selftest Op = "selftest" // the ack holds Report
)

// Command is one line to a sidecar.
type Command struct {
	Op     Op             `json:"op"`
	ID     uint64         `json:"id,omitempty"`
	Client []byte         `json:"client,omitempty"` // the app's certificate, DER
	Nonce  string         `json:"nonce,omitempty"`
	Policy *egress.Policy `json:"policy,omitempty"`
	Cred   *Credential    `json:"cred,omitempty"`
	Way    *egress.Way    `json:"way,omitempty"`
	Login  *Login         `json:"login,omitempty"` // nil: none

	Decoys []egress.Decoy    `json:"decoys,omitempty"`
	Allow  *egress.Allowance `json:"allow,omitempty"`
	Want   uint64            `json:"want,omitempty"` // the wish that Allow answers
}

// Credential is an egress.Credential on the wire, the one form that shows it.
type Credential struct {
	Kind        egress.CredentialKind `json:"kind"`
	Secret      string                `json:"secret"`
	Placeholder string                `json:"placeholder"`
}

// Login is an egress.Login on the wire, the one form that shows it.
type Login struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// What an event tells.
const (
	Ready    = "ready"    // Port and Cert: connections are taken
	Ack      = "ack"      // the command ID is done, or Error says why not
	Decision = "decision" // Decision
	Spent    = "spent"    // Totals: they have changed
	Want     = "want"     // Want: more is needed than is allowed
	Fault    = "fault"    // Error: a line that made no sense, a listener that ended
)

// Event is one line from a sidecar.
type Event struct {
	Event    string           `json:"event"`
	ID       uint64           `json:"id,omitempty"`
	Proto    int              `json:"proto,omitempty"`
	Port     int              `json:"port,omitempty"` // inside the container; 0 for a process
	Cert     []byte           `json:"cert,omitempty"` // the sidecar's certificate, DER
	Revision uint64           `json:"revision,omitempty"`
	Error    string           `json:"error,omitempty"`
	Stats    *egress.Stats    `json:"stats,omitempty"`
	Report   *Report          `json:"report,omitempty"`
	Decision *egress.Decision `json:"decision,omitempty"`

	Totals *egress.Totals    `json:"totals,omitempty"`
	Want   *egress.Want      `json:"want,omitempty"`
	Allow  *egress.Allowance `json:"allow,omitempty"`
	Trial  *egress.Trial     `json:"trial,omitempty"`
}

// Report is what a sidecar finds when it looks at itself. It supports what
// the host sees; it replaces none of it.
type Report struct {
	CapEff       string   `json:"cap_eff"`      // hexadecimal, from /proc/self/status
	CapBnd       string   `json:"cap_bnd"`      // the same
	NoNewPrivs   bool     `json:"no_new_privs"` //
	Seccomp      int      `json:"seccomp"`      // 2: a filter
	UID          int      `json:"uid"`
	RootReadOnly bool     `json:"root_read_only"`
	Dumpable     bool     `json:"dumpable"`
	Landlock     bool     `json:"landlock"`  // the sandbox of a child process is on
	Listening    []string `json:"listening"` // "tcp 0.0.0.0:3128", in this network
	// Refused are things that were tried and did not work, Worked those that did.
	Refused []string `json:"refused"`
	Worked  []string `json:"worked"`
}

var (
	// ErrLongLine is a line beyond its limit; it was skipped.
	ErrLongLine = errors.New("the line is too long")
	// ErrLine is a line that is not a command or an event.
	ErrLine = errors.New("the line makes no sense")
)

// ReadCommand reads one command line's bytes.
func ReadCommand(line []byte) (Command, error) {
	var c Command
	if err := json.Unmarshal(line, &c); err != nil {
		return Command{}, fmt.Errorf("%w: %w", ErrLine, err)
	}
	switch c.Op {
	case Keys, Policy, Way, Cred, Open, Shut, Ping, Watch, Reopen, Allow, Try, Stats, Selftest:
	default:
		return Command{}, fmt.Errorf("%w: unknown command", ErrLine)
	}
	if c.Op == Policy && c.Policy == nil {
		return Command{}, fmt.Errorf("%w: no policy", ErrLine)
	}
	if c.Op == Way && c.Way == nil {
		return Command{}, fmt.Errorf("%w: no way", ErrLine)
	}
	if c.Op == Allow && c.Allow == nil {
		return Command{}, fmt.Errorf("%w: no allowance", ErrLine)
	}
	if len(c.Nonce) > 128 {
		return Command{}, fmt.Errorf("%w: the nonce is too long", ErrLine)
	}
	return c, nil
}

// ReadEvent reads one event line's bytes.
func ReadEvent(line []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(line, &e); err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrLine, err)
	}
	if e.Event == Decision && e.Decision == nil {
		return Event{}, fmt.Errorf("%w: no decision", ErrLine)
	}
	if e.Event == Spent && e.Totals == nil || e.Event == Want && e.Want == nil {
		return Event{}, fmt.Errorf("%w: no numbers", ErrLine)
	}
	return e, nil
}

// Lines reads lines of bounded length.
type Lines struct {
	br  *bufio.Reader
	max int
}

// NewLines returns a reader of lines of at most limit bytes.
func NewLines(r io.Reader, limit int) *Lines {
	return &Lines{br: bufio.NewReaderSize(r, 16<<10), max: limit}
}

// Next returns the next line without its end, valid until the next call. A
// line that is too long is skipped and ErrLongLine returned; reading may go
// on. A last line without an end is dropped: it was cut.
func (l *Lines) Next() ([]byte, error) {
	var line []byte
	long := false
	for {
		part, err := l.br.ReadSlice('\n')
		if !long && len(line)+len(part) > l.max+1 {
			long, line = true, nil
		}
		switch {
		case err == nil && long:
			return nil, ErrLongLine
		case err == nil && line == nil:
			return part[:len(part)-1], nil
		case err == nil:
			line = append(line, part...)
			return line[:len(line)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
			if !long {
				line = append(line, part...)
			}
		default:
			return nil, err
		}
	}
}

// Writer writes lines; calls may come from several goroutines.
type Writer struct {
	mu sync.Mutex
	w  io.Writer
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write sends v, a Command or an Event, as one line in one call.
func (w *Writer) Write(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err = w.w.Write(b)
	return err
}

package policy

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"bottlebar.app/egress"
)

// MaxFile and maxLines bound a policy file, its bytes and its rules.
const (
	MaxFile  = 4 << 20
	maxLines = 10_000
)

// File is one policy file, as it was understood.
type File struct {
	Name string // its path, for problems
	// Artifact is the ID of the one artifact that the file is for; empty: of
	// whichever has the file's name.
	Artifact string
	// Only says that nothing but what Allow names may be reached. Project files
	// have it.
	Only    bool
	Presets []Named // that are added
	Without []Named // that are taken away
	Allow   []Allow
	Block   []Entry
	Mute    []Entry
	// Warnings are about lines that are not in force, or that mean much.
	Warnings []Problem
}

// Named is a preset's name in a file.
type Named struct {
	Name string
	Line int
}

// Allow is one [[allow]].
type Allow struct {
	Rule egress.Rule // the host in its one form, the port given
	Host egress.Host
	// Granted and Expires bound a rule in wall-clock time; zero: it stays. A
	// clock that shows a moment before Granted was set back, and the rule is over.
	Granted, Expires time.Time
	Line             int
}

// Entry is one [[block]] or [[mute]].
type Entry struct {
	Host egress.Host
	Port uint16 // 0: every port
	Line int
}

// String is the entry as the block list writes it.
func (e Entry) String() string {
	if e.Port == 0 {
		return e.Host.String()
	}
	return egress.Target{Host: e.Host.String(), Addr: e.Host.Addr, Port: e.Port}.String()
}

func (e Entry) matches(h egress.Host, port uint16) bool {
	return (e.Port == 0 || e.Port == port) && e.Host.Covers(h)
}

// Parse reads a policy file. name stands for it in problems. An error is a
// *BadFileError that lists everything that is wrong; the file then says nothing.
func Parse(name string, text []byte) (File, error) {
	if len(text) > MaxFile {
		return File{}, &BadFileError{[]Problem{{File: name, Why: fmt.Sprintf("it is larger than %d MiB", MaxFile>>20), Fix: "use wildcards, or remove rules"}}}
	}
	d, err := scan(name, text)
	if err != nil {
		return File{}, err
	}
	r := reader{file: File{Name: name}}
	for _, k := range d.keys {
		r.top(k)
	}
	for _, t := range d.tables {
		r.table(t)
	}
	if n := len(r.file.Allow) + len(r.file.Block); n > maxLines {
		r.bad(0, fmt.Sprintf("it has %d rules; a file has at most %d", n, maxLines), "use wildcards, or remove rules")
	}
	if len(r.problems) > 0 {
		return File{}, &BadFileError{r.problems}
	}
	return r.file, nil
}

// reader makes a File of a document.
type reader struct {
	file     File
	problems []Problem
}

func (r *reader) bad(line int, why, fix string) {
	r.problems = append(r.problems, Problem{File: r.file.Name, Line: line, Why: why, Fix: fix})
}

func (r *reader) warn(line int, why, fix string) {
	r.file.Warnings = append(r.file.Warnings, Problem{File: r.file.Name, Line: line, Why: why, Fix: fix, Warning: true})
}

func (r *reader) top(k keyValue) {
	if isRule(k.name) {
		kind, _, _ := strings.Cut(k.name, ".")
		r.bad(k.line, kind+" is a list of its own", "write each as [["+kind+"]] with host = \"…\" below")
		return
	}
	switch k.name {
	case "presets":
		r.file.Presets = r.names(k)
	case "without":
		r.file.Without = r.names(k)
	case "artifact":
		r.file.Artifact = r.text(k)
	case "only":
		r.file.Only = r.flag(k)
	default:
		r.warn(k.line, fmt.Sprintf("%s is not known to this version, and is ignored", quoted(k.name)), "look at its spelling")
	}
}

func (r *reader) names(k keyValue) []Named {
	if k.value.kind != kindList {
		r.bad(k.line, k.name+" is not a list of names", `write it as `+k.name+` = ["node"]`)
		return nil
	}
	var out []Named
	for _, v := range k.value.list {
		p, ok := PresetOf(v.text)
		if v.kind != kindText || !ok {
			r.bad(v.line, fmt.Sprintf("there is no preset %s", quoted(v.text)), "the presets are "+presetNames())
			continue
		}
		out = append(out, Named{p.Name, v.line})
	}
	return out
}

func (r *reader) text(k keyValue) string {
	if k.value.kind != kindText {
		r.bad(k.line, k.name+" is not text", `write it in quotes`)
	}
	return k.value.text
}

func (r *reader) flag(k keyValue) bool {
	if k.value.kind != kindFlag {
		r.bad(k.line, k.name+" is neither true nor false", "write "+k.name+" = true, or remove it")
	}
	return k.value.flag
}

func (r *reader) port(k keyValue) uint16 {
	if k.value.kind != kindNumber || k.value.number < 1 || k.value.number > 65535 {
		r.bad(k.line, "the port is not a number between 1 and 65535", "write port = 443, or remove it")
		return 0
	}
	return uint16(k.value.number) //nolint:gosec // checked above
}

func (r *reader) moment(k keyValue) time.Time {
	if k.value.kind != kindTime {
		r.bad(k.line, k.name+" is not a moment with a time zone", "write it as 2026-01-31T18:00:00Z")
	}
	return k.value.time
}

func (r *reader) methods(k keyValue) []string {
	if k.value.kind != kindList || len(k.value.list) == 0 {
		r.bad(k.line, "methods is not a list of methods", `write it as methods = ["GET", "HEAD"]`)
		return nil
	}
	var out []string
	for _, v := range k.value.list {
		out = append(out, strings.ToUpper(v.text))
	}
	return out
}

func (r *reader) table(t tableNode) {
	if isRule(t.name) && (t.single || strings.Contains(t.name, ".")) {
		kind, _, _ := strings.Cut(t.name, ".")
		r.bad(t.line, "["+t.name+"] is no rule", "write each rule as [["+kind+"]]")
		return
	}
	switch t.name {
	case tableAllow:
		r.allow(t)
	case tableBlock:
		if e, ok := r.entry(t); ok {
			r.file.Block = append(r.file.Block, e)
		}
	case tableMute:
		if e, ok := r.entry(t); ok {
			r.file.Mute = append(r.file.Mute, e)
		}
	default:
		r.warn(t.line, fmt.Sprintf("the table %s is not known to this version, and is ignored", quoted(t.name)), "look at its spelling")
	}
}

// allow reads a rule. A key that is not known might make it narrower: such a
// rule is left out, and told.
func (r *reader) allow(t tableNode) {
	a := Allow{Line: t.line}
	before := len(r.problems)
	var unknown []keyValue
	for _, k := range t.keys {
		switch k.name {
		case "host":
			a.Rule.Host, a.Line = r.text(k), k.line
		case "port":
			a.Rule.Port = r.port(k)
		case "methods":
			a.Rule.Methods = r.methods(k)
		case "private":
			a.Rule.Private = r.flag(k)
		case "expires":
			a.Expires = r.moment(k)
		case "granted":
			a.Granted = r.moment(k)
		case "note":
			_ = r.text(k)
		default:
			unknown = append(unknown, k)
		}
	}
	if len(r.problems) > before {
		return
	}
	host, err := a.Rule.Check()
	if err == nil {
		err = r.wide(host, a)
	}
	if err != nil {
		r.rule(a.Line, err)
		return
	}
	for _, k := range unknown {
		r.warn(k.line, fmt.Sprintf("%s is not known to this version and could make the rule narrower: the rule for %s is left out", quoted(k.name), host), "look at its spelling, or remove the key")
	}
	if len(unknown) > 0 {
		return
	}
	if a.Rule.Port == 0 {
		a.Rule.Port = egress.DefaultPort
	}
	a.Rule.Host, a.Host = host.String(), host
	r.file.Allow = append(r.file.Allow, a)
}

func (r *reader) entry(t tableNode) (Entry, bool) {
	e := Entry{Line: t.line}
	before := len(r.problems)
	text := ""
	for _, k := range t.keys {
		switch k.name {
		case "host":
			text, e.Line = r.text(k), k.line
		case "port":
			e.Port = r.port(k)
		case "note":
			_ = r.text(k)
		default:
			r.warn(k.line, fmt.Sprintf("%s is not known to this version, and is ignored", quoted(k.name)), "look at its spelling")
		}
	}
	if len(r.problems) > before {
		return e, false
	}
	var err error
	if e.Host, err = egress.ParseHost(text); err != nil {
		r.rule(e.Line, err)
		return e, false
	}
	return e, true
}

func (r *reader) rule(line int, err error) {
	var re *egress.RuleError
	if errors.As(err, &re) {
		r.bad(line, fmt.Sprintf("%s: %s", quoted(re.Rule), re.Why), re.Fix)
		return
	}
	r.bad(line, err.Error(), "correct the rule")
}

// wide refuses a wildcard over a whole registry of names, such as *.co.uk, and
// warns of one over a domain that lends names to anybody, such as *.github.io.
func (r *reader) wide(h egress.Host, a Allow) error {
	if !h.Wild {
		return nil
	}
	suffix, icann := publicsuffix.PublicSuffix(h.Name)
	switch {
	case suffix != h.Name:
	case icann:
		return &egress.RuleError{Rule: a.Rule.Host, Why: "it is too wide: names below it are sold to anybody", Fix: "name the domain below it"}
	default:
		r.warn(a.Line, h.String()+" is wide: anybody can have a name below it", "name the one host, if it is one")
	}
	return nil
}

// quoted is a short form of a file's own words, safe to print.
func quoted(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return fmt.Sprintf("%+q", s)
}

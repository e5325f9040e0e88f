//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// args is a parsed command line.
type args struct {
	verb   string // "machine create"
	values map[string][]string
	named  map[string]string // positionals by name
	rest   []string          // COMMAND…
	help   bool
}

func (a *args) has(name string) bool { return len(a.values[name]) > 0 }

// get returns the last value given for a flag.
func (a *args) get(name string) string {
	if v := a.values[name]; len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}

// usageError is a refusal of the argument parser: exit 2, text on stderr.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(usage, format string, a ...any) error {
	text := "error: " + fmt.Sprintf(format, a...) + "\n"
	if usage != "" {
		text += "\nUsage: " + usage + "\n"
	}
	return usageError{text + "\nFor more information, try '--help'.\n"}
}

const topUsage = "smolvm <COMMAND>"

// parse reads argv (without the program's name) as release r does.
func parse(r release, argv []string) (*args, error) {
	if len(argv) == 0 {
		return nil, usageError{helpTop()}
	}
	words := argv
	group := alias(words[0])
	if group != "machine" && group != "pack" {
		return nil, unexpectedWord(words[0], topUsage)
	}
	groupUsage := "smolvm " + group + " <COMMAND>"
	if len(words) < 2 {
		return nil, usageError{helpGroup(r, group)}
	}
	if words[1] == "--help" || words[1] == "-h" || words[1] == "help" {
		return &args{verb: group, help: true}, nil
	}
	path := group + " " + alias(words[1])
	i := slices.IndexFunc(verbSpecs, func(v verbSpec) bool { return v.path == path && v.since <= r })
	if i < 0 {
		return nil, unexpectedWord(words[1], groupUsage)
	}
	p := parser{r: r, spec: verbSpecs[i], flags: verbSpecs[i].flagsOf(r), a: &args{verb: path, values: map[string][]string{}, named: map[string]string{}}}
	return p.run(words[2:])
}

func alias(w string) string {
	if a, ok := aliases[w]; ok {
		return a
	}
	return w
}

func unexpectedWord(w, usage string) error {
	if strings.HasPrefix(w, "-") {
		return usagef(usage, "unexpected argument '%s' found", w)
	}
	return usagef(usage, "unrecognized subcommand '%s'", w)
}

type parser struct {
	r     release
	spec  verbSpec
	flags []flag
	a     *args
	names []string // positionals still to fill
	tail  string   // "", "any" or "dash"
}

func (p *parser) run(words []string) (*args, error) {
	for _, n := range strings.Fields(p.spec.args) {
		switch {
		case n == "NAME080":
			if p.r == r080 {
				p.names = append(p.names, "NAME")
			}
		case n == "--":
			p.tail = "dash"
		case n == "COMMAND…":
			if p.tail == "" {
				p.tail = "any"
			}
		default:
			p.names = append(p.names, n)
		}
	}
	if p.tail == "dash" && p.r == r080 {
		p.tail = "" // trailing commands came with 1.0.0
	}
	for len(words) > 0 {
		left, err := p.step(words)
		if err != nil || p.a.help {
			return p.a, err
		}
		words = left
	}
	return p.a, p.finish()
}

// step takes one argument with its value and returns what is left.
func (p *parser) step(words []string) ([]string, error) {
	w := words[0]
	switch {
	case w == "--":
		for _, x := range words[1:] {
			if p.tail != "" {
				p.a.rest = append(p.a.rest, x)
			} else if err := p.positional(x); err != nil {
				return nil, err
			}
		}
		return nil, nil
	case strings.HasPrefix(w, "--"):
		long, value, inline := strings.Cut(w[2:], "=")
		f, ok := p.find(func(f flag) bool { return f.long == long })
		if !ok {
			return nil, p.unexpected("--" + long)
		}
		return p.value(f, value, inline, words[1:])
	case len(w) > 1 && w[0] == '-':
		return p.short(w[1:], words)
	case p.tail == "any" && len(p.names) == 0:
		p.a.rest = append(p.a.rest, words...) // the command begins
		return nil, nil
	}
	return words[1:], p.positional(w)
}

// short reads "-it", "-eK=V", "-e=K=V" and "-e K=V".
func (p *parser) short(cluster string, words []string) ([]string, error) {
	for i := 0; i < len(cluster); i++ {
		f, ok := p.find(func(f flag) bool { return f.short == cluster[i:i+1] })
		if !ok {
			return nil, p.unexpected("-" + cluster[i:i+1])
		}
		if f.value != "" {
			inline := strings.TrimPrefix(cluster[i+1:], "=")
			return p.value(f, inline, cluster[i+1:] != "", words[1:])
		}
		if _, err := p.value(f, "", false, nil); err != nil {
			return nil, err
		}
	}
	return words[1:], nil
}

func (p *parser) find(match func(flag) bool) (flag, bool) {
	i := slices.IndexFunc(p.flags, match)
	if i < 0 {
		return flag{}, false
	}
	return p.flags[i], true
}

func (p *parser) unexpected(w string) error {
	return usagef("", "unexpected argument '%s' found\n\n  tip: to pass '%s' as a value, use '-- %s'\n\nUsage: %s", w, w, w, p.spec.usageLine(p.r))
}

// value stores a flag; its value is inline or the next word, which may not
// look like a flag.
func (p *parser) value(f flag, value string, inline bool, rest []string) ([]string, error) {
	if f.long == "help" {
		p.a.help = true
		return nil, nil
	}
	if f.value == "" {
		if inline {
			return nil, usagef(p.spec.usageLine(p.r), "unexpected value '%s' for '--%s' found; no more were expected", value, f.long)
		}
		p.a.values[f.long] = append(p.a.values[f.long], "true")
		return rest, nil
	}
	if !inline {
		if len(rest) == 0 || (len(rest[0]) > 1 && rest[0][0] == '-') {
			if len(rest) > 0 && rest[0] != "--" {
				if err := p.known(rest[0]); err != nil {
					return nil, err
				}
			}
			return nil, usagef("", "a value is required for '%s' but none was supplied", f)
		}
		value, rest = rest[0], rest[1:]
	}
	if why := p.check(f, value); why != "" {
		return nil, usagef("", "invalid value '%s' for '%s': %s", value, f, why)
	}
	if n := p.a.values[f.long]; len(n) > 0 && !slices.Contains(repeatable, f.long) {
		return nil, usagef(p.spec.usageLine(p.r), "the argument '%s' cannot be used multiple times", f)
	}
	p.a.values[f.long] = append(p.a.values[f.long], value)
	return rest, nil
}

var repeatable = []string{
	"env", "volume", "port", "allow-cidr", "allow-host", "init", "label", "mount-socket", "expose-socket",
	"secret-env", "secret-file", "remove-env", "remove-port", "remove-volume",
}

// known complains about a word that looks like a flag and is none.
func (p *parser) known(w string) error {
	name, _, _ := strings.Cut(strings.TrimLeft(w, "-"), "=")
	if strings.HasPrefix(w, "--") {
		if _, ok := p.find(func(f flag) bool { return f.long == name }); !ok {
			return p.unexpected("--" + name)
		}
	} else if _, ok := p.find(func(f flag) bool { return f.short == w[1:2] }); !ok {
		return p.unexpected(w[:2])
	}
	return nil
}

func (p *parser) positional(w string) error {
	if len(p.names) == 0 {
		return usagef(p.spec.usageLine(p.r), "unexpected argument '%s' found", w)
	}
	p.a.named[p.names[0]] = w
	p.names = p.names[1:]
	return nil
}

// finish checks exclusive and required arguments.
func (p *parser) finish() error {
	if err := p.exclusive(); err != nil {
		return err
	}
	missing := p.missing()
	if a := p.a; len(missing) == 0 && a.verb == "pack create" && !a.has("image") && !a.has("from-vm") && !a.has("smolfile") {
		missing = []string{"--image <IMAGE>"} // one of the three
	}
	if len(missing) > 0 {
		return usagef(p.spec.usageLine(p.r), "the following required arguments were not provided:\n  %s", strings.Join(missing, "\n  "))
	}
	if n, ok := p.a.named["NAME"]; ok {
		p.a.values["name"] = []string{n} // 0.8.0's positional
	}
	return nil
}

func (p *parser) exclusive() error {
	pairs := [][2]string{{"from", "image"}, {"from", "smolfile"}, {"image", "from-vm"}}
	if p.a.verb == "machine exec" {
		pairs = append(pairs, [2]string{"detach", "interactive"}, [2]string{"detach", "tty"}, [2]string{"detach", "stream"})
	}
	for _, pair := range pairs {
		if p.a.has(pair[0]) && p.a.has(pair[1]) {
			f, _ := p.find(func(f flag) bool { return f.long == pair[0] })
			g, _ := p.find(func(f flag) bool { return f.long == pair[1] })
			return usagef(p.spec.usageLine(p.r), "the argument '%s' cannot be used with '%s'", f, g)
		}
	}
	return nil
}

// missing lists the required arguments that were not given.
func (p *parser) missing() (out []string) {
	a := p.a
	for _, name := range strings.Fields(p.spec.required) {
		f, isFlag := p.find(func(f flag) bool { return f.long == name })
		switch _, given := a.named[name]; {
		case name == "COMMAND…" && len(a.rest) == 0:
			out = append(out, "<COMMAND>...")
		case name == "COMMAND…" || given || a.has(name):
		case isFlag:
			out = append(out, f.String())
		case name != "name":
			out = append(out, "<"+name+">")
		case a.named["NAME"] == "" && len(p.names) > 0:
			out = append(out, "<NAME>")
		}
	}
	return out
}

func helpTop() string {
	return "Usage: " + topUsage + "\n\nCommands:\n  machine\n  pack\n\nOptions:\n  -h, --help\n  -V, --version\n"
}

func helpGroup(r release, group string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: smolvm %s <COMMAND>\n\nCommands:\n", group)
	for _, v := range verbSpecs {
		if g, name, _ := strings.Cut(v.path, " "); g == group && v.since <= r {
			fmt.Fprintf(&b, "  %s\n", name)
		}
	}
	return b.String() + "\nOptions:\n  -h, --help\n"
}

// printHelp answers --help.
func printHelp(w io.Writer, r release, a *args) {
	for _, v := range verbSpecs {
		if v.path != a.verb {
			continue
		}
		fmt.Fprintf(w, "Usage: %s\n\nOptions:\n", v.usageLine(r))
		for _, f := range v.flagsOf(r) {
			short := "    "
			if f.short != "" {
				short = "-" + f.short + ", "
			}
			fmt.Fprintf(w, "  %s%s\n", short, f)
		}
		return
	}
	fmt.Fprint(w, helpGroup(r, a.verb))
}

package recipe

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"bottlebar.app/internal/fault"
)

// Config is what a recipe.toml says. All of it may be missing.
type Config struct {
	Title string            `toml:"title"` // one line on what it makes
	Base  string            `toml:"base"`  // the image to build on, in place of the Dockerfile's own
	Args  map[string]string `toml:"args"`  // build arguments
	// Session is what launches of the artifact start from.
	Session Session `toml:"session"`
}

// Session is what launches start from, as in the library's settings.
type Session struct {
	Command []string `toml:"command"`
	User    string   `toml:"user"`
	Folder  string   `toml:"folder"`
	CPUs    int      `toml:"cpus"`
	MemMiB  int      `toml:"mem_mib"`
}

const (
	maxConfig = 64 << 10
	maxArgs   = 64
	maxValue  = 4096
)

// BaseArg is the build argument that names the base.
const BaseArg = "BASE"

var (
	reArg = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
	// Build arguments can be read in the image's history by whoever has it.
	reSecret = regexp.MustCompile(`(?i)(secret|token|passw|api_?key|private_?key|credential)`)
)

// CheckArg judges one build argument.
func CheckArg(name, value string) error {
	const what = "reading the build arguments"
	switch {
	case !reArg.MatchString(name):
		return fault.New(what, printable(name)+" is not a name for one", "use letters, digits and _")
	case reSecret.MatchString(name):
		return fault.New(what, name+" looks like a secret", "leave secrets out: a build argument stays readable in the image")
	case len(value) > maxValue || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return fault.New(what, "the value of "+name+" is too long or has control characters", "give a short one on one line")
	}
	return nil
}

// parseConfig reads a recipe.toml. Unknown keys are refused, with their line: a
// misspelt one would be a setting that silently does nothing.
func parseConfig(b []byte) (Config, error) {
	var c Config
	if len(b) > maxConfig {
		return c, fault.New("reading "+configName, "it is too large", "keep it below 64 kB")
	}
	err := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields().Decode(&c)
	if err != nil {
		return Config{}, fault.New("reading "+configName, tomlReason(err), "correct it; the guide lists what may be there")
	}
	c.Title = strings.TrimSpace(c.Title)
	if len(c.Title) > 200 || strings.ContainsFunc(c.Title, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return Config{}, fault.New("reading "+configName, "the title is not one line of at most 200 bytes", "shorten it")
	}
	if len(c.Args) > maxArgs {
		return Config{}, fault.New("reading "+configName, fmt.Sprintf("it has more than %d arguments", maxArgs), "put them into the Dockerfile")
	}
	for _, k := range slices.Sorted(maps.Keys(c.Args)) {
		if k == BaseArg {
			return Config{}, fault.New("reading "+configName, "the base is among the arguments", "write base = \"…\" instead")
		}
		if err := CheckArg(k, c.Args[k]); err != nil {
			return Config{}, err
		}
	}
	return c, nil
}

// tomlReason says where a file is wrong.
func tomlReason(err error) string {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		row, _ := strict.Errors[0].Position()
		return fmt.Sprintf("line %d: there is no setting %s", row, printable(strings.Join(strict.Errors[0].Key(), ".")))
	}
	var d *toml.DecodeError
	if errors.As(err, &d) {
		row, _ := d.Position()
		return fmt.Sprintf("line %d: %s", row, printable(strings.TrimPrefix(d.Error(), "toml: ")))
	}
	return printable(err.Error())
}

package recipe

import (
	"archive/tar"
	"bytes"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"bottlebar.app/internal/fault"
)

// reFrom begins a stage of a Dockerfile.
var reFrom = regexp.MustCompile(`(?i)^\s*FROM\s`)

// reEscape is a directive that changes how lines are continued.
var reEscape = regexp.MustCompile("(?im)^#\\s*escape\\s*=\\s*`")

// checkDockerfile refuses what labels could not be put into.
func checkDockerfile(b []byte) error {
	const what = "reading the Dockerfile"
	if len(b) > 1<<20 {
		return fault.New(what, "it is too large", "keep it below 1 MB")
	}
	if reEscape.Match(b) {
		return fault.New(what, "it changes the escape character", "continue lines with a backslash")
	}
	if bytes.Equal(labelled(b, nil), b) {
		return fault.New(what, "it has no FROM", "begin it with FROM and a base")
	}
	return nil
}

// labelled puts labels behind each FROM, so that all steps after it carry them:
// the engine's classic builder passes labels on to what later steps make.
func labelled(dockerfile []byte, labels map[string]string) []byte {
	var label strings.Builder
	label.WriteString("LABEL bottlebar.recipe=\"1\"")
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		label.WriteString(" " + strconv.Quote(k) + "=" + strconv.Quote(labels[k]))
	}
	var out bytes.Buffer
	inFrom, continued := false, false
	for line := range bytes.Lines(dockerfile) {
		text := strings.TrimRight(string(line), " \t\r\n")
		comment := strings.HasPrefix(strings.TrimLeft(text, " \t"), "#")
		if !continued && reFrom.MatchString(text+" ") && !comment {
			inFrom = true
		}
		out.Write(line)
		if comment || continued && text == "" {
			continue // neither ends an instruction that goes on
		}
		continued = strings.HasSuffix(text, "\\")
		if inFrom && !continued {
			if !bytes.HasSuffix(line, []byte("\n")) {
				out.WriteByte('\n')
			}
			out.WriteString(label.String() + "\n")
			inFrom = false
		}
	}
	return out.Bytes()
}

// Context writes what an engine builds from: the recipe's files, its Dockerfile
// with the labels, and the guest helper. Times are fixed, so that equal files
// are equal to the engine.
func (r *Recipe) Context(w io.Writer, helper []byte, labels map[string]string) error {
	tw := tar.NewWriter(w)
	put := func(name string, mode int64, data []byte) error {
		err := tw.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(data)), ModTime: time.Unix(1, 0), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = tw.Write(data)
		}
		return err
	}
	if err := put(HelperName, 0o755, helper); err != nil {
		return err
	}
	for _, f := range r.files {
		mode, data := int64(0o644), f.data
		switch {
		case f.name == Dockerfile:
			data = labelled(data, labels)
		case f.name == ".dockerignore":
			continue // it could keep out what belongs to the build
		case f.exec:
			mode = 0o755
		}
		if err := put(f.name, mode, data); err != nil {
			return err
		}
	}
	return tw.Close()
}

// BuildArgs are the arguments of a build: the recipe's, then those given. A
// base given wins over the recipe's.
func (r *Recipe) BuildArgs(base string, given map[string]string) (map[string]string, error) {
	out := maps.Clone(r.Args)
	if out == nil {
		out = map[string]string{}
	}
	for k, v := range given {
		if err := CheckArg(k, v); err != nil {
			return nil, err
		}
		out[k] = v
	}
	if base == "" {
		base = r.Base
	}
	if base != "" {
		out[BaseArg] = base
	}
	return out, nil
}

package artifact

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// The manifest is read key by key rather than into a tagged struct:
// encoding/json matches keys without regard to case and lets the last of two
// equal keys win, where smolvm's reader takes keys exactly and refuses a known
// one that comes twice. What two readers understand differently is where
// things hide.

// member is one key of a JSON object.
type member struct {
	key   string
	value json.RawMessage
	end   int // offset in the manifest just behind the value
}

// members takes the object in data apart; base is where data starts in the
// manifest.
func members(data []byte, base int) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if tok != json.Delim('{') {
		return nil, errors.New("invalid type: expected an object")
	}
	var out []member
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		m := member{key: key.(string)} // an object's keys are strings, or Token fails
		if err := dec.Decode(&m.value); err != nil {
			return nil, err
		}
		m.end = base + int(dec.InputOffset())
		out = append(out, m)
	}
	return out, nil
}

// field is where one key goes. set gets the value and the offset behind it.
type field struct {
	key      string
	required bool
	set      func(value json.RawMessage, end int) error
}

// placed is an error with the offset in the manifest that it belongs to.
type placed struct {
	offset int
	text   string
}

func (e *placed) Error() string { return e.text }

// object reads the members of the object in data into fields. end is the
// offset in the manifest just behind the object.
func object(data []byte, end int, fields []field) error {
	list, err := members(data, end-len(data))
	if err != nil {
		return err
	}
	seen := make([]bool, len(fields))
	for _, m := range list {
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == m.key })
		if i < 0 {
			continue
		}
		if seen[i] {
			return &placed{m.end, fmt.Sprintf("duplicate field `%s`", m.key)}
		}
		seen[i] = true
		if err := fields[i].set(m.value, m.end); err != nil {
			var p *placed
			if errors.As(err, &p) {
				return err
			}
			return &placed{m.end, fmt.Sprintf("invalid value for `%s`", m.key)}
		}
	}
	for i, f := range fields {
		if f.required && !seen[i] {
			return &placed{end, fmt.Sprintf("missing field `%s`", f.key)}
		}
	}
	return nil
}

var errNull = errors.New("null")

// into decodes a value of a plain type; null is refused.
func into[T any](p *T) func(json.RawMessage, int) error {
	return func(v json.RawMessage, _ int) error {
		if string(v) == "null" {
			return errNull
		}
		return json.Unmarshal(v, p)
	}
}

// maybe is into for a field that may also be null.
func maybe[T any](p *T) func(json.RawMessage, int) error {
	return func(v json.RawMessage, _ int) error {
		if string(v) == "null" {
			return nil
		}
		return json.Unmarshal(v, p)
	}
}

// texts is into for a list of strings; encoding/json would take null for "".
func texts(p *[]string) func(json.RawMessage, int) error {
	return func(v json.RawMessage, _ int) error {
		var list []*string
		if err := into(&list)(v, 0); err != nil {
			return err
		}
		for _, s := range list {
			if s == nil {
				return errNull
			}
			*p = append(*p, *s)
		}
		return nil
	}
}

// list reads an array of objects.
func list(each func(v json.RawMessage, end int) error) func(json.RawMessage, int) error {
	return func(v json.RawMessage, end int) error {
		if string(v) == "null" {
			return errNull
		}
		start := end - len(v)
		dec := json.NewDecoder(bytes.NewReader(v))
		if tok, err := dec.Token(); err != nil || tok != json.Delim('[') {
			return errors.New("expected a list")
		}
		for dec.More() {
			var item json.RawMessage
			if err := dec.Decode(&item); err != nil {
				return err
			}
			if err := each(item, start+int(dec.InputOffset())); err != nil {
				return err
			}
		}
		return nil
	}
}

func assetFields(a *Asset) []field {
	return []field{
		{"path", true, into(&a.Path)},
		{"size", true, into(&a.Size)},
	}
}

func asset(a *Asset) func(json.RawMessage, int) error {
	return func(v json.RawMessage, end int) error { return object(v, end, assetFields(a)) }
}

func optionalAsset(p **Asset) func(json.RawMessage, int) error {
	return func(v json.RawMessage, end int) error {
		if string(v) == "null" {
			return nil
		}
		*p = new(Asset)
		return object(v, end, assetFields(*p))
	}
}

func assets(a *Assets) func(json.RawMessage, int) error {
	return func(v json.RawMessage, end int) error {
		return object(v, end, []field{
			{"libraries", true, list(func(v json.RawMessage, end int) error {
				var item Asset
				err := object(v, end, assetFields(&item))
				a.Libraries = append(a.Libraries, item)
				return err
			})},
			{"agent_rootfs", true, asset(&a.AgentRootfs)},
			{"layers", true, list(func(v json.RawMessage, end int) error {
				var item Layer
				err := object(v, end, append([]field{{"digest", true, into(&item.Digest)}}, assetFields(&item.Asset)...))
				a.Layers = append(a.Layers, item)
				return err
			})},
			{"storage_template", false, optionalAsset(&a.StorageTemplate)},
			{"overlay_template", false, optionalAsset(&a.OverlayTemplate)},
			{"overlay_logical_size", false, maybe(&a.OverlayLogicalSize)},
			{"storage_logical_size", false, maybe(&a.StorageLogicalSize)},
		})
	}
}

// secretNames keeps the names alone: no artifact that has any is accepted.
func secretNames(names *[]string) func(json.RawMessage, int) error {
	return func(v json.RawMessage, end int) error {
		list, err := members(v, end-len(v))
		for _, m := range list {
			*names = append(*names, m.key)
		}
		slices.Sort(*names)
		return err
	}
}

// decodeManifest reads the JSON. Three fields that releases before 1.7.2 want
// (host_platform, created, smolvm_version) may be missing, as for later ones.
func decodeManifest(data []byte) (Manifest, *FormatError) {
	m := Manifest{Mode: "container"}
	if err := wellFormed(data); err != nil {
		return m, jsonError(data, err)
	}
	trimmed := bytes.TrimRight(data, " \t\r\n")
	err := object(trimmed, len(trimmed), []field{
		{"mode", false, into(&m.Mode)},
		{"image", true, into(&m.Image)},
		{"digest", true, into(&m.Digest)},
		{"platform", true, into(&m.Platform)},
		{"entrypoint", false, texts(&m.Entrypoint)},
		{"cmd", false, texts(&m.Cmd)},
		{"env", false, texts(&m.Env)},
		{"secret_refs", false, secretNames(&m.Secrets)},
		{"workdir", false, maybe(&m.Workdir)},
		{"cpus", true, cpus(&m.CPUs)},
		{"mem", true, into(&m.MemMiB)},
		{"image_size", false, into(&m.ImageSize)},
		{"network", false, into(&m.Network)},
		{"gpu", false, into(&m.GPU)},
		{"cuda", false, into(&m.CUDA)},
		{"host_platform", false, into(&m.HostPlatform)},
		{"created", false, into(&m.Created)},
		{"smolvm_version", false, into(&m.SmolvmVersion)},
		{"assets", true, assets(&m.Assets)},
	})
	if err != nil {
		return m, jsonError(data, err)
	}
	return m, nil
}

// cpus is an unsigned byte in the format.
func cpus(p *int) func(json.RawMessage, int) error {
	return func(v json.RawMessage, end int) error {
		var n uint8
		err := into(&n)(v, end)
		*p = int(n)
		return err
	}
}

func wellFormed(data []byte) error {
	if i := badUTF8(data); i >= 0 {
		return &placed{i, "invalid unicode code point"}
	}
	var all json.RawMessage
	err := json.Unmarshal(data, &all)
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	// Offset counts the bytes read before the error, the offending one too.
	at := int(syntax.Offset)
	if rest := bytes.TrimLeft(data, " \t\r\n"); len(rest) > 0 && at == len(data)-len(rest)+1 {
		return &placed{at, "expected value"}
	}
	return &placed{at, syntax.Error()}
}

// badUTF8 returns the offset of the first byte that is not UTF-8, or -1.
func badUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// jsonError words err as smolvm does: text, line, column of the last byte read.
func jsonError(data []byte, err error) *FormatError {
	at := len(data)
	var p *placed
	if errors.As(err, &p) {
		at = min(p.offset, len(data))
	}
	before := data[:at]
	line := 1 + bytes.Count(before, []byte{'\n'})
	column := at - (bytes.LastIndexByte(before, '\n') + 1)
	e := faulty(ClassJSON, "its manifest cannot be read",
		fmt.Sprintf("JSON error: %s at line %d column %d", err, line, column), cureAgain)
	e.err = err
	return e
}

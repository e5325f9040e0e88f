package policy

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"bottlebar.app/internal/atomicfile"
)

// held is one file as the store last understood it.
type held struct {
	path string // the person's file
	good string // where its last good text is kept
	file File
	bad  error // why the text that is there now is not in force
	lost bool  // it is bad, and no good text is known
	seen stamp
	was  bool   // it was read before
	text []byte // what file was read from; nil: there is no file
}

// stamp tells one content of a file from another without reading it.
type stamp struct {
	size  int64
	mtime time.Time
	there bool
}

func stampOf(path string) stamp {
	fi, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{fi.Size(), fi.ModTime(), true}
}

// read takes in what the file holds now, and reports whether anything that is
// shown or in force has changed. A file that is not there says nothing; one that
// is bad leaves what was good in force.
func (h *held) read(parse func(string, []byte) (File, error)) bool {
	now := stampOf(h.path)
	if now == h.seen && h.was {
		return false
	}
	before, hadBad, first := h.text, h.bad, !h.was
	h.seen, h.was = now, true
	text, err := readBounded(h.path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = nil, nil
	}
	var f File
	if err == nil {
		f, err = parse(h.path, text)
	} else {
		err = &BadFileError{[]Problem{{File: h.path, Why: err.Error(), Fix: "look at the file"}}}
	}
	if err == nil {
		h.file, h.text, h.bad, h.lost = f, text, nil, false
		if first || !bytes.Equal(text, before) {
			h.keep()
		}
		return first || hadBad != nil || !bytes.Equal(text, before)
	}
	h.bad = err
	if first {
		h.fallBack(parse)
	}
	return true
}

// keep remembers a good text over a restart.
func (h *held) keep() {
	if h.text == nil {
		_ = os.Remove(h.good)
		return
	}
	if old, err := os.ReadFile(h.good); err != nil || !bytes.Equal(old, h.text) {
		_ = atomicfile.Write(h.good, h.text, 0)
	}
}

// fallBack takes the last good text that an earlier run kept.
func (h *held) fallBack(parse func(string, []byte) (File, error)) {
	text, err := readBounded(h.good)
	if err == nil {
		h.file, err = parse(h.path, text)
		h.text = text
	}
	h.lost = err != nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if text == nil && err == nil {
		text = []byte{}
	}
	return text, err
}

// problems are those of the file, for people.
func (h *held) problems() []Problem {
	if h.bad == nil {
		return h.file.Warnings
	}
	list := problemsOf(h.path, h.bad)
	out := make([]Problem, 0, len(list))
	for _, p := range list {
		out = append(out, p)
		if h.lost && !p.Warning {
			out[len(out)-1].Why += "; nothing is let through until it is corrected"
		}
	}
	return out
}

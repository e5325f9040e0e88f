package ledger

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"bottlebar.app/snapshot"
)

// Budget bounds one stream on disk.
type Budget struct {
	Segment int64 // bytes after which another file is begun
	Keep    int   // files that are kept
}

// head is the first line of each file of a stream: what came before it, so
// that counts survive the files that are gone and opening reads one file.
type head struct {
	Ledger int       `json:"ledger"` // version of the form, 1
	Begun  time.Time `json:"begun"`
	Before tally     `json:"before"`
}

const version = 1

// stream is one series of files, "<name>-<number>.jsonl".
type stream struct {
	dir    string
	name   string
	budget Budget

	file   *os.File
	number int
	size   int64
	total  tally
	last   uint64 // highest N seen
}

func (s *stream) path(number int) string {
	return filepath.Join(s.dir, fmt.Sprintf("%s-%06d.jsonl", s.name, number))
}

// numbers lists the files of a stream, the oldest first.
func numbers(dir, name string) ([]int, error) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []int
	for _, e := range all {
		rest, ok := strings.CutPrefix(e.Name(), name+"-")
		if !ok || !e.Type().IsRegular() {
			continue
		}
		digits, ok := strings.CutSuffix(rest, ".jsonl")
		if n, err := strconv.Atoi(digits); ok && err == nil && n > 0 {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, nil
}

// open continues the newest file, or begins the first, and calls each for the
// lines of the files it had to read, in order.
func (s *stream) open(now time.Time, each func(snapshot.Decision)) error {
	all, err := numbers(s.dir, s.name)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return s.begin(1, now)
	}
	// Back to a file that says what came before it: mostly the newest.
	from := len(all) - 1
	for ; from > 0; from-- {
		if h, err := readHead(s.path(all[from])); err == nil {
			s.total = h.Before
			break
		}
	}
	if from == 0 {
		if h, err := readHead(s.path(all[0])); err == nil {
			s.total = h.Before
		}
	}
	for _, n := range all[from:] {
		for d, err := range readFile(s.path(n)) {
			if err != nil {
				return err
			}
			s.total.add(d)
			s.last = max(s.last, d.Seq)
			each(d)
		}
	}
	return s.resume(all[len(all)-1])
}

// resume appends to a file that is there. A line that a crash tore stays where
// it is, and the next begins afresh: nothing that was written is changed.
func (s *stream) resume(number int) error {
	f, err := os.OpenFile(s.path(number), os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	s.file, s.number, s.size = f, number, st.Size()
	if s.size == 0 {
		return nil
	}
	var end [1]byte
	if _, err := f.ReadAt(end[:], s.size-1); err != nil {
		f.Close()
		return err
	}
	if end[0] != '\n' {
		return s.put([]byte{'\n'})
	}
	return nil
}

// begin makes a new file and goes on there; on an error the old one stays.
func (s *stream) begin(number int, now time.Time) error {
	h, err := json.Marshal(head{Ledger: version, Begun: now.UTC(), Before: s.total})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(s.path(number), os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(append(h, '\n')); err != nil {
		f.Close()
		os.Remove(f.Name())
		return err
	}
	if s.file != nil {
		_ = s.file.Sync()
		s.file.Close()
	}
	s.file, s.number, s.size = f, number, int64(len(h)+1)
	return nil
}

// put appends b whole, or not at all.
func (s *stream) put(b []byte) error {
	n, err := s.file.Write(b)
	if err == nil {
		s.size += int64(n)
		return nil
	}
	if n > 0 && s.file.Truncate(s.size) != nil {
		s.size += int64(n) // torn; whoever reads leaves it out
	}
	return err
}

// add appends a line. gone is called with the number of a file before it is
// removed for the budget; an error keeps the file.
func (s *stream) add(d snapshot.Decision, now time.Time, gone func(path string, number int) error) error {
	b, err := encode(d)
	if err != nil {
		return err
	}
	if err := s.put(b); err != nil {
		return err
	}
	s.total.add(d)
	s.last = d.Seq
	if s.size < s.budget.Segment {
		return nil
	}
	// The line is written: what follows may fail, and is tried again at the next.
	if s.begin(s.number+1, now) == nil {
		s.trim(gone)
	}
	return nil
}

func (s *stream) trim(gone func(path string, number int) error) {
	all, err := numbers(s.dir, s.name)
	if err != nil {
		return
	}
	for ; len(all) > s.budget.Keep; all = all[1:] {
		path := s.path(all[0])
		if gone != nil && gone(path, all[0]) != nil {
			return
		}
		if os.Remove(path) != nil {
			return
		}
	}
}

func (s *stream) close() error {
	if s.file == nil {
		return nil
	}
	err := errors.Join(s.file.Sync(), s.file.Close())
	s.file = nil
	return err
}

func readHead(path string) (head, error) {
	f, err := os.Open(path)
	if err != nil {
		return head{}, err
	}
	defer f.Close()
	b, err := bufio.NewReaderSize(f, 4096).ReadSlice('\n')
	if err != nil {
		return head{}, err
	}
	var h head
	if err := json.Unmarshal(b, &h); err != nil {
		return head{}, err
	}
	if h.Ledger < 1 {
		return head{}, errNoLine
	}
	return h, nil
}

// readFile yields the lines of a file. One that is not there has none: it was
// removed for the budget meanwhile.
func readFile(path string) iter.Seq2[snapshot.Decision, error] {
	return func(yield func(snapshot.Decision, error) bool) {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			yield(snapshot.Decision{}, err)
			return
		}
		defer f.Close()
		for d, err := range readLines(f) {
			if !yield(d, err) {
				return
			}
		}
	}
}

// readLines yields what is a line, and passes over what is not: heads, torn
// lines, anything too long. Only a failing disk is an error.
func readLines(r io.Reader) iter.Seq2[snapshot.Decision, error] {
	return func(yield func(snapshot.Decision, error) bool) {
		br := bufio.NewReaderSize(r, maxLine)
		for {
			b, err := br.ReadSlice('\n')
			whole := err == nil || errors.Is(err, io.EOF)
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = br.ReadSlice('\n')
			}
			if whole {
				if d, bad := decode(bytes.TrimSuffix(b, []byte{'\n'})); bad == nil && !yield(d, nil) {
					return
				}
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(snapshot.Decision{}, err)
				return
			}
		}
	}
}

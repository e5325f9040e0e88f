//go:build linux

package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"

	"bottlebar.app/internal/frame"
)

// request is the first message on a connection to agent.sock: four bytes of
// length (big endian) and this as JSON. Frames follow in both directions.
type request struct {
	Op       string   // "ping", "exec", "main", "put", "get"
	Argv     []string `json:",omitempty"`
	Env      []string `json:",omitempty"`
	Dir      string   `json:",omitempty"`
	Mode     string   `json:",omitempty"`
	Timeout  int64    `json:",omitempty"` // milliseconds, 0 for none
	Cols     uint16   `json:",omitempty"`
	Rows     uint16   `json:",omitempty"`
	EOF      bool     `json:",omitempty"` // the caller's input has already ended
	Internal bool     `json:",omitempty"` // one of smolvm's own, not the person's first exec
	Path     string   `json:",omitempty"` // of put and get
	Perm     uint32   `json:",omitempty"`
	UID      int      `json:",omitempty"`
	GID      int      `json:",omitempty"`
}

// The ways in which a command's streams are connected.
const (
	modeCaptured = "captured" // no input; output kept until the end, at most capBytes each
	modeStream   = "stream"   // no input; output as it comes
	modeInput    = "input"    // input and output as they come
	modeTTY      = "tty"      // a terminal
	modeDetached = "detached" // no streams; answers with the process id
)

// capBytes is where captured output is cut, silently, and streamed output
// ends with an error.
const capBytes = 11 << 20

const maxRequest = 4 << 20

func writeRequest(w io.Writer, r request) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	return err
}

func readRequest(r io.Reader) (req request, err error) {
	var n [4]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return req, err
	}
	size := binary.BigEndian.Uint32(n[:])
	if size > maxRequest {
		return req, errors.New("request too long")
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return req, err
	}
	return req, json.Unmarshal(b, &req)
}

// refuse ends an answer with a text.
func refuse(w *frame.Writer, text string) {
	_ = w.WriteJSON(frame.Error, frame.Failure{Message: text})
}

// end ends an answer. A caller that is gone misses nothing that it wants.
func end(w *frame.Writer, s frame.Status) { _ = w.WriteJSON(frame.Exit, s) }

// Stubborn is a sidecar that does not do as it is told: it refuses a policy that
// names one host, and after a policy that names another it answers nothing more.
// What it was told before it goes on obeying.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"bottlebar.app/sidecar/control"
	"bottlebar.app/sidecar/inside"
)

func main() {
	in, out := io.Pipe()
	said := &lines{w: os.Stdout}
	go func() {
		r := bufio.NewReaderSize(os.Stdin, control.MaxCommand)
		deaf := false
		for {
			line, err := r.ReadSlice('\n')
			var c control.Command
			switch policy := json.Unmarshal(line, &c) == nil && c.Op == control.Policy; {
			case err != nil:
				_ = out.Close()
				return
			case deaf || policy && bytes.Contains(line, []byte("deaf.example")):
				deaf = true
			case policy && bytes.Contains(line, []byte("refused.example")):
				fmt.Fprintf(said, "{\"event\":\"ack\",\"id\":%d,\"error\":\"it does not want to\"}\n", c.ID)
			default:
				_, _ = out.Write(line)
			}
		}
	}()
	os.Exit(inside.Main(os.Args[1:], in, said, os.Stderr))
}

// lines keeps the lines of two writers apart.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

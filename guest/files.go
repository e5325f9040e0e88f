package guest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bottlebar.app/hop"
	"bottlebar.app/hop/transfer"
	"bottlebar.app/internal/frame"
)

// The verbs with which the helper starts itself as a user.
const (
	verbUnpack = "as-user-unpack"
	verbPack   = "as-user-pack"
	verbSeed   = "as-user-seed"
)

const (
	maxPaths = 1000            // that a reply lists, or a request names
	grace    = 5 * time.Second // for a child to clear up
)

// pipeSize is what the pipes to a child are enlarged to.
const pipeSize = 1 << 20

// wholeMark follows the errand once the child's input is complete. A pipe
// that ends looks the same whether its writer was done or broke off.
const wholeMark = 'k'

// errand is what a child reads from descriptor 3: who to become and what to
// do. Its answer goes to descriptor 4.
type errand struct {
	User    hop.User        `json:"user"`
	Groups  []uint32        `json:"groups"`
	Request json.RawMessage `json:"request"`
}

// receive serves one stream of type Send: files for the guest.
func (h *helper) receive(ctx context.Context, st *hop.Stream) {
	defer func() { _ = st.Close() }()
	var req hop.SendRequest
	if err := hop.ReadRequest(st, &req); err != nil {
		st.Reset()
		return
	}
	acc, err := h.account(req.User)
	if err == nil {
		slash := strings.HasSuffix(req.Dest, "/")
		req.Dest, err = acc.place(req.Dest)
		if slash && !strings.HasSuffix(req.Dest, "/") {
			req.Dest += "/"
		}
	}
	if err != nil {
		_ = hop.WriteFailure(st, err)
		return
	}
	if hop.WriteAnswer(st, struct{}{}) != nil {
		st.Reset()
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	over := make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-st.Aborted():
			cancel()
		case <-over:
		}
	}()
	var reply hop.SendReply
	if err := h.asUser(ctx, acc, verbUnpack, req, st, nil, &reply); err != nil {
		if ctx.Err() != nil {
			st.Reset()
			return
		}
		_ = hop.WriteFailure(st, err)
		return
	}
	_ = hop.WriteAnswer(st, reply)
}

// unpack runs as the user.
func unpack(req hop.SendRequest, in io.Reader) (hop.SendReply, error) {
	dir, rename := strings.TrimRight(req.Dest, "/"), ""
	if dir == "" {
		dir = "/"
	}
	if req.Place == hop.PlaceAuto && !strings.HasSuffix(req.Dest, "/") {
		if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
			dir, rename = filepath.Dir(dir), filepath.Base(dir)
		}
	}
	if req.Place != hop.PlaceAuto {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return hop.SendReply{}, err
		}
	}
	if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
		return hop.SendReply{}, &hop.RemoteError{Code: hop.CodeNoFolder, Message: fmt.Sprintf("the folder %s is not there", hop.Clean(dir, 200))}
	}
	report, err := transfer.Unpack(context.Background(), in, dir,
		transfer.Options{Exists: req.Exists, Rename: rename})
	if err != nil {
		return hop.SendReply{}, err
	}
	reply := hop.SendReply{Files: report.Files, Bytes: report.Bytes}
	size := 0
	for _, name := range report.Top {
		p := filepath.Join(dir, name)
		if size += 6*len(p) + 3; len(reply.Paths) >= maxPaths || size > hop.MaxMessage/2 {
			reply.More = len(report.Top) - len(reply.Paths)
			break
		}
		reply.Paths = append(reply.Paths, p)
	}
	return reply, nil
}

// send serves one stream of type Receive: files from the guest.
func (h *helper) send(ctx context.Context, st *hop.Stream) {
	defer func() { _ = st.Close() }()
	var req hop.ReceiveRequest
	if err := hop.ReadRequest(st, &req); err != nil {
		st.Reset()
		return
	}
	out := frame.NewWriter(st)
	acc, err := h.account(req.User)
	if err == nil && (len(req.Paths) == 0 || len(req.Paths) > maxPaths) {
		err = refuse("1 to %d paths can be fetched at once", maxPaths)
	}
	for i := 0; err == nil && i < len(req.Paths); i++ {
		req.Paths[i], err = acc.place(req.Paths[i])
	}
	if err != nil {
		fail(out, err)
		return
	}
	if out.Write(frame.Ready, nil) != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	over := make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-st.Aborted():
			cancel()
		case <-over:
		}
	}()
	var report transfer.Report
	err = h.asUser(ctx, acc, verbPack, req, nil, out.Stream(frame.Stdout), &report)
	if err == nil {
		err = out.WriteJSON(frame.Stderr, report)
	}
	if err != nil {
		fail(out, err)
		return
	}
	_ = out.WriteJSON(frame.Exit, frame.Status{})
}

// pack runs as the user.
func pack(req hop.ReceiveRequest, out io.Writer) (transfer.Report, error) {
	sources := make([]transfer.Source, len(req.Paths))
	for i, p := range req.Paths {
		sources[i].Path = p
	}
	w := &bulk{w: out}
	report, err := transfer.Pack(context.Background(), w, sources, nil)
	if err == nil {
		err = w.flush()
	}
	if c, ok := out.(io.Closer); ok && err == nil {
		err = c.Close()
	}
	report.Top = nil
	for i := range report.Skipped {
		report.Skipped[i].Path = hop.Clean(report.Skipped[i].Path, 100)
		report.Skipped[i].Reason = hop.Clean(report.Skipped[i].Reason, 100)
	}
	report.Skipped = report.Skipped[:min(len(report.Skipped), 30)]
	return report, err
}

// bulk gathers small writes: a tar stream of small files is made of them.
type bulk struct {
	w   io.Writer
	buf []byte
}

func (b *bulk) Write(p []byte) (int, error) {
	b.buf = append(b.buf, p...)
	if len(b.buf) < 64<<10 {
		return len(p), nil
	}
	return len(p), b.flush()
}

func (b *bulk) flush() error {
	_, err := b.w.Write(b.buf)
	b.buf = b.buf[:0]
	return err
}

package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
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

// asUser runs one verb in a process that becomes acc and does nothing else,
// so that the rights of acc hold for every file it touches.
func (h *helper) asUser(ctx context.Context, acc account, verb string, req any, in io.Reader, out io.Writer, reply any) error {
	raw, err := json.Marshal(req)
	if err != nil {
		return err
	}
	c, err := h.child(verb)
	if err != nil {
		return remote(err, "starting a process")
	}
	defer c.close()
	return c.run(ctx, errand{User: acc.User, Groups: acc.groups, Request: raw}, in, out, reply)
}

// child is one such process.
type child struct {
	cmd             *exec.Cmd
	job, jobR       *os.File
	answer, answerW *os.File
	in, inR         *os.File
	out, outW       *os.File
}

func (h *helper) child(verb string) (*child, error) {
	c := &child{cmd: &exec.Cmd{Path: h.opts.Self[0], Args: append(slices.Clone(h.opts.Self), verb)}}
	for _, p := range []struct{ r, w **os.File }{{&c.jobR, &c.job}, {&c.answer, &c.answerW}, {&c.inR, &c.in}, {&c.out, &c.outW}} {
		r, w, err := os.Pipe()
		if err != nil {
			c.close()
			return nil, err
		}
		enlarge(w)
		*p.r, *p.w = r, w
	}
	c.cmd.Env = []string{"PATH=" + defaultPath, "LANG=C.UTF-8"}
	c.cmd.Dir = "/"
	c.cmd.Stdin, c.cmd.Stdout = c.inR, c.outW
	c.cmd.ExtraFiles = []*os.File{c.jobR, c.answerW}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err := c.cmd.Start()
	for _, f := range []*os.File{c.jobR, c.answerW, c.inR, c.outW} {
		_ = f.Close()
	}
	if err != nil {
		c.close()
	}
	return c, err
}

func (c *child) close() {
	for _, f := range []*os.File{c.jobR, c.job, c.answer, c.answerW, c.inR, c.in, c.out, c.outW} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// run carries bytes until the child has answered. When ctx ends its input
// breaks off, which makes it clear up, and after a while it is killed.
func (c *child) run(ctx context.Context, job errand, in io.Reader, out io.Writer, reply any) error {
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-over:
			return
		case <-ctx.Done():
			_, _ = c.in.Close(), c.out.Close()
		}
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case <-over:
		case <-t.C:
			_ = c.cmd.Process.Kill()
		}
	})
	wg.Go(func() {
		err := hop.WriteMessage(c.job, job)
		if err == nil && in != nil {
			_, err = io.CopyBuffer(onlyWriter{c.in}, onlyReader{in}, make([]byte, pipeSize))
		}
		_ = c.in.Close()
		if err == nil {
			_, _ = c.job.Write([]byte{wholeMark})
		}
		_ = c.job.Close()
	})
	var carried error
	wg.Go(func() {
		if out != nil {
			_, carried = io.Copy(out, c.out)
		}
		_ = c.out.Close() // a child that goes on writing ends there
	})
	err := hop.ReadAnswer(c.answer, reply)
	_, _ = c.in.Close(), c.answer.Close()
	werr := c.cmd.Wait()
	close(over)
	if st, ok := in.(*hop.Stream); ok {
		_ = st.SetReadDeadline(time.Unix(1, 0)) // nobody needs the rest
	}
	wg.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && werr != nil:
		return fmt.Errorf("the process that works as the user ended early: %w", werr)
	case err != nil:
		return err
	}
	return carried
}

// errandMain is the other side: it becomes the user and runs one verb.
func errandMain(verb string, in io.Reader, out io.Writer) error {
	jobs, answers := os.NewFile(3, "errand"), os.NewFile(4, "answer")
	if jobs == nil || answers == nil {
		return errors.New("this verb is for the helper's own use")
	}
	defer func() { _ = answers.Close() }()
	var e errand
	if err := hop.ReadMessage(jobs, &e); err != nil {
		return fmt.Errorf("this verb is for the helper's own use: %w", err)
	}
	reply, err := doErrand(verb, e, &whole{r: in, mark: jobs}, out)
	if err != nil {
		return hop.WriteFailure(answers, remote(err, "in the bottle"))
	}
	return hop.WriteAnswer(answers, reply)
}

func doErrand(verb string, e errand, in io.Reader, out io.Writer) (any, error) {
	if err := dropTo(e.User, e.Groups); err != nil {
		return nil, err
	}
	switch verb {
	case verbUnpack:
		var req hop.SendRequest
		if err := json.Unmarshal(e.Request, &req); err != nil {
			return nil, err
		}
		return unpack(req, in)
	case verbPack:
		var req hop.ReceiveRequest
		if err := json.Unmarshal(e.Request, &req); err != nil {
			return nil, err
		}
		return pack(req, out)
	default:
		var req hop.SeedRequest
		if err := json.Unmarshal(e.Request, &req); err != nil {
			return nil, err
		}
		return seedHome(req, e.User.Home)
	}
}

// dropTo becomes a user for good.
func dropTo(u hop.User, groups []uint32) error {
	syscall.Umask(0o022)
	if os.Geteuid() != 0 || (u.UID == 0 && u.GID == 0) {
		return nil
	}
	gids := make([]int, len(groups))
	for i, g := range groups {
		gids[i] = int(g)
	}
	if err := syscall.Setgroups(gids); err != nil {
		return err
	}
	if err := syscall.Setgid(int(u.GID)); err != nil {
		return err
	}
	return syscall.Setuid(int(u.UID))
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

// whole is a child's input, which ends well only if the mark came.
type whole struct{ r, mark io.Reader }

func (w *whole) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if n > 0 || !errors.Is(err, io.EOF) {
		return n, err
	}
	var b [1]byte
	if _, err := io.ReadFull(w.mark, b[:]); err != nil || b[0] != wholeMark {
		return 0, errors.New("the app broke off")
	}
	w.mark = strings.NewReader(string(wholeMark)) // whoever asks again is told the same
	return 0, io.EOF
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

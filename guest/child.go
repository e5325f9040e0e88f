package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"bottlebar.app/hop"
)

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

package guest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"

	"bottlebar.app/hop"
	"bottlebar.app/internal/frame"
)

// maxTerminals is how many terminals one helper keeps, ended ones included.
const maxTerminals = 32

// keeper holds the terminals by name.
type keeper struct {
	h   *helper
	ctx context.Context // of the helper: terminals outlive sessions

	mu        sync.Mutex
	terminals map[string]*terminal
	wg        sync.WaitGroup
	stop      context.CancelFunc
	news      chan struct{} // some terminal has something to tell
}

func newKeeper(ctx context.Context, h *helper) *keeper {
	k := &keeper{h: h, ctx: ctx, terminals: map[string]*terminal{}, news: make(chan struct{}, 1)}
	ctx, k.stop = context.WithCancel(ctx)
	k.wg.Go(func() { k.tell(ctx) })
	return k
}

// close hangs up on everything and waits for it.
func (k *keeper) close() {
	k.stop()
	k.mu.Lock()
	for _, t := range k.terminals {
		t.hangUp()
	}
	k.mu.Unlock()
	k.wg.Wait()
}

// attach serves one stream of type Attach.
func (k *keeper) attach(ctx context.Context, st *hop.Stream) {
	defer func() { _ = st.Close() }()
	var req hop.AttachRequest
	if err := hop.ReadRequest(st, &req); err != nil {
		st.Reset()
		return
	}
	out := frame.NewWriter(st)
	t, fresh, err := k.open(req)
	if err != nil {
		fail(out, err)
		return
	}
	t.view(ctx, st, out, sane(req.Size), fresh)
}

// open finds the terminal of a request, or makes it.
func (k *keeper) open(req hop.AttachRequest) (t *terminal, fresh bool, err error) {
	if !validTerminal(req.Name) {
		return nil, false, refuse("a terminal's name has 1 to 64 letters, digits, dots, dashes and underscores")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	t = k.terminals[req.Name]
	if t != nil && (!req.Again || !closed(t.over)) {
		return t, false, nil
	}
	if len(req.Argv) == 0 {
		return nil, false, &hop.RemoteError{Code: hop.CodeNotFound, Message: fmt.Sprintf("no terminal is called %s", req.Name)}
	}
	if t == nil && len(k.terminals) >= maxTerminals {
		return nil, false, refuse("%d terminals are open already", maxTerminals)
	}
	if k.ctx.Err() != nil {
		return nil, false, refuse("the helper is ending")
	}
	t, err = k.start(req)
	if err != nil {
		return nil, false, err
	}
	k.terminals[req.Name] = t
	return t, true, nil
}

// validTerminal holds for names that need no care where they are shown.
func validTerminal(name string) bool {
	if name == "" || len(name) > 64 || name[0] == '-' || name[0] == '.' {
		return false
	}
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
		default:
			return false
		}
	}
	return true
}

// serve answers a stream of type Keeper.
func (k *keeper) serve(req hop.KeeperRequest) (any, error) {
	if req.Close != "" {
		k.mu.Lock()
		t := k.terminals[req.Close]
		delete(k.terminals, req.Close)
		k.mu.Unlock()
		if t != nil {
			t.hangUp()
		}
		return hop.KeeperReply{}, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	reply := hop.KeeperReply{Terminals: make([]hop.TerminalInfo, 0, len(k.terminals))}
	for _, t := range k.terminals {
		reply.Terminals = append(reply.Terminals, t.info())
	}
	slices.SortFunc(reply.Terminals, func(a, b hop.TerminalInfo) int { return a.Started.Compare(b.Started) })
	return reply, nil
}

// start starts a terminal's command.
func (k *keeper) start(req hop.AttachRequest) (*terminal, error) {
	cmd, err := k.h.command(spec{
		argv: req.Argv, env: req.Env, workdir: req.Workdir, user: req.User, makeDir: req.MakeDir, tty: true,
	})
	if err != nil {
		return nil, err
	}
	size := sane(req.Size)
	master, err := openTTY(cmd, size)
	if err != nil {
		return nil, err
	}
	t := newTerminal(req.Name, cmd, master, size, k.news)
	k.wg.Go(t.run)
	return t, nil
}

// hangUp ends a terminal's command, as closing a terminal does.
func (t *terminal) hangUp() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if closed(t.over) || t.ending {
		return
	}
	t.ending = true
	t.wg.Go(func() { t.kill(syscall.SIGHUP) })
}

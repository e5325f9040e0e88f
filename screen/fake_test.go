package screen

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"

	"fyne.io/fyne/v2/test"

	"bottlebar.app/assets/look"
	"bottlebar.app/control"
	"bottlebar.app/snapshot"
)

// fake is a core whose answers the test gives.
type fake struct {
	core // nil: what a test does not expect panics
	mu   sync.Mutex

	now     snapshot.Snapshot
	stopped []string
	stop    func(id string) error
	begin   func(ctx context.Context, req control.LaunchRequest, began func(id string)) (snapshot.Bottle, error)
	attach  func(ctx context.Context, req control.AttachRequest, conn io.ReadWriter) error
	copies  []control.CopyRequest
	answers []string
	copy    func(ctx context.Context, req control.CopyRequest, progress func(snapshot.Transfer)) (control.CopyReply, error)
}

func (f *fake) Snapshot() snapshot.Snapshot { return f.now }

func (f *fake) Stop(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = append(f.stopped, id)
	if f.stop != nil {
		return f.stop(id)
	}
	return nil
}

func (f *fake) Begin(ctx context.Context, req control.LaunchRequest, began func(id string)) (snapshot.Bottle, error) {
	return f.begin(ctx, req, began)
}

func (f *fake) Attach(ctx context.Context, _ string, req control.AttachRequest, conn io.ReadWriter) error {
	return f.attach(ctx, req, conn)
}

func (f *fake) Copy(ctx context.Context, _ string, req control.CopyRequest, progress func(snapshot.Transfer)) (control.CopyReply, error) {
	f.mu.Lock()
	f.copies = append(f.copies, req)
	f.mu.Unlock()
	return f.copy(ctx, req, progress)
}

func (f *fake) Activity(_ context.Context, bottle string) ([]snapshot.Decision, error) {
	return []snapshot.Decision{{Bottle: bottle}}, nil
}

func (f *fake) AllActivity(context.Context) ([]snapshot.Decision, error) {
	return []snapshot.Decision{{Bottle: "a"}, {Bottle: "b"}}, nil
}

func (f *fake) AnswerAsk(_ context.Context, bottle string, a control.AskAnswer) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers = append(f.answers, bottle+" "+a.ID+" "+a.Hash+" "+a.Answer)
	return nil
}

func (f *fake) Policy(_ context.Context, bottle string) (control.PolicyView, error) {
	return control.PolicyView{Bottle: bottle, Rules: []control.RuleView{{Action: "allow", Host: "a.example", Port: 443, Origin: "settings", Hits: 2}}}, nil
}

// newScreen is a screen on f without windows. What is posted waits for the test.
func newScreen(t *testing.T, f *fake) (s *screen, posted chan func()) {
	t.Helper()
	a := test.NewTempApp(t)
	a.Settings().SetTheme(look.Theme())
	posted = make(chan func(), 16)
	s = &screen{fyne: a, app: f, log: slog.New(slog.DiscardHandler), post: func(f func()) { posted <- f }}
	s.ctx, s.cancel = context.WithCancel(t.Context())
	t.Cleanup(func() { s.cancel(); s.work.Wait() })
	return s, posted
}

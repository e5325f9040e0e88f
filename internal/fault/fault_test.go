package fault

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

type curable struct{ error }

func (curable) Cure() string   { return "do this" }
func (curable) Detail() string { return "raw" }

func TestOfSplitsWhateverArrives(t *testing.T) {
	base := New("adding x", "it is cut", "copy it again")
	cases := []struct {
		name string
		err  error
		want string // as it is shown
	}{
		{"itself", base, "adding x: it is cut: copy it again"},
		{"plain", errors.New("broken"), "broken"},
		{"wrapped by fmt", fmt.Errorf("launching demo: %w", base), "launching demo: adding x: it is cut: copy it again"},
		{"a curer", curable{errors.New("it hangs")}, "it hangs: do this"},
		{"a wrapped curer", fmt.Errorf("starting: %w", curable{errors.New("it hangs")}), "starting: it hangs: do this"},
	}
	for _, c := range cases {
		if got := Of(c.err).Error(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	both := errors.Join(base, errors.New("and that stays"))
	if got := Of(both); got.Error() != base.Error() || got.Detail != "and that stays" || !errors.Is(got, both) {
		t.Errorf("of two joined: %q, detail %q", got, got.Detail)
	}
	if got := Wrap(both, "launching", "").Error(); got != "launching: adding x: it is cut: copy it again" {
		t.Errorf("of two joined and wrapped: %q", got)
	}
	if got := Of(fmt.Errorf("%w: %w", fs.ErrClosed, fs.ErrExist)).Error(); got != "file already closed: file already exists" {
		t.Errorf("of two in one sentence: %q", got)
	}
	if Of(nil) != nil {
		t.Error("nil is a failure")
	}
	if d := Of(curable{errors.New("x")}).Detail; d != "raw" {
		t.Errorf("detail %q", d)
	}
}

func TestWrapKeepsReasonCureAndCause(t *testing.T) {
	inner := &Error{What: "reading", Why: "it is gone", Cure: "look again", Detail: "raw", Err: fs.ErrNotExist}
	got := Wrap(inner, "launching", "")
	if got.Error() != "launching: reading: it is gone: look again" || got.Detail != "raw" || !errors.Is(got, fs.ErrNotExist) {
		t.Errorf("%q, detail %q", got, got.Detail)
	}
	if got := Wrap(errors.New("no"), "launching", "try later"); got.Error() != "launching: no: try later" {
		t.Errorf("%q", got)
	}
}

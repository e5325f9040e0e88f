package screen

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"bottlebar.app/control"
	"bottlebar.app/internal/fault"
	"bottlebar.app/snapshot"
)

// The windows get a bottle's ID while its launch goes on; what becomes of it is
// in the snapshots.
func TestALaunchIsNamedAsSoonAsItHasBegun(t *testing.T) {
	release := make(chan struct{})
	f := &fake{begin: func(_ context.Context, req control.LaunchRequest, began func(string)) (snapshot.Bottle, error) {
		if req.Artifact != "aa" || req.Folder != "/src" {
			t.Errorf("asked for %+v", req)
		}
		began("b1")
		<-release
		return snapshot.Bottle{}, errors.New("it failed later")
	}}
	s, _ := newScreen(t, f)
	defer close(release)
	if id, err := (bottles{s}).Launch(t.Context(), "aa", "/src"); id != "b1" || err != nil {
		t.Errorf("%q, %v", id, err)
	}
}

func TestALaunchThatDoesNotBeginIsAnError(t *testing.T) {
	refused := errors.New("there is no such artifact")
	s, _ := newScreen(t, &fake{begin: func(context.Context, control.LaunchRequest, func(string)) (snapshot.Bottle, error) {
		return snapshot.Bottle{}, refused
	}})
	if id, err := (bottles{s}).Launch(t.Context(), "aa", ""); id != "" || !errors.Is(err, refused) {
		t.Errorf("%q, %v", id, err)
	}
}

func TestOneThatCannotBeCopiedDoesNotKeepTheOthers(t *testing.T) {
	gone := fault.New("copying gone", "no such file or directory", "")
	f := &fake{copy: func(_ context.Context, req control.CopyRequest, progress func(snapshot.Transfer)) (control.CopyReply, error) {
		if !req.In || !req.Unique || !req.IntoFolder {
			t.Errorf("asked for %+v", req)
		}
		progress(snapshot.Transfer{Done: 1, Total: 2})
		if slices.Contains(req.Host, "gone") {
			return control.CopyReply{}, gone
		}
		return control.CopyReply{Paths: []string{"/work/" + req.Host[0]}, Skipped: []snapshot.Problem{{What: "left out x", Why: "it is a socket"}}}, nil
	}}
	s, _ := newScreen(t, f)
	told := 0
	in, err := copier{s}.CopyIn(t.Context(), "b1", []string{"one", "gone", "two"}, func(done, total int64) { told++ })
	if strings.Join(in, " ") != "/work/one /work/two" || !errors.Is(err, gone) || !strings.Contains(err.Error(), "it is a socket") {
		t.Errorf("%q, %v", in, err)
	}
	if told == 0 || len(f.copies) != 4 {
		t.Errorf("told %d times, %d copies", told, len(f.copies))
	}
}

func TestACancelledCopyIsNotTriedOneByOne(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := &fake{copy: func(ctx context.Context, _ control.CopyRequest, _ func(snapshot.Transfer)) (control.CopyReply, error) {
		cancel()
		return control.CopyReply{}, ctx.Err()
	}}
	s, _ := newScreen(t, f)
	if _, err := (copier{s}).CopyIn(ctx, "b1", []string{"one", "two"}, nil); !errors.Is(err, context.Canceled) || len(f.copies) != 1 {
		t.Errorf("%v after %d copies", err, len(f.copies))
	}
}

func TestCopiesOutGoOnPastOneThatFails(t *testing.T) {
	f := &fake{copy: func(_ context.Context, req control.CopyRequest, _ func(snapshot.Transfer)) (control.CopyReply, error) {
		if req.Guest == "bad" {
			return control.CopyReply{}, errors.New("bad is not there")
		}
		return control.CopyReply{Paths: []string{req.Host[0] + "/" + req.Guest}}, nil
	}}
	s, _ := newScreen(t, f)
	out, err := copier{s}.CopyOut(t.Context(), "b1", []string{"bad", "good"}, "/home/me", nil)
	if len(out) != 1 || out[0] != "/home/me/good" || err == nil {
		t.Errorf("%q, %v", out, err)
	}
}

func TestActivityOfOneBottleOrOfAll(t *testing.T) {
	s, _ := newScreen(t, &fake{})
	one, _ := activity{s}.Decisions(t.Context(), "b1")
	all, _ := activity{s}.Decisions(t.Context(), "")
	if len(one) != 1 || one[0].Bottle != "b1" || len(all) != 2 {
		t.Errorf("%v, %v", one, all)
	}
}

func TestLightPanel(t *testing.T) {
	for _, c := range []struct {
		light   bool
		desktop string
		want    bool
	}{
		{true, "", true},
		{true, "XFCE", true},
		{true, "ubuntu:GNOME", false}, // its bar is black beside light windows
		{false, "KDE", false},
	} {
		if got := lightPanel(c.light, c.desktop); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

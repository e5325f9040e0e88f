package cache

import (
	"context"
	"os"
	"testing"
)

func TestWatchTellsOfChangesByAnother(t *testing.T) {
	l := open(t)
	other, err := Open(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	changes, err := l.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	add(t, other, "web.smolmachine", nil)
	if _, ok := <-changes; !ok {
		t.Fatal("closed too early")
	}
	if list, err := l.List(); err != nil || len(list) != 1 {
		t.Errorf("%+v %v", list, err)
	}
	cancel()
	for range changes { // until it is closed
	}
}

func TestWatchEndsWithTheFolder(t *testing.T) {
	l := open(t)
	changes, err := l.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(l.dir); err != nil {
		t.Fatal(err)
	}
	for range changes { // until it is closed
	}
}

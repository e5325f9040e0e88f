package cache

import (
	"context"
	"os"
	"path/filepath"
	"strconv"

	"github.com/fsnotify/fsnotify"

	"bottlebar.app/internal/atomicfile"
)

// signal tells those who watch that the index is new. They watch a folder with
// one file in it, since on macOS every file of a watched folder is kept open.
func (l *Library) signal() {
	path := filepath.Join(l.dir, watchName, "changed")
	_ = os.WriteFile(path, strconv.AppendInt(nil, l.now().UnixNano(), 10), atomicfile.FilePerm)
}

// Watch sends when the library changed, by whomever, until ctx ends; then the
// channel is closed. Changes close to each other may be one message. It also
// closes when the library's folder goes away.
func (l *Library) Watch(ctx context.Context) (<-chan struct{}, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, failed("watching the library", err)
	}
	if err := w.Add(filepath.Join(l.dir, watchName)); err != nil {
		_ = w.Close()
		return nil, failed("watching the library", err)
	}
	out := make(chan struct{}, 1)
	go func() {
		defer close(out)
		defer w.Close()
		for {
			select {
			case <-ctx.Done():
				return
			case e, ok := <-w.Events:
				if !ok || (filepath.Base(e.Name) == watchName && e.Has(fsnotify.Remove|fsnotify.Rename)) {
					return
				}
			case _, ok := <-w.Errors:
				if !ok {
					return
				}
				// Events were lost: that may have been ours.
			}
			select {
			case out <- struct{}{}:
			default: // one is waiting to be read; it will find this change too
			}
		}
	}()
	return out, nil
}

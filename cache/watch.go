package cache

import (
	"context"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// Watch sends when the library changed, by whomever, until ctx ends; then the
// channel is closed. Changes close to each other may be one message. It also
// closes when the library's folder goes away.
func (l *Library) Watch(ctx context.Context) (<-chan struct{}, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, failed("watching the library", err)
	}
	if err := w.Add(l.dir); err != nil {
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
				if !ok || (e.Name == l.dir && e.Has(fsnotify.Remove|fsnotify.Rename)) {
					return
				}
				if filepath.Base(e.Name) != indexName || e.Has(fsnotify.Remove) {
					continue
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

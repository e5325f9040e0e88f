package egress

import (
	"sync"
	"time"
)

// unknown remembers for a while which names resolve only at a company's proxy,
// so that each connection to one does not wait for a resolver that stays
// silent. The zero value is ready.
type unknown struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (u *unknown) has(host string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return time.Now().Before(u.until[host])
}

func (u *unknown) add(host string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.until == nil || len(u.until) >= maxUnknown {
		u.until = map[string]time.Time{} // guests choose the names below a wildcard
	}
	u.until[host] = time.Now().Add(unknownKeep)
}

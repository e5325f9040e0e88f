package bottle

import (
	"fmt"
	"sync"

	"bottlebar.app/bottle/ledger"
	"bottlebar.app/snapshot"
)

// probing are the places that a proof is about to ask for: their refusals are
// lines of the proof, and nobody's news. A guest learns the names, so each
// counts for a few lines only.
type probing struct {
	mu      sync.Mutex
	lines   map[string]int
	watched []string // names whose refusals the sidecar must neither gather nor drop
}

func (p *probing) watch(names ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watched = names
}

func (p *probing) canaries() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.watched
}

const probeLines = 4 // of one place: it is asked for again where an answer is slow

func (p *probing) expect(targets ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = make(map[string]int, len(targets))
	for _, t := range targets {
		p.lines[t] = probeLines
	}
}

func (p *probing) takes(d snapshot.Decision) bool {
	if d.Verdict != ledger.VerdictDenied || d.Kind == ledger.KindLost {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range []string{d.Host, fmt.Sprintf("%s:%d", d.Host, d.Port), fmt.Sprintf("[%s]:%d", d.Host, d.Port)} {
		if p.lines[name] > 0 {
			p.lines[name]--
			return true
		}
	}
	return false
}

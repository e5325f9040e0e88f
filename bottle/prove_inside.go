package bottle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"bottlebar.app/egress"
	"bottlebar.app/hop"
	"bottlebar.app/sidecar"
	"bottlebar.app/snapshot"
)

// What a probe sends through the whole way: enough to show a connection that
// stalls after its first window, or one that hangs when many are open.
const (
	probeUp       = 1 << 20
	probeDown     = 4 << 20
	probeParallel = 16
)

// proveInside tries to get out from the inside, against listeners that answer.
func (b *Bottle) proveInside(ctx context.Context, p *proof, l *live, car *sidecar.Sidecar, facts sidecar.Facts) {
	canaries, err := openCanaries(ctx)
	if err != nil {
		p.under(groupTraces, byCanary).untried("canaries", "open listeners that a bottle must not reach", "they answer this computer", err)
		return
	}
	defer canaries.close()
	p.under(groupTraces, byCanary).add("canaries-answer", "ask each listener from this computer", "its nonce", fmt.Sprintf("%d of %d answer", len(canaries.listeners), len(canaries.listeners)), true)
	session, err := l.session(ctx)
	if err != nil {
		p.under(groupWay, byGuest).untried("helper", "ask the helper to try", "an answer", err)
		return
	}
	unlisted := canaries.nonce + ".example.com"
	req := hop.ProbeRequest{
		Health: "/healthz", Echo: "/echo", Up: probeUp, Down: probeDown, Parallel: probeParallel,
		Targets: targets(canaries.addrs(), facts), Lookups: []string{unlisted},
		Connects: []string{canaries.addrs()[0].String(), unlisted + ":443"}, Vsock: []uint32{1, 22, 80, 1024, 2375},
	}
	b.probing.expect(req.Connects[0], unlisted)
	if err := b.watchFor(ctx, car, unlisted); err != nil {
		p.under(groupTraces, byLedger).untried("canary-name", "have the sidecar tell each refusal of "+unlisted, "it obeys", err)
		return
	}
	defer b.watchNoMore(ctx, car)
	began := b.rack.cfg.Now()
	reply, err := session.Probe(ctx, req)
	if err != nil {
		p.under(groupWay, byGuest).untried("helper", "ask the helper to try", "an answer", err)
		return
	}
	judge(p, req, reply, car.Nonce())
	told := b.waitDenied(ctx, unlisted, began)
	ledger := p.under(groupTraces, byLedger)
	if tried := "look for the sidecar's line about " + unlisted; told {
		ledger.add("decision", tried, "denied", "denied", true)
	} else {
		ledger.untried("decision", tried, "denied", errors.New("no line came"))
	}
	n := canaries.touched.Load()
	p.under(groupTraces, byCanary).add("canaries", "count connections to the listeners", "none", fmt.Sprintf("%d connections", n), n == 0)
}

// watchFor has the sidecar tell every refusal of a name, however many others a
// guest brings about meanwhile. A sidecar that is not proved gets no more than
// that name.
func (b *Bottle) watchFor(ctx context.Context, car *sidecar.Sidecar, name string) error {
	b.probing.watch(name)
	return b.tellWatched(ctx, car)
}

// watchNoMore takes the name back: the guest knows it now, and could fill the
// record with it.
func (b *Bottle) watchNoMore(ctx context.Context, car *sidecar.Sidecar) {
	b.probing.watch()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), policyTimeout)
	defer cancel()
	if err := b.tellWatched(ctx, car); err != nil && !errors.Is(err, sidecar.ErrGone) {
		b.rack.cfg.Log.Warn("ending what a proof had a sidecar tell", "bottle", b.name, "error", err)
	}
}

func (b *Bottle) tellWatched(ctx context.Context, car *sidecar.Sidecar) error {
	b.tell.Lock()
	defer b.tell.Unlock()
	b.mu.Lock()
	proved := b.isolation == snapshot.Proved
	b.mu.Unlock()
	if !proved {
		return car.SetPolicy(ctx, egress.Policy{Revision: 1, Canaries: b.probing.canaries()})
	}
	return car.SetPolicy(ctx, b.inForce())
}

// targets are the addresses that must be out of reach. Those of this computer
// carry the port of a listener that answers there.
func targets(canaries []netip.AddrPort, facts sidecar.Facts) []hop.ProbeTarget {
	port := canaries[0].Port()
	var out []hop.ProbeTarget
	add := func(name, network, addr string) {
		out = append(out, hop.ProbeTarget{Name: name, Network: network, Addr: addr})
	}
	for _, c := range canaries {
		name := "host-address"
		switch {
		case c.Addr().IsLoopback() && c.Addr().Is4():
			name = "host-loopback-v4"
		case c.Addr().IsLoopback():
			name = "host-loopback-v6"
		}
		add(name, "tcp", c.String())
	}
	on := func(host string) string {
		a, err := netip.ParseAddr(host)
		if err != nil {
			return fmt.Sprintf("%s:%d", host, port)
		}
		return netip.AddrPortFrom(a, port).String()
	}
	add("smolvm-gateway-v4", "tcp", on("100.96.0.1"))
	add("smolvm-gateway-v6", "tcp", on("fd53:4d00::1"))
	add("smolvm-host-name", "tcp", on("host.smolvm.internal"))
	if facts.Address != "" {
		add("sidecar-direct", "tcp", facts.Address+":3128")
	}
	if facts.Gateway != "" {
		add("engine-host", "tcp", on(facts.Gateway))
	}
	add("internet-https", "tcp", "1.1.1.1:443")
	add("internet-dns-tcp", "tcp", "1.1.1.1:53")
	add("internet-dns-udp", "udp", "8.8.8.8:53")
	add("metadata", "tcp", "169.254.169.254:80")
	return out
}

// kinds are the helper's kinds of attempts, in the order of the report.
var kinds = []string{"health", "echo", "parallel", "target", "vsock", "lookup", "connect"}

// judge turns what the helper says into lines. What was asked for and did not
// come back is a line that does not hold.
func judge(p *proof, req hop.ProbeRequest, reply hop.ProbeReply, nonce string) {
	slices.SortStableFunc(reply.Attempts, func(a, b hop.Attempt) int {
		return slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind)
	})
	seen := make(map[string]int)
	parallel, slow := 0, 0
	for _, a := range reply.Attempts {
		seen[a.Kind]++
		if a.Kind == "parallel" {
			if a.Status == http.StatusOK {
				parallel++
			} else if late(a) {
				slow++
			}
			continue
		}
		p.attempt(a, req, nonce)
	}
	way := p.under(groupWay, byGuest)
	tried, found := fmt.Sprintf("open %d connections at once", req.Parallel), fmt.Sprintf("%d answer", parallel)
	if slow > 0 && parallel+slow == req.Parallel {
		way.untried("way-parallel", tried, "all answer", errors.New(found+" in time"))
	} else {
		way.add("way-parallel", tried, "all answer", found, parallel == req.Parallel)
	}
	want := map[string]int{"health": 1, "echo": 1, "target": len(req.Targets), "lookup": len(req.Lookups), "connect": len(req.Connects), "vsock": len(req.Vsock)}
	for _, kind := range kinds {
		if seen[kind] < want[kind] {
			way.add("probe-"+kind, fmt.Sprintf("read %d answers", want[kind]), "all of them", fmt.Sprintf("%d answers", seen[kind]), false)
		}
	}
	names := make([]string, 0, len(reply.Interfaces))
	for _, i := range reply.Interfaces {
		names = append(names, i.Name)
	}
	p.under(groupEscape, byGuest).add("interfaces", "list the network interfaces from inside", "lo alone", strings.Join(names, ", "), slices.Equal(names, []string{"lo"}))
}

// attempt judges one thing that the helper tried.
func (p *proof) attempt(a hop.Attempt, req hop.ProbeRequest, nonce string) {
	found := a.Outcome
	if a.Status != 0 {
		found = fmt.Sprintf("status %d", a.Status)
	}
	if a.Detail != "" {
		found += ", " + a.Detail
	}
	if late(a) {
		p.under(groupWay, byGuest).untried("way-"+a.Kind, "reach the sidecar by "+a.Target, "an answer", errors.New("none came in time"))
		return
	}
	way, escape := p.under(groupWay, byGuest), p.under(groupEscape, stopper(a))
	switch a.Kind {
	case "health":
		var h egress.Health
		// Only the first value counts: cleaning the text marked the line's end.
		// An answer of another shape has no nonce.
		_ = json.NewDecoder(strings.NewReader(a.Body)).Decode(&h)
		same := nonce != "" && h.Nonce == nonce
		way.add("way-out", "ask the sidecar for this bottle's nonce", "the nonce", word(same, "the nonce", "another answer: "+found), a.Status == http.StatusOK && same)
	case "echo":
		way.add("way-bulk", "send 1 MiB through the tunnel and fetch 4 MiB", "all of it arrives", found, a.Status == http.StatusOK && a.Bytes == req.Down)
	case "target":
		escape.add(a.Name, "connect to "+a.Target, "out of reach", found, out(a.Outcome))
	case "lookup":
		escape.add("name-lookup", "look up "+a.Target, "no answer", found, a.Outcome != hop.OutcomeConnected)
	case "connect":
		escape.add("proxy-refusal", "ask the proxy for "+a.Target, "403", found, a.Outcome == hop.OutcomeStatus && a.Status == http.StatusForbidden)
	case "vsock":
		escape.add("host-vsock", "connect to the host's vsock port "+a.Target, "out of reach", found, out(a.Outcome))
	}
}

// late tells whether what must work took too long: a computer that is busy, or
// just woke, proves nothing either way.
func late(a hop.Attempt) bool {
	return (a.Kind == "health" || a.Kind == "echo" || a.Kind == "parallel") && a.Outcome == hop.OutcomeTimeout
}

// stopper words what stopped an attempt, as far as its outcome tells.
func stopper(a hop.Attempt) string {
	switch a.Outcome {
	case hop.OutcomeUnreachable:
		if a.Kind == "vsock" {
			return "the VM has no such device"
		}
		return "no network device: the guest has no way there"
	case hop.OutcomeRefused:
		if a.Kind == "vsock" {
			return "the VM: it maps no such port"
		}
		return "no network device: only the guest's own loopback answered"
	case hop.OutcomeNoName:
		return "no resolver is in reach"
	case hop.OutcomeTimeout:
		return "no network device: nothing answered in time"
	case hop.OutcomeStatus:
		if a.Status == http.StatusForbidden {
			return "the sidecar's policy"
		}
	case hop.OutcomeError:
		return "the guest's kernel"
	}
	return "nothing"
}

// out tells whether an outcome means that nothing was reached. An answer of
// any kind, or one that is not known, does not.
func out(outcome string) bool {
	switch outcome {
	case hop.OutcomeRefused, hop.OutcomeUnreachable, hop.OutcomeTimeout, hop.OutcomeNoName, hop.OutcomeError:
		return true
	}
	return false
}

// waitDenied waits for the line that the probe's own refusal must leave on the
// decision stream: a path that loses lines would hide an escape too.
func (b *Bottle) waitDenied(ctx context.Context, host string, since time.Time) bool {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if b.denied(host, since) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

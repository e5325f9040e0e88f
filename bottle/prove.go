package bottle

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"bottlebar.app/egress"
	"bottlebar.app/hop"
	"bottlebar.app/internal/fault"
	"bottlebar.app/sidecar"
	"bottlebar.app/smolvm"
	"bottlebar.app/snapshot"
)

// What a probe sends through the whole way: enough to show a connection that
// stalls after its first window, or one that hangs when many are open.
const (
	probeUp       = 1 << 20
	probeDown     = 4 << 20
	probeParallel = 16
)

// errProof is the cause of a launch that ended because its proof failed.
var errProof = errors.New("the proof of isolation failed")

// proof collects the lines of a report.
type proof struct {
	report snapshot.Proof
}

func (p *proof) add(name, tried, expect, found string, holds bool) {
	p.report.Lines = append(p.report.Lines, snapshot.Attempt{Name: name, Tried: tried, Expect: expect, Found: hop.Clean(found, 200), Holds: holds})
}

func (p *proof) verdict() {
	p.report.Holds = len(p.report.Lines) > 0
	for _, l := range p.report.Lines {
		p.report.Holds = p.report.Holds && l.Holds
	}
}

// prove runs the escape test: what the host can see for itself, then what can
// be tried from the inside. The verdict rests on the host's facts; what the
// guest says can only lower it, for the helper may have been replaced.
func (b *Bottle) prove(ctx context.Context, l *live, in *smolvm.Install) snapshot.Proof {
	p := &proof{report: snapshot.Proof{Bottle: b.name, Time: b.rack.cfg.Now().UTC()}}
	car := l.sidecar()
	if car == nil {
		p.add("sidecar", "ask the engine for the sidecar", "running", "there is none", false)
		p.verdict()
		return p.report
	}
	// What the guest is asked needs the engine's facts; the machine's record and
	// process need neither, and are looked at meanwhile.
	var rest proof
	var both sync.WaitGroup
	both.Go(func() { b.proveInside(ctx, &rest, l, car, b.proveSidecar(ctx, &rest, car)) })
	b.proveMachine(ctx, p, l, in)
	both.Wait()
	p.report.Lines = append(p.report.Lines, rest.report.Lines...)
	p.verdict()
	return p.report
}

// proveMachine looks at smolvm's record, at the VM's process, and at what the
// machine was made with.
func (b *Bottle) proveMachine(ctx context.Context, p *proof, l *live, in *smolvm.Install) {
	b.mu.Lock()
	argv, hash := b.entry.CreateArgv, b.entry.RootHash
	b.mu.Unlock()

	err := smolvm.CheckIsolation(argv)
	p.add("arguments", "read what the machine was made with", "nothing that leads out", orWord(err, "one byte pipe, nothing else"), err == nil)

	want, err := b.rack.roots.of(ctx, in.AgentRoot)
	p.add("agent-root", "compare this start's copy of the agent root with the installation's", "equal", orWord(err, short(hash)), err == nil && hash != "" && hash == want)

	m, err := l.client.Status(ctx, machineName)
	if err != nil {
		p.add("record", "read smolvm's record of the machine", "no network", err.Error(), false)
		return
	}
	p.add("record-network", "read smolvm's record of the machine", "no network", fmt.Sprintf("network %v", m.Network), !m.Network)
	p.add("record-ports", "read smolvm's record of the machine", "no ports", fmt.Sprintf("%d ports", m.Ports), m.Ports == 0)
	p.add("record-mounts", "read smolvm's record of the machine", "no mounts", fmt.Sprintf("%d mounts", m.Mounts), m.Mounts == 0)
	p.add("record-restart", "read smolvm's record of the machine", "restart policy never", "restart policy "+m.RestartPolicy, m.RestartPolicy == "never")

	vm, err := inspect(m.PID)
	if err != nil {
		p.add("process", "look at the VM's process", "smolvm's own", err.Error(), false)
		return
	}
	p.add("process", "look at the VM's process", "smolvm's own", vm.Executable, ownedBy(vm.Executable, in.Path))
	p.add("process-sockets", "list the internet sockets of the VM's process", "none", strings.Join(vm.Network, ", "), len(vm.Network) == 0)
}

// ownedBy tells whether an executable belongs to the installation of the
// command: beside it once links are followed, or in a folder next to that one.
func ownedBy(executable, command string) bool {
	real, err := filepath.EvalSymlinks(command)
	if err != nil {
		return false
	}
	dir := filepath.Dir(real)
	if executable == real || strings.HasPrefix(executable, dir+"/") {
		return true
	}
	prefix := filepath.Dir(dir)
	return filepath.Base(dir) == "bin" && prefix != "/" && strings.HasPrefix(executable, prefix+"/") && strings.Contains(filepath.Base(executable), "smolvm")
}

// proveSidecar asks the engine whether the sidecar is as it was made.
func (b *Bottle) proveSidecar(ctx context.Context, p *proof, car *sidecar.Sidecar) sidecar.Facts {
	facts, err := car.Inspect(ctx)
	if err != nil {
		p.add("sidecar", "inspect the sidecar", "as it was made", err.Error(), false)
		return facts
	}
	for _, f := range facts.Lines {
		p.add("sidecar-"+f.Name, "inspect the sidecar: "+f.Name, f.Want, f.Got, f.Holds)
	}
	return facts
}

// proveInside tries to get out from the inside, against listeners that answer.
func (b *Bottle) proveInside(ctx context.Context, p *proof, l *live, car *sidecar.Sidecar, facts sidecar.Facts) {
	canaries, err := openCanaries(ctx)
	if err != nil {
		p.add("canaries", "open listeners that a bottle must not reach", "they answer this computer", err.Error(), false)
		return
	}
	defer canaries.close()
	session, err := l.session(ctx)
	if err != nil {
		p.add("helper", "ask the helper to try", "an answer", err.Error(), false)
		return
	}
	unlisted := canaries.nonce + ".example.com"
	req := hop.ProbeRequest{
		Health: "/healthz", Echo: "/echo", Up: probeUp, Down: probeDown, Parallel: probeParallel,
		Targets: targets(canaries.addrs(), facts), Lookups: []string{unlisted},
		Connects: []string{canaries.addrs()[0].String(), unlisted + ":443"}, Vsock: []uint32{1, 22, 80, 1024, 2375},
	}
	b.probing.expect(req.Connects[0], unlisted)
	began := b.rack.cfg.Now()
	reply, err := session.Probe(ctx, req)
	if err != nil {
		p.add("helper", "ask the helper to try", "an answer", err.Error(), false)
		return
	}
	judge(p, req, reply, car.Nonce())
	told := b.waitDenied(ctx, unlisted, began)
	p.add("decision", "look for the sidecar's line about "+unlisted, "denied", word(told, "denied", "no line came"), told)
	n := canaries.touched.Load()
	p.add("canaries", "count connections to the listeners", "none", fmt.Sprintf("%d connections", n), n == 0)
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
	parallel := 0
	for _, a := range reply.Attempts {
		seen[a.Kind]++
		if a.Kind == "parallel" {
			if a.Status == http.StatusOK {
				parallel++
			}
			continue
		}
		p.attempt(a, req, nonce)
	}
	p.add("way-parallel", fmt.Sprintf("open %d connections at once", req.Parallel), "all answer", fmt.Sprintf("%d answer", parallel), parallel == req.Parallel)
	want := map[string]int{"health": 1, "echo": 1, "target": len(req.Targets), "lookup": len(req.Lookups), "connect": len(req.Connects), "vsock": len(req.Vsock)}
	for _, kind := range kinds {
		if seen[kind] < want[kind] {
			p.add("probe-"+kind, fmt.Sprintf("read %d answers", want[kind]), "all of them", fmt.Sprintf("%d answers", seen[kind]), false)
		}
	}
	names := make([]string, 0, len(reply.Interfaces))
	for _, i := range reply.Interfaces {
		names = append(names, i.Name)
	}
	p.add("interfaces", "list the network interfaces", "lo alone", strings.Join(names, ", "), slices.Equal(names, []string{"lo"}))
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
	switch a.Kind {
	case "health":
		var h egress.Health
		// Only the first value counts: cleaning the text marked the line's end.
		// An answer of another shape has no nonce.
		_ = json.NewDecoder(strings.NewReader(a.Body)).Decode(&h)
		same := nonce != "" && h.Nonce == nonce
		p.add("way-out", "ask the sidecar for this bottle's nonce", "the nonce", word(same, "the nonce", "another answer: "+found), a.Status == http.StatusOK && same)
	case "echo":
		p.add("way-bulk", "send 1 MiB through the tunnel and fetch 4 MiB", "all of it arrives", found, a.Status == http.StatusOK && a.Bytes == req.Down)
	case "target":
		p.add(a.Name, "connect to "+a.Target, "out of reach", found, out(a.Outcome))
	case "lookup":
		p.add("name-lookup", "look up "+a.Target, "no answer", found, a.Outcome != hop.OutcomeConnected)
	case "connect":
		p.add("proxy-refusal", "ask the proxy for "+a.Target, "403", found, a.Outcome == hop.OutcomeStatus && a.Status == http.StatusForbidden)
	case "vsock":
		p.add("host-vsock", "connect to the host's vsock port "+a.Target, "out of reach", found, out(a.Outcome))
	}
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

// failure is the error of a proof that does not hold, with its first miss.
func failure(r snapshot.Proof) error {
	var misses []string
	for _, l := range r.Lines {
		if !l.Holds {
			misses = append(misses, fmt.Sprintf("%s: expected %s, found %s", l.Tried, l.Expect, l.Found))
		}
	}
	why := "nothing could be tried"
	if len(misses) > 0 {
		why = misses[0]
	}
	return &fault.Error{
		What: "proving isolation", Why: why,
		Cure: "do not use this bottle; the whole report is in its details", Detail: strings.Join(misses, "\n"), Err: errProof,
	}
}

func orWord(err error, good string) string {
	if err != nil {
		return err.Error()
	}
	return good
}

func word(ok bool, good, bad string) string {
	if ok {
		return good
	}
	return bad
}

func short(hash string) string { return hash[:min(12, len(hash))] }

// newCanary makes the placeholder credential of one start. It has the shape of
// a real token, so that the client sends it; it opens nothing anywhere.
func newCanary() string {
	var b [24]byte
	_, _ = rand.Read(b[:])
	return "sk-ant-oat01-bottle-" + hex.EncodeToString(b[:])
}

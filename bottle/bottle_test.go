package bottle

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bottlebar.app/egress"
	"bottlebar.app/hop"
	"bottlebar.app/smolvm"
)

func TestNamesAreDNSLabelsWithoutDoubleHyphens(t *testing.T) {
	for _, ok := range []string{"a", "a1", "api-refactor", strings.Repeat("a", 63)} {
		if err := checkName(ok); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "-a", "a-", "a--b", "A", "a b", "a/b", "..", "é", "a\n", strings.Repeat("a", 64)} {
		if err := checkName(bad); err == nil {
			t.Errorf("%q is taken for a name", bad)
		}
	}
}

func TestATakenNameGetsANumberAndStaysShort(t *testing.T) {
	r := &Rack{cfg: Config{Changed: func() {}}}
	long := strings.Repeat("a", 63)
	for _, c := range []struct{ base, want string }{{"demo", "demo"}, {"demo", "demo-2"}, {"demo", "demo-3"}, {long, long}, {long, long[:61] + "-2"}} {
		b := newBottle(r, &entry{ID: newID(), Undo: []undoStep{{Kind: undoFolder}}})
		if err := r.add(b, "", c.base); err != nil || b.name != c.want {
			t.Errorf("%q: %q, %v", c.base, b.name, err)
		}
	}
}

func TestAFolderTooDeepForSocketsIsReachedByALinkOfOurs(t *testing.T) {
	temp := t.TempDir()
	deep := filepath.Join(t.TempDir(), strings.Repeat("deep/", 12), "b")
	p := Paths{Homes: deep, Temp: filepath.Join("/tmp")}
	if err := os.MkdirAll(p.folder("abcdefgh"), 0o700); err != nil {
		t.Fatal(err)
	}
	got, err := p.reach("abcdefgh")
	if err != nil {
		t.Fatal(err)
	}
	defer p.unreach("abcdefgh")
	if !fits(got) {
		t.Errorf("%s is too long still", got)
	}
	if to, err := filepath.EvalSymlinks(got); err != nil || to != p.folder("abcdefgh") {
		t.Errorf("%s leads to %s, %v", got, to, err)
	}
	again, err := p.reach("abcdefgh")
	if err != nil || again != got {
		t.Errorf("the second time %q, %v", again, err)
	}
	p.unreach("abcdefgh")
	if _, err := os.Lstat(got); err == nil {
		t.Error("the link is left over")
	}
	short := Paths{Homes: filepath.Join(temp, "b"), Temp: "/tmp"}
	if fits(short.folder("abcdefgh")) {
		if got, err := short.reach("abcdefgh"); err != nil || got != short.folder("abcdefgh") {
			t.Errorf("a short folder is reached by %q, %v", got, err)
		}
	}
}

func TestALinkFolderOfSomebodyElseIsRefused(t *testing.T) {
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(open, link); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{open, link, file} {
		if err := ownedDir(bad); err == nil {
			t.Errorf("%s is taken for a private folder", bad)
		}
	}
	if err := ownedDir(filepath.Join(dir, "new")); err != nil {
		t.Error(err)
	}
}

func TestAJournalEntryThatCannotBeReadIsSetAside(t *testing.T) {
	j := journal{t.TempDir()}
	good := &entry{ID: "aaaaaaaa", Name: "good", Phase: running, Secret: []byte{1, 2}}
	if err := j.write(good); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(j.path("aaaaaaaa"))
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the entry, which holds a secret, has mode %v, %v", fi.Mode(), err)
	}
	for name, text := range map[string]string{"bbbbbbbb": "{half", "cccccccc": `{"id":"dddddddd"}`, "eeeeeeee": `{"id":"eeeeeeee","schema":99}`} {
		if err := os.WriteFile(j.path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	entries, bad := j.read()
	if len(entries) != 1 || entries[0].Name != "good" || string(entries[0].Secret) != "\x01\x02" {
		t.Errorf("read %+v", entries)
	}
	if len(bad) != 3 {
		t.Errorf("%d errors: %v", len(bad), bad)
	}
	if _, again := j.read(); len(again) != 0 {
		t.Errorf("read again: %v", again)
	}
	if err := j.remove("aaaaaaaa"); err != nil {
		t.Error(err)
	}
	if err := j.remove("aaaaaaaa"); err != nil {
		t.Errorf("removing twice: %v", err)
	}
}

func FuzzJournalEntryNeverPanics(f *testing.F) {
	f.Add([]byte(`{"id":"aaaaaaaa","undo":[{"kind":"sidecar","data":{}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		j := journal{t.TempDir()}
		if err := os.WriteFile(j.path("aaaaaaaa"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		entries, bad := j.read()
		if len(entries)+len(bad) != 1 {
			t.Errorf("%d entries, %d errors", len(entries), len(bad))
		}
	})
}

func TestTheSessionsUserIsTheRecordsThenTheFirstOrdinaryThenRoot(t *testing.T) {
	root, claude, other := hop.User{Name: "root"}, hop.User{Name: "claude", UID: 1000}, hop.User{Name: "ci", UID: 1001}
	cases := []struct {
		want  string
		users []hop.User
		name  string
	}{
		{"", []hop.User{root, claude, other}, "claude"},
		{"", []hop.User{root, other}, "root"},
		{"", nil, "root"},
		{"ci", []hop.User{root, claude, other}, "ci"},
		{"1001", []hop.User{root, claude, other}, "ci"},
		{"nobody-here", []hop.User{root}, ""},
	}
	for _, c := range cases {
		got, err := chooseUser(c.want, c.users)
		if got.Name != c.name || (err != nil) != (c.name == "") {
			t.Errorf("%q of %v: %q, %v", c.want, c.users, got.Name, err)
		}
	}
}

func TestThePermissionModeIsClaudesAlone(t *testing.T) {
	cases := []struct {
		command []string
		mode    string
		want    string
	}{
		{[]string{"claude"}, "plan", "claude --permission-mode plan"},
		{[]string{"/usr/bin/claude", "-c"}, "auto", "/usr/bin/claude -c --permission-mode auto"},
		{[]string{"claude"}, "", "claude"},
		{[]string{"claude", "--permission-mode=default"}, "plan", "claude --permission-mode=default"},
		{[]string{"claude", "--dangerously-skip-permissions"}, "plan", "claude --dangerously-skip-permissions"},
		{[]string{"bash"}, "plan", "bash"},
	}
	for _, c := range cases {
		if got := strings.Join(withMode(c.command, c.mode), " "); got != c.want {
			t.Errorf("%v in mode %q: %q", c.command, c.mode, got)
		}
	}
}

func TestTheEnvironmentHoldsThePlaceholderAndNothingElseOfTheCredential(t *testing.T) {
	b := newBottle(&Rack{cfg: Config{Identity: Identity{TimeZone: "Europe/Berlin"}}}, &entry{Session: session{Canary: newCanary()}})
	for kind, name := range map[egress.CredentialKind]string{egress.Token: "CLAUDE_CODE_OAUTH_TOKEN", egress.APIKey: "ANTHROPIC_AUTH_TOKEN"} {
		env := b.environment(hop.User{UID: 1000}, kind)
		text := strings.Join(env, "\n")
		for _, want := range []string{name + "=" + b.entry.Session.Canary, "TZ=Europe/Berlin", "LANG=C.UTF-8", "ANTHROPIC_BASE_URL=http://127.0.0.1:3128", "NO_PROXY=localhost,127.0.0.1"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %s", kind, want)
			}
		}
		for _, never := range []string{"ANTHROPIC_API_KEY", "SSH_AUTH_SOCK", "IS_SANDBOX"} {
			if strings.Contains(text, never) {
				t.Errorf("%s: holds %s", kind, never)
			}
		}
	}
	if !strings.Contains(strings.Join(b.environment(hop.User{}, egress.Token), "\n"), "IS_SANDBOX=1") {
		t.Error("root gets no IS_SANDBOX")
	}
}

// honest is what a helper answers whose bottle is closed.
func honest(req hop.ProbeRequest, nonce string) hop.ProbeReply {
	add := func(r *hop.ProbeReply, a hop.Attempt) { r.Attempts = append(r.Attempts, a) }
	var r hop.ProbeReply
	body, _ := json.Marshal(egress.Health{Nonce: nonce})
	add(&r, hop.Attempt{Kind: "health", Status: 200, Outcome: hop.OutcomeStatus, Body: string(body) + "�"})
	add(&r, hop.Attempt{Kind: "echo", Status: 200, Outcome: hop.OutcomeStatus, Bytes: req.Down})
	for range req.Parallel {
		add(&r, hop.Attempt{Kind: "parallel", Status: 200, Outcome: hop.OutcomeStatus})
	}
	for _, t := range req.Targets {
		add(&r, hop.Attempt{Kind: "target", Name: t.Name, Target: t.Addr, Outcome: hop.OutcomeUnreachable})
	}
	for _, l := range req.Lookups {
		add(&r, hop.Attempt{Kind: "lookup", Target: l, Outcome: hop.OutcomeNoName})
	}
	for _, c := range req.Connects {
		add(&r, hop.Attempt{Kind: "connect", Target: c, Status: 403, Outcome: hop.OutcomeStatus})
	}
	for _, v := range req.Vsock {
		add(&r, hop.Attempt{Kind: "vsock", Target: fmt.Sprint(v), Outcome: hop.OutcomeRefused})
	}
	r.Interfaces = []hop.Interface{{Name: "lo", Up: true}}
	return r
}

// Whatever a helper leaves out or reports differently, the verdict gets worse,
// never better.
func TestWhatTheHelperSaysCanOnlyLowerTheVerdict(t *testing.T) {
	req := hop.ProbeRequest{Health: "/healthz", Echo: "/echo", Up: 1, Down: 4, Parallel: 3, Targets: []hop.ProbeTarget{{Name: "a", Addr: "x:1"}, {Name: "b", Addr: "y:2"}}, Lookups: []string{"n"}, Connects: []string{"c:1", "d:2"}, Vsock: []uint32{1}}
	holds := func(r hop.ProbeReply) bool {
		p := new(proof)
		judge(p, req, r, "nonce")
		p.verdict()
		return p.report.Holds
	}
	if !holds(honest(req, "nonce")) {
		t.Fatal("a closed bottle does not pass")
	}
	n := len(honest(req, "nonce").Attempts)
	for i := range n {
		r := honest(req, "nonce")
		kind := r.Attempts[i].Kind
		r.Attempts = append(r.Attempts[:i:i], r.Attempts[i+1:]...)
		if holds(r) {
			t.Errorf("passes without its answer %d (%s)", i, kind)
		}
		for _, outcome := range []string{hop.OutcomeConnected, "", "made-up"} {
			r := honest(req, "nonce")
			r.Attempts[i].Outcome, r.Attempts[i].Status, r.Attempts[i].Bytes = outcome, 500, 1
			if kind != "lookup" && holds(r) || kind == "lookup" && outcome == hop.OutcomeConnected && holds(r) {
				t.Errorf("passes with %s answering %q", kind, outcome)
			}
		}
	}
	for _, ifs := range [][]hop.Interface{nil, {{Name: "lo"}, {Name: "eth0"}}, {{Name: "eth0"}}} {
		r := honest(req, "nonce")
		r.Interfaces = ifs
		if holds(r) {
			t.Errorf("passes with interfaces %v", ifs)
		}
	}
	if holds(honest(req, "another bottle's")) {
		t.Error("passes with the nonce of another bottle")
	}
	if holds(hop.ProbeReply{}) {
		t.Error("passes without any answer")
	}
}

func TestTheVMsProcessMustBelongToTheInstallation(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "smolvm-1", "smolvm")
	if err := os.MkdirAll(filepath.Dir(real), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(real, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "smolvm")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	for exe, want := range map[string]bool{
		real: true, filepath.Join(dir, "smolvm-1", "smolvm-bin"): true, filepath.Join(dir, "smolvm-1", "lib", "x"): true,
		"/usr/bin/python3": false, filepath.Join(dir, "other"): false, "": false, dir + "/smolvm-1evil/x": false,
	} {
		if got := ownedBy(exe, link); got != want {
			t.Errorf("%q: %v", exe, got)
		}
	}
}

// A process with an internet socket is told from one without.
func TestInspectFindsInternetSockets(t *testing.T) {
	p, err := inspect(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Network) != 0 {
		t.Fatalf("this test has sockets before it opens one: %v", p.Network)
	}
	c, err := openCanaries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if p, err = inspect(os.Getpid()); err != nil || len(p.Network) < len(c.listeners) {
		t.Errorf("found %v of %d sockets, %v", p.Network, len(c.listeners), err)
	}
	if p.Executable == "" || len(p.Args) == 0 {
		t.Errorf("found %+v", p)
	}
}

func TestAFolderThatMayNotBeWrittenIsRemovedWithoutFollowingLinks(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "keep")
	if err := os.WriteFile(outside, nil, 0o400); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "home")
	if err := os.MkdirAll(filepath.Join(dir, "ro", "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "ro", "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "ro"), 0o500); err != nil {
		t.Fatal(err)
	}
	if err := removeAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the folder is there still")
	}
	if fi, err := os.Stat(outside); err != nil || fi.Mode().Perm() != 0o400 {
		t.Errorf("what a link pointed to: %v, %v", fi, err)
	}
}

func TestAReleaseThatMustNotBeUsedIsRefused(t *testing.T) {
	in := &smolvm.Install{Notices: []smolvm.Notice{{Severity: smolvm.Warn, Text: "old"}}}
	if err := checkInstall(in); err != nil {
		t.Errorf("a warning refuses: %v", err)
	}
	in.Notices = append(in.Notices, smolvm.Notice{Severity: smolvm.Refuse, Text: "broken", Cure: "update"})
	if err := checkInstall(in); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("got %v", err)
	}
}

func TestTheLogsOfSidecarAndHelperAreBoundedCleanLines(t *testing.T) {
	var d diary
	at := time.Unix(1000, 0)
	for i := range diarySize + 3 {
		d.add(at, hop.Happening{Kind: hop.EventRefused, Text: fmt.Sprint("try ", i, " \x1b[2J"), Number: 4})
	}
	lines := strings.Split(strings.TrimSpace(d.text()), "\n")
	if len(lines) != diarySize || !strings.HasPrefix(lines[0], "1970-01-01T00:16:40Z refused: try 3 ") || strings.ContainsRune(d.text(), 0x1b) {
		t.Errorf("%d lines, the first %q", len(lines), lines[0])
	}
	b := newBottle(&Rack{}, &entry{})
	if err := b.recent.Add(decision(egress.Decision{Time: at, Kind: egress.Denied, Via: "connect", Host: "evil.example\x1b", Port: 443, Reason: egress.NotAllowed, Count: 2})); err != nil {
		t.Fatal(err)
	}
	if got := b.sidecarLog(); !strings.HasPrefix(got, "1970-01-01T00:16:40Z connect denied evil.example") || strings.Count(got, "\n") != 1 || strings.ContainsRune(got, 0x1b) {
		t.Errorf("the sidecar's log reads %q", got)
	}
}

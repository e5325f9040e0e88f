package app_test

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"bottlebar.app/control"
	"bottlebar.app/internal/claude"
)

// nodeProgram fetches by TLS through the proxy that its environment names.
const nodeProgram = `const http = require('http'), https = require('https'), tls = require('tls');
const u = new URL(process.argv[2]), p = new URL(process.env.HTTPS_PROXY);
http.request({host: p.hostname, port: p.port, method: 'CONNECT', path: u.host}).on('connect', (r, socket) => {
  if (r.statusCode !== 200) { console.error(r.statusCode + ' ' + r.statusMessage); process.exit(1); }
  const conn = tls.connect({socket, host: u.hostname}, () =>
    https.request({host: u.hostname, path: u.pathname, createConnection: () => conn}, (r) => r.pipe(process.stdout)).end());
  conn.on('error', (e) => { console.error(String(e)); process.exit(1); });
}).end();
`

// aptOptions let apt-get work for an ordinary user in a folder of its own.
const aptOptions = `A=$PWD/apt; rm -rf $A; mkdir -p $A/state/lists/partial $A/cache/archives/partial; : > $A/status
echo "deb [trusted=yes] $P/apt ./" > $A/sources.list
apt() { apt-get -q -o Dir::Etc::sourcelist=$A/sources.list -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::main=/dev/null -o Dir::Etc::parts=/dev/null \
  -o Dir::Etc::trusted=/dev/null -o Dir::Etc::trustedparts=/dev/null -o Dir::State=$A/state -o Dir::State::status=$A/status -o Dir::Cache=$A/cache \
  -o APT::Architecture=amd64 -o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::Retries=0 "$@"; }
`

// clients are what people fetch things with. $S and $P are the TLS and the
// plain side of a server; refused is in what the client itself prints when that
// server is not allowed.
var clients = []struct{ name, script, want, refused string }{
	{"curl, https", `curl -sS $S/hello`, "hello over https", "403"},
	{"curl, http", `curl -sS -f $P/hello || curl -sS $P/hello; curl -sS -f -o /dev/null $P/hello`, "hello over http", "blocked by the bottle's policy. Do not retry"},
	{"curl, events", `curl -sSNf $S/events | grep -c '^data: '`, "50\n", "403"},
	{"git", `rm -rf r && git clone -q $S/git/demo.git r && git -C r log --format=%s`, "a commit from the field", "403"},
	{"npm", `rm -rf n && mkdir n && cd n && node ` + claude.NPM + ` install --no-audit --no-fund --fetch-retries=0 --registry=$S/npm/ tiny && node -e 'console.log(require("tiny"))'`, "tiny from the registry", "403"},
	{"pip", `rm -rf p && python3 ` + claude.Pip + ` install --retries 1 --disable-pip-version-check --no-cache-dir --target p --index-url $S/simple/ tiny-demo && PYTHONPATH=p python3 -c 'import tiny_demo; print(tiny_demo.text)'`, "tiny from the index", "is blocked by the bottle's policy"},
	{"apt", aptOptions + `apt update && cd $A && apt download tiny && cat tiny_1.0_all.deb`, "tiny from the repository", "is blocked by the bottle's policy"},
	{"a Go program, https", `./client get $S/hello`, "hello over https", "blocked by the bottle's policy"},
	{"a Go program, http", `./client get $P/hello`, "hello over http", "blocked by the bottle's policy"},
	{"a Node program", `node get.js $S/hello`, "hello over https", "is blocked by the bottle's policy"},
	{"a WebSocket over TLS", `./client ws wss${S#https}/socket`, "the socket says hello", "blocked by the bottle's policy"},
	{"a WebSocket", `./client ws ws${P#http}/socket`, "the socket says hello", "blocked by the bottle's policy"},
}

// The programs that people fetch things with, in a bottle: each works against
// what a rule allows, each says what was wrong where none does, and none gets
// anywhere past the proxy.
func TestTheClientsOfTheFieldWorkWhenAllowedAndSayWhenNot(t *testing.T) {
	t.Parallel()
	f := newField(t)
	dir, err := claude.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	artifact, err := claude.Clients(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	h := newHome(t, f.settings())
	h.open()
	if _, err := h.app.AddArtifact(t.Context(), control.AddRequest{Path: artifact, Name: "clients"}, nil); err != nil {
		t.Fatal(err)
	}
	b, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "clients"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.app.Stop(context.WithoutCancel(t.Context()), b.Name); err != nil {
			t.Error(err)
		}
	})
	tools := bringTools(t, h, b.Name, f.root)
	run := func(script, secure, plain string) result {
		t.Helper()
		r, err := h.exec(b.Name, control.ExecRequest{
			Argv: []string{"bash", "-c", "set -o pipefail; cd " + tools + "; S=" + secure + "; P=" + plain + "\n" + script},
			Env: []string{
				"CURL_CA_BUNDLE=" + tools + "/ca.pem", "GIT_SSL_CAINFO=" + tools + "/ca.pem", "NODE_EXTRA_CA_CERTS=" + tools + "/ca.pem",
				"PIP_CERT=" + tools + "/ca.pem", "SSL_CERT_FILE=" + tools + "/ca.pem", "GIT_TERMINAL_PROMPT=0", "PYTHONPYCACHEPREFIX=" + tools + "/pyc",
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	https, http := "https://"+f.secure.Addr().String(), "http://"+f.plain.Addr().String()
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			if r := run(c.script, https, http); r.code != 0 || !strings.Contains(r.stdout, c.want) {
				t.Errorf("allowed: code %d\n%s%s", r.code, lastLines(r.stdout), lastLines(r.stderr))
			}
			r := run(c.script, "https://"+f.secret.Addr().String(), "http://"+f.hidden.Addr().String())
			if r.code == 0 || !strings.Contains(r.stdout+r.stderr, c.refused) || strings.Contains(r.stdout, c.want) {
				t.Errorf("refused: code %d, and not %q in\n%s%s", r.code, c.refused, lastLines(r.stdout), lastLines(r.stderr))
			}
		})
	}
	for _, url := range []string{https, http} {
		if r := run("curl -sS --max-time 5 --noproxy '*' "+url+"/hello", "", ""); r.code == 0 || strings.Contains(r.stdout, "hello") {
			t.Errorf("past the proxy: %+v", r)
		}
	}
	if n := f.hits.Load(); n != 0 {
		t.Errorf("what is not allowed was reached %d times", n)
	}
}

// bringTools copies the test's root certificate and its own two programs into
// the bottle and returns the folder.
func bringTools(t *testing.T, h *home, bottle, root string) string {
	t.Helper()
	dir := t.TempDir()
	client := filepath.Join(dir, "client")
	if err := goBuild(client, "bottlebar.app/internal/claude/client"); err != nil {
		t.Fatal(err)
	}
	files := []string{client}
	for name, text := range map[string]string{"ca.pem": root, "get.js": nodeProgram} {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, p)
	}
	reply, err := h.app.Copy(t.Context(), bottle, control.CopyRequest{In: true, Host: files, Guest: "tools/", IntoFolder: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return path.Dir(reply.Paths[0])
}

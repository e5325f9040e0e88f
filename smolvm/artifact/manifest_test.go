package artifact

import (
	"strings"
	"testing"
)

func TestManifestsThatAskForWhatMustNotBeAreRefused(t *testing.T) {
	for _, c := range []struct{ old, new, why string }{
		{`"cpus":2`, `"cpus":0`, "no CPU"},
		{`"cpus":2`, `"cpus":256`, "cannot be read"},
		{`"cpus":2`, `"cpus":2.5`, "cannot be read"},
		{`"cpus":2`, `"cpus":null`, "cannot be read"},
		{`"mem":1024`, `"mem":63`, "63 MiB"},
		{`"mem":1024`, `"mem":4294967295`, "MiB of memory"},
		{`"mem":1024`, `"mem":-1`, "cannot be read"},
		{`"image":"example:latest"`, `"image":"a\u0000b"`, "text that is none"},
		{`"image":"example:latest"`, `"image":"a\u001b[2Jb"`, "text that is none"},
		{`"image":"example:latest"`, `"image":null`, "cannot be read"},
		{`"image":"example:latest"`, `"Image":"example:latest"`, "cannot be read"},
		{`"image":"example:latest"`, `"image":"a","image":"b"`, "cannot be read"},
		{`"digest":"none"`, `"digest":"../../x"`, "digest"},
		{`"mem":1024`, `"mode":"other","mem":1024`, "mode"},
		{`"mem":1024`, `"workdir":"../x","mem":1024`, "not absolute"},
		{`"mem":1024`, `"workdir":null,"mem":1024`, ""},
		{`"mem":1024`, `"entrypoint":["a\u0000"],"mem":1024`, "NUL"},
		{`"mem":1024`, `"entrypoint":[null],"mem":1024`, "cannot be read"},
		{`"mem":1024`, `"secret_refs":{},"mem":1024`, ""},
		{`"mem":1024`, `"secret_refs":{"K":{"from_file":"/etc/shadow"}},"mem":1024`, "secrets"},
		{`"mem":1024`, `"unknown":{"a":[1,{"b":null}]},"Network":true,"mem":1024`, ""},
		{`"path":"agent-rootfs.tar"`, `"path":"../agent-rootfs.tar"`, "leads upwards"},
		{`"path":"agent-rootfs.tar"`, `"path":"/etc/passwd"`, "absolute"},
		{`"layers":[]`, `"layers":[],"overlay_logical_size":2000000000000`, "disk of more than"},
		{`"layers":[]`, `"layers":[],"storage_template":{"path":"../s","size":1}`, "leads upwards"},
		{`"layers":[]`, `"layers":[{"digest":"d","path":"agent-rootfs.tar","size":1}]`, "two things"},
		{`"layers":[]`, `"layers":[{"digest":"d","path":"a/../b","size":1}]`, "leads upwards"},
		{`"libraries":[]`, `"libraries":[{"path":"lib/../../x","size":1}]`, "leads upwards"},
		{`"libraries":[]`, `"libraries":null`, "cannot be read"},
	} {
		m := strings.Replace(manifestOf(false), c.old, c.new, 1)
		if m == manifestOf(false) {
			t.Fatalf("%s is not in the manifest", c.old)
		}
		expect(t, c.new, seal(compress(t, tarOf(t)), m), c.why)
	}
}

func TestKeysOfAManifestAreTakenExactly(t *testing.T) {
	m, err := decodeManifest([]byte(strings.Replace(manifestOf(false), `"mem"`, `"network":false,"NETWORK":true,"mem"`, 1)))
	if err != nil || m.Network {
		t.Errorf("a key in other letters counts: %+v %v", m, err)
	}
}

func TestMissingFieldsAreToldWithTheirPlace(t *testing.T) {
	for doc, want := range map[string]string{
		`{"image":"a"}`:          "JSON error: missing field `digest` at line 1 column 13",
		"{\n \"image\":\"a\"\n}": "JSON error: missing field `digest` at line 3 column 1",
		"  x":                    "JSON error: expected value at line 1 column 3",
		`{"image":"a","assets":{"libraries":[]}}`: "JSON error: missing field `agent_rootfs` at line 1 column 38",
		`{"image":"a","image":"b"}`:               "JSON error: duplicate field `image` at line 1 column 24",
	} {
		if _, err := decodeManifest([]byte(doc)); err == nil || err.Reply != want {
			t.Errorf("%s: %v, want %q", doc, err, want)
		}
	}
}

package image

import (
	"strings"
	"testing"

	"bottlebar.app/internal/fault"
)

func TestAReferenceIsReadAsPeopleWriteIt(t *testing.T) {
	const digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	for in, want := range map[string][2]string{
		"node":                            {"docker.io/library/node:latest", "node:latest"},
		"node:22":                         {"docker.io/library/node:22", "node:22"},
		"team/app":                        {"docker.io/team/app:latest", "team/app:latest"},
		"ghcr.io/team/app:1.2":            {"ghcr.io/team/app:1.2", "ghcr.io/team/app:1.2"},
		"localhost:5000/app":              {"localhost:5000/app:latest", "localhost:5000/app:latest"},
		"debian@" + digest:                {"docker.io/library/debian@" + digest, "debian@" + digest},
		"debian:13@" + digest:             {"docker.io/library/debian@" + digest, "debian@" + digest},
		"registry.example:5000/a/b_c.d:x": {"registry.example:5000/a/b_c.d:x", "registry.example:5000/a/b_c.d:x"},
	} {
		r, err := Parse(in)
		if err != nil || r.String() != want[0] || r.Familiar() != want[1] {
			t.Errorf("%s: %q %q %v", in, r, r.Familiar(), err)
		}
	}
}

func TestAHostileReferenceIsRefusedWithACure(t *testing.T) {
	for _, in := range []string{
		"", "-I", "--from-vm", "a b", "a\nb", "a\x00b", "nöde", "no\u202ede", "https://ghcr.io/a", "docker://a", "Node", "a:b:c", "a@sha256:12", "../etc", "/etc/passwd",
		"a/../b", "a?b", "a;b", "a|b", "$(id)", "a%2fb", strings.Repeat("a", 600), strings.Repeat("a/", 200) + "a", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	} {
		_, err := Parse(in)
		if err == nil {
			t.Errorf("%q passes", in)
			continue
		}
		if f := fault.Of(err); f.Cure == "" || f.Why == "" || len(err.Error()) > 300 {
			t.Errorf("%q: %+v", in, f)
		}
	}
}

// Whatever passes is safe as an argument and in a path, and means the same when
// it is read again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"node:22", "ghcr.io/a/b@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "-x", "a/../b", "A:b", "localhost:5000/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Parse(s)
		if err != nil {
			return
		}
		for _, out := range []string{r.String(), r.Familiar()} {
			if out == "" || out[0] == '-' || strings.Contains(out, "..") || strings.ContainsFunc(out, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune("?#%\\;|&$<>'\"`", c) }) {
				t.Fatalf("%q became %q", s, out)
			}
			again, err := Parse(out)
			if err != nil || again != r {
				t.Fatalf("%q became %q, and that %q, %v", s, r, again, err)
			}
		}
	})
}

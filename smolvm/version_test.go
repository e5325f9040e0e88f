package smolvm

import (
	"strings"
	"testing"
)

func TestParseVersionTakesOnlySmolvmsLine(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"smolvm 0.8.0", "0.8.0"},
		{"smolvm 1.10.2", "1.10.2"},
		{"smolvm 1.9.3-rc.1", "1.9.3-rc.1"},
		{"smolvm 1.9.3 (abc 2026-01-01)", "1.9.3"},
		{"smolvm 1.9.3+build", "1.9.3"},
		{"smolvm 1.9", ""},
		{"SmolVM 1.9.3", ""},
		{"smolvm, version 1.9.3", ""},
		{" smolvm 1.9.3", ""},
		{"smolvm 1.9.3x", ""},
		{"smolvm 99999999999999999999.0.0", ""},
		{"", ""},
	} {
		v, err := ParseVersion(c.line)
		if got := v.String(); (err == nil) != (c.want != "") || (err == nil && got != c.want) {
			t.Errorf("ParseVersion(%q) = %v, %v, want %q", c.line, got, err, c.want)
		}
	}
}

func TestFamilyComparesNumbersNotText(t *testing.T) {
	for version, want := range map[string]Family{
		"0.8.0": FamilyA, "0.8.1": FamilyB, "0.9.0": FamilyB, "0.10.0": FamilyB, "1.0.0": FamilyB, "1.0.1": FamilyB,
		"1.0.2": FamilyC, "1.7.7": FamilyC, "1.7.10": FamilyC, "1.8.0": FamilyD, "1.10.0": FamilyD, "2.0.0": FamilyD,
	} {
		if got := must(t, version).Family(); got != want {
			t.Errorf("family of %s is %s, want %s", version, got, want)
		}
	}
}

func TestNoticesKnowTheBadReleases(t *testing.T) {
	for _, c := range []struct {
		version, goos string
		want          []Severity
	}{
		{"0.8.0", "linux", []Severity{Warn}},
		{"1.3.7", "darwin", []Severity{Warn}},
		{"1.3.8", "linux", nil},
		{"1.5.0", "linux", []Severity{Warn}},
		{"1.5.1", "linux", nil},
		{"1.6.13", "darwin", nil},
		{"1.7.0", "darwin", []Severity{Refuse}},
		{"1.7.0", "linux", nil},
		{"1.7.3", "linux", []Severity{Refuse}},
		{"1.7.4", "darwin", []Severity{Refuse}},
		{"1.7.5", "linux", nil},
		{"1.7.5", "darwin", []Severity{Refuse}},
		{"1.7.6", "darwin", []Severity{Refuse}},
		{"1.7.7", "darwin", nil},
		{"1.9.3", "linux", nil},
		{"1.9.4", "linux", []Severity{Info}},
		{"2.0.0", "darwin", []Severity{Info}},
	} {
		var got []Severity
		for _, n := range notices(must(t, c.version), c.goos) {
			got = append(got, n.Severity)
			if n.Text == "" || n.Cure == "" {
				t.Errorf("%s on %s: notice without text or cure", c.version, c.goos)
			}
		}
		if len(got) != len(c.want) || (len(got) > 0 && got[0] != c.want[0]) {
			t.Errorf("%s on %s: %v, want %v", c.version, c.goos, got, c.want)
		}
	}
}

func FuzzParseVersion(f *testing.F) {
	for _, s := range []string{"smolvm 1.9.3", "smolvm 0.8.0-rc.1 x", "smolvm", "\xff", "smolvm 1.2.3\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		v, err := ParseVersion(line)
		if err != nil {
			return
		}
		again, err := ParseVersion("smolvm " + v.String())
		if err != nil || again != v {
			t.Errorf("%q reads as %v, which reads as %v, %v", line, v, again, err)
		}
		if !strings.HasPrefix(line, "smolvm ") {
			t.Errorf("%q passed", line)
		}
	})
}

package guest

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPasswdKeepsOnlyWhatIsWellFormed(t *testing.T) {
	users := parsePasswd(strings.NewReader(strings.Join([]string{
		"root:x:0:0:root:/root:/bin/bash", "node:x:1000:1000::/home/node:/bin/sh", "noshell:x:2:2::/x:",
		"", "short:x:1", "neg:x:-1:0::/:/bin/sh", "big:x:99999999999:0::/:/bin/sh", "rel:x:5:5::home:/bin/sh",
		"\x1b[2J:x:6:6::/:/bin/sh", "-rf:x:7:7::/:/bin/sh", "a b:x:8:8::/:/bin/sh", "ctl:x:9:9::/\x07:/bin/sh",
	}, "\n")))
	var names []string
	for _, u := range users {
		names = append(names, u.Name)
	}
	if want := []string{"root", "node", "noshell"}; !slices.Equal(names, want) {
		t.Errorf("got %q", names)
	}
	if got := parseGroups(strings.NewReader("a:x:1:node\nb:x:2:x,node\nc:x:3:nodes\nbad\nd:x:y:node"), "node"); !slices.Equal(got, []uint32{1, 2}) {
		t.Errorf("groups %v", got)
	}
}

func TestStatSessionSurvivesNamesWithBrackets(t *testing.T) {
	for line, want := range map[string]int{
		"12 (sh) S 1 12 34 0 -1":       34,
		"12 (a) b) S 1 12 35 0 -1":     35,
		"12 (x (y) 9 9 9) R 1 12 36 0": 36,
		"12 (sh":                       0,
		"":                             0,
	} {
		if got, _ := statSession(line); got != want {
			t.Errorf("%q gives %d", line, got)
		}
	}
}

func TestPacerLetsABurstThroughAndSpreadsTheRest(t *testing.T) {
	p := pacer{burst: 3, every: time.Second}
	now := time.Unix(100, 0)
	var waits []time.Duration
	for range 5 {
		waits = append(waits, max(0, p.next(now)))
	}
	if want := []time.Duration{0, 0, 0, time.Second, 2 * time.Second}; !slices.Equal(waits, want) {
		t.Errorf("got %v", waits)
	}
}

func FuzzPasswd(f *testing.F) {
	f.Add("root:x:0:0:root:/root:/bin/bash\nnode:x:1000:1000::/home/node:/bin/sh\n")
	f.Add(strings.Repeat(":", 1000))
	f.Fuzz(func(t *testing.T, s string) {
		users := parsePasswd(strings.NewReader(s))
		if len(users) > maxAccounts {
			t.Fatalf("%d users", len(users))
		}
		for _, u := range users {
			if strings.ContainsAny(u.Name+u.Home+u.Shell, "\n\x1b\x00") || u.Name == "" || u.Home == "" {
				t.Fatalf("%+v", u)
			}
		}
		parseGroups(strings.NewReader(s), "root")
	})
}

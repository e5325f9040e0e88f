package screen

import (
	"strings"
	"testing"
	"time"

	"bottlebar.app/snapshot"
)

func TestABottleThatNobodyWatchesCallsOnce(t *testing.T) {
	quiet := snapshot.Bottle{ID: "a", Name: "api", State: snapshot.Ready, Session: snapshot.Working}
	needs, rang := quiet, quiet
	needs.Session, needs.Title = snapshot.NeedsYou, "run \x1b[31mrm\u202e -rf "+strings.Repeat("x", 400)
	rang.Rang = true
	other := needs
	other.ID, other.Name = "b", "docs"
	at := time.Unix(1000, 0)
	var c calls
	watched := ""
	for _, step := range []struct {
		what    string
		after   time.Duration
		watched string
		bottles []snapshot.Bottle
		want    string
	}{
		{"what was there before the app", 0, "", []snapshot.Bottle{needs}, ""},
		{"it is answered", time.Minute, "", []snapshot.Bottle{quiet}, ""},
		{"it needs somebody", time.Second, "", []snapshot.Bottle{needs}, "api needs you"},
		{"it still does", time.Minute, "", []snapshot.Bottle{needs}, ""},
		{"it works", time.Second, "", []snapshot.Bottle{quiet}, ""},
		{"its bell", time.Second, "", []snapshot.Bottle{rang}, "api rang the bell"},
		{"typed", time.Second, "", []snapshot.Bottle{quiet}, ""},
		{"the bell too soon again", time.Second, "", []snapshot.Bottle{rang}, ""},
		{"another one, a moment later", time.Second, "", []snapshot.Bottle{rang, other}, "docs needs you"},
		{"all quiet", time.Minute, "", []snapshot.Bottle{quiet}, ""},
		{"somebody watches", time.Minute, "a", []snapshot.Bottle{needs}, ""},
	} {
		at, watched = at.Add(step.after), step.watched
		var got []string
		for _, n := range c.of(step.bottles, func(id string) bool { return id == watched }, at) {
			got = append(got, n.Title)
			if strings.ContainsAny(n.Content, "\x1b\u202e") || len(n.Content) > 2*maxCallText {
				t.Errorf("%s: the text is %q", step.what, n.Content)
			}
		}
		if strings.Join(got, ", ") != step.want {
			t.Errorf("%s: told %q, want %q", step.what, got, step.want)
		}
	}
}

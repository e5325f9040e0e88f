package screen

import (
	"testing"
	"time"

	"bottlebar.app/snapshot"
)

// One notice for the first place, none for a flood, one more after a while if
// there is something new, and none while somebody looks.
func TestAFloodOfNamesIsOneNotice(t *testing.T) {
	n, now := notices{}, time.Unix(1000, 0)
	ask := func(news int, looking bool) int {
		return len(n.due([]snapshot.Bottle{{ID: "b1", Asks: snapshot.Asks{News: news}}}, looking, now))
	}
	told := ask(0, false)
	for i := range 1000 {
		told += ask(1+i, false)
		now = now.Add(100 * time.Millisecond)
	}
	if told != 1 {
		t.Errorf("%d notices for a flood", told)
	}
	now = now.Add(notifyEvery)
	if ask(1001, true) != 0 {
		t.Error("a notice for somebody who looks")
	}
	if ask(1001, false) != 0 {
		t.Error("a notice for what was looked at")
	}
	if ask(1002, false) != 1 {
		t.Error("no notice for what is new after a while")
	}
	if n.due(nil, false, now); len(n) != 0 {
		t.Error("a bottle that is gone is remembered")
	}
}

func TestANoticeNamesTheHostCleanedAndCut(t *testing.T) {
	title, text := noticeOf(snapshot.Bottle{Name: "docs-fix", Asks: snapshot.Asks{Rows: []snapshot.Ask{{Host: "evil\x1b.example", Port: 443}, {Host: "x"}}, MoreNames: 310}})
	if title != "docs-fix asks for a host" || text != "evil�.example:443 and 311 others. It was refused; Activity lists it." {
		t.Errorf("%q, %q", title, text)
	}
}

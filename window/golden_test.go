package window

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"bottlebar.app/snapshot"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The goldens are reviewed markup: where everything lies, in which colour and
// size. A difference is written to testdata/failed; look at it on the screen
// before it replaces the golden.
func TestRowsAndCardsLieWhereTheyWereReviewed(t *testing.T) {
	w, _, _ := setUp(t)
	b := running()
	b.Allowed, b.Blocked, b.Simulated = 214, 3, true
	card := newCard(w, b.ID)
	card.show(b, noon)
	row := newArtifactRow(newLibrary(w, w.o.App.NewWindow("")))
	row.show(shelf()[0], false)
	selected := newArtifactRow(newLibrary(w, w.o.App.NewWindow("")))
	selected.show(shelf()[0], true)
	decision := newDecisionRow()
	decision.show(snapshot.Decision{Time: noon, Bottle: "docs-fix", Verdict: "denied", Host: "evil.example", Port: 443, Rule: "not on the list"}, noon)
	ask := newAskRow(newAsking(w))
	ask.show(wanted{bottle: b.ID, name: "docs-fix", ask: askOf("1", "registry.npmjs.org", 0)}, noon)
	policy := newPolicyRow()
	policy.show(snapshot.PolicyRule{Action: "allow", Host: "registry.npmjs.org", Port: 443, Origin: "bottle", Preset: "node", Hits: 12}, noon)
	for name, o := range map[string]fyne.CanvasObject{"card": card.root, "row": row, "row-selected": selected, "decision": decision, "ask": ask, "policy": policy} {
		win := test.NewTempWindow(t, o)
		win.SetPadded(false)
		win.Resize(fyne.NewSize(720, o.MinSize().Height))
		if *update {
			markup := test.RenderToMarkup(win.Canvas())
			if err := os.WriteFile(filepath.Join("testdata", name+".xml"), []byte(markup), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		test.AssertRendersToMarkup(t, name+".xml", win.Canvas())
	}
}

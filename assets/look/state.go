package look

import (
	"fyne.io/fyne/v2"

	"bottlebar.app/assets"
	"bottlebar.app/snapshot"
)

// State is how a bottle's state is shown: a shape, a word, and a colour that
// only repeats what they say.
type State struct {
	Rune  string // the shape as text, for menus: "●"
	Word  string // "working"
	Shape assets.ShapeName
	Color fyne.ThemeColorName
	Rank  Rank
}

// Rank orders states by how much they want attention.
type Rank int

// The ranks, least urgent first. A failed bottle stays until it is discarded:
// it must not hide that another one starts or waits for somebody.
const (
	RankNothing Rank = iota // stopped, or no bottle at all
	RankIdle                // idle, done
	RankWorking
	RankFailed
	RankMoving // starting or stopping
	RankNeedsYou
	RankAlarm // lost, or not isolated any more
)

// Of returns how b is shown.
func Of(b snapshot.Bottle) State {
	switch b.State {
	case snapshot.Preparing, snapshot.Creating, snapshot.Starting, snapshot.Proving:
		return State{"◌", "starting", assets.ShapeMoving, ColorQuiet, RankMoving}
	case snapshot.Stopping:
		return State{"◌", "stopping", assets.ShapeMoving, ColorQuiet, RankMoving}
	case snapshot.Stopped:
		return State{"◻", "stopped", assets.ShapeStopped, ColorQuiet, RankNothing}
	case snapshot.Failed:
		return failed()
	case snapshot.Ready:
		return ofSession(b)
	}
	return State{"?", "lost", assets.ShapeUnknown, ColorFailed, RankAlarm}
}

func ofSession(b snapshot.Bottle) State {
	if b.Isolation == snapshot.ProofFailed {
		s := failed()
		s.Word, s.Rank = "isolation lost", RankAlarm
		return s
	}
	if b.HelperLost {
		return State{"?", "helper lost", assets.ShapeUnknown, ColorFailed, RankAlarm}
	}
	switch b.Session {
	case snapshot.Working:
		return State{"●", "working", assets.ShapeWorking, ColorGood, RankWorking}
	case snapshot.NeedsYou:
		return State{"◐", "needs you", assets.ShapeNeeds, ColorNeedsYou, RankNeedsYou}
	case snapshot.Done:
		return State{"✓", "done", assets.ShapeDone, ColorGood, RankIdle}
	case snapshot.Ended:
		return failed()
	}
	return State{"○", "idle", assets.ShapeIdle, ColorQuiet, RankIdle}
}

func failed() State {
	return State{"✕", "failed", assets.ShapeFailed, ColorFailed, RankFailed}
}

// OfCheck returns how a line of Setup is shown.
func OfCheck(c snapshot.CheckState) State {
	switch c {
	case snapshot.CheckOK:
		return State{"✓", "good", assets.ShapeDone, ColorGood, RankIdle}
	case snapshot.CheckWarn:
		return State{"◐", "look at this", assets.ShapeNeeds, ColorNeedsYou, RankNeedsYou}
	case snapshot.CheckFailed:
		return State{"✕", "missing", assets.ShapeFailed, ColorFailed, RankFailed}
	}
	return State{"◌", "checking", assets.ShapeMoving, ColorQuiet, RankMoving}
}

// Glyph returns the menu-bar glyph for all bottles together: the most urgent
// wins. tick, 0 to 3 and on, moves the filling while a bottle starts.
func Glyph(bottles []snapshot.Bottle, tick int) assets.Glyph {
	top := RankNothing
	for _, b := range bottles {
		top = max(top, Of(b).Rank)
	}
	switch top {
	case RankFailed, RankAlarm:
		return assets.Failed
	case RankNeedsYou:
		return assets.NeedsYou
	case RankMoving:
		return []assets.Glyph{assets.Fill1, assets.Fill2, assets.Fill3, assets.Fill4}[tick&3]
	case RankWorking:
		return assets.Low
	case RankIdle:
		return assets.Full
	}
	return assets.Outline
}

// Moving says whether some bottle starts or stops, so that the glyph of the
// menu bar moves.
func Moving(bottles []snapshot.Bottle) bool {
	for _, b := range bottles {
		if Of(b).Rank == RankMoving {
			return true
		}
	}
	return false
}

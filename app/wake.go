package app

// Woke is told that this computer has slept. Nothing leaves a bottle until it
// was proved again. Where nobody tells, the app notices by its clocks when the
// first byte wants out, or within 10 s.
func (a *App) Woke() { a.rack.Woke() }

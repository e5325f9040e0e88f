// Package traytest drives a tray icon from outside, over D-Bus, as the panel of a
// Linux desktop does: it finds the icon at the bus's StatusNotifierWatcher, reads
// its menu and clicks entries. The program that is driven takes part unchanged.
//
// [StartBus] gives a bus of one's own. Where no panel runs on it, [NewWatcher]
// stands in for one. [Find] waits for the [Item] of a process.
package traytest

// Package screen puts the app on a screen: the menu in the tray, the windows
// and the sessions, all fed from one stream of snapshots, and the small
// interfaces that they declare, answered by package app.
//
// It is the only place that knows both what people see and who owns the
// bottles. [Run] returns when the person quits.
package screen

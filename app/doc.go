// Package app is Bottlebar without its screen: it opens the library, the rack
// of bottles and the way to an engine, keeps what is shown as one value, and
// sees to it that one process owns the bottles.
//
// An [App] is a control.Core: the menu, the windows and the command line all
// ask the same things of it. It holds no widgets.
package app

// Package assets holds what is embedded in the program: the bottle mark in
// every state of the menu bar, the small shapes that stand for a bottle's
// state in lists, the app icon, and the Linux binaries that are put into a VM
// and into a sidecar.
//
// The drawings are SVG files of our own with one filled path each, so that the
// toolkit can recolour them; [Tray], [Shape] and [AppIcon] hand them out.
// [Binaries] hands out the Linux programs as files of an fs.FS.
//
// Colours, sizes and words live in the package look below.
package assets

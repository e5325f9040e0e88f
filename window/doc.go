// Package window holds the windows beside the session: Library, Bottles,
// Setup, Activity, and the small ones that ask for files, an image or a
// folder or that explain a problem or a proof.
//
// [Windows] opens each at most once, feeds the open ones with snapshots, and
// carries out what their buttons ask for through the small interfaces of
// [Backend]: in the background, with failures shown as what happened, why, and
// what to do. All of it belongs to the toolkit's goroutine; background work
// comes back to it through the post function alone.
package window

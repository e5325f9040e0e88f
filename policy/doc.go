// Package policy holds what a person writes about what bottles may reach, and
// makes of it the one compiled document that a sidecar gets.
//
// A [File] is one TOML file: presets, rules, blocks, muted names. There is one
// for every bottle, one per artifact and one per bottle; a project folder may
// bring one that takes away and never adds. [Merge] joins them into an
// [Effective] list in which each line knows where it comes from, and whose
// Policy is an [egress.Policy]. A [Store] keeps the files, watches them, edits
// them without touching what it does not understand, and holds on to the last
// good text of one that has become bad.
//
// The package knows nothing of bottles but their ID, and nothing of sidecars.
package policy

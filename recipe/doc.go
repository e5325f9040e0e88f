// Package recipe holds what an artifact is made of where there is none yet: a
// folder with a Dockerfile, and beside it an optional recipe.toml.
//
// One ships with the app; people keep theirs in a folder of the settings. A
// recipe's [Recipe.Hash] is kept with the artifact that was made of it, so that
// one whose recipe has changed since can be told.
package recipe

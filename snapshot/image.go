package snapshot

import "time"

// Image is one image of the local container engine that can be packed. Ref is
// somebody else's words.
type Image struct {
	Ref      string    `json:"ref"` // "node:22"
	ID       string    `json:"id"`  // the engine's
	Size     int64     `json:"size"`
	Created  time.Time `json:"created"`
	Platform string    `json:"platform"` // "linux/arm64"
	Fits     bool      `json:"fits"`     // it is for this computer's processor
}

// Recipe is what an artifact can be made of.
type Recipe struct {
	Name    string   `json:"name"`
	Title   string   `json:"title,omitempty"`
	Own     bool     `json:"own"`              // the person's, not the app's
	Folder  string   `json:"folder,omitempty"` // of a person's
	Base    string   `json:"base,omitempty"`   // what it says to build on; empty: its Dockerfile says it
	Made    []string `json:"made,omitempty"`   // names of artifacts that were made of it
	Stale   []string `json:"stale,omitempty"`  // those among them that were made of an earlier form of it
	Problem *Problem `json:"problem,omitempty"`
}

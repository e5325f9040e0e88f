package control

import "bottlebar.app/snapshot"

type credentialRequest struct {
	Kind   string `json:"kind,omitempty"`
	Secret string `json:"secret"`
}

type renameRequest struct {
	To string `json:"to"`
}

type settingsRequest struct {
	Settings snapshot.ArtifactSettings `json:"settings"`
}

type pinRequest struct {
	Pinned bool `json:"pinned"`
}

// progress is the data of a "progress" event; one field is set.
type progress struct {
	Bottle   *snapshot.Bottle   `json:"bottle,omitempty"`
	Transfer *snapshot.Transfer `json:"transfer,omitempty"`
	Progress *Progress          `json:"progress,omitempty"`
}

func viewOf(b snapshot.Bottle) progress       { return progress{Bottle: &b} }
func transferOf(t snapshot.Transfer) progress { return progress{Transfer: &t} }
func progressOf(p Progress) progress          { return progress{Progress: &p} }

func telling[T any](tell func(any), wrap func(T) progress) func(T) {
	return func(v T) { tell(wrap(v)) }
}

package bottle

import (
	"context"
	"slices"
	"time"

	"bottlebar.app/snapshot"
)

// The steps of a launch, in the order in which they are shown. Sidecar and
// home are built side by side.
const (
	stepCheck   = "check"
	stepSidecar = "sidecar"
	stepHome    = "home"
	stepStart   = "start"
	stepHelper  = "helper"
	stepProof   = "proof"
	stepSession = "session"
)

func launchSteps() []snapshot.Step {
	steps := []snapshot.Step{
		{Name: stepCheck, Title: "Checking the artifact"},
		{Name: stepSidecar, Title: "Starting the sidecar"},
		{Name: stepHome, Title: "Preparing the machine"},
		{Name: stepStart, Title: "Starting the VM"},
		{Name: stepHelper, Title: "Reaching into the VM"},
		{Name: stepProof, Title: "Proving isolation"},
		{Name: stepSession, Title: "Starting the session"},
	}
	for i := range steps {
		steps[i].State = snapshot.StepWaiting
	}
	return steps
}

// step runs one step and shows how it goes.
func (b *Bottle) step(ctx context.Context, name string, run func(ctx context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	began := b.rack.cfg.Now()
	b.setStep(name, snapshot.StepRunning, 0)
	err := run(ctx)
	state := snapshot.StepDone
	if err != nil {
		state = snapshot.StepFailed
	}
	b.setStep(name, state, b.rack.cfg.Now().Sub(began))
	return err
}

func (b *Bottle) setStep(name string, state snapshot.StepState, took time.Duration) {
	b.set(func() {
		b.steps = slices.Clone(b.steps)
		for i := range b.steps {
			if b.steps[i].Name == name {
				b.steps[i].State, b.steps[i].Took = state, took
			}
		}
	})
}

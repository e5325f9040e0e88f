package sidecar

import (
	"context"
	"errors"
	"fmt"
)

// Choice is which driver is used, and why.
type Choice struct {
	Kind   string
	Engine *Engine // nil with KindProcess
	Reason string  // one line for people
}

// Choose decides between the drivers. setting is KindDocker, KindProcess, or
// empty for "as it is best": a container when an engine is there, else a child
// process. An engine that is installed or named and does not answer is an
// error: the weaker way is never taken because the stronger one is asleep.
func Choose(ctx context.Context, setting string, o FindOptions) (Choice, error) {
	switch setting {
	case KindProcess:
		return Choice{Kind: KindProcess, Reason: "chosen in the settings"}, nil
	case KindDocker, "":
	default:
		return Choice{}, fmt.Errorf("the setting sidecar.driver is %q: write %q, %q or leave it empty", setting, KindDocker, KindProcess)
	}
	e, err := FindEngine(ctx, o)
	if errors.Is(err, ErrNoEngine) && setting == "" {
		return Choice{Kind: KindProcess, Reason: ErrNoEngine.Error()}, nil
	}
	if err != nil {
		return Choice{}, err
	}
	return Choice{Kind: KindDocker, Engine: e, Reason: e.String()}, nil
}

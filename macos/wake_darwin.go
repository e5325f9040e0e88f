package macos

import (
	"errors"
	"fmt"

	"github.com/ebitengine/purego"
	"github.com/ebitengine/purego/objc"
)

// didWake is the value of NSWorkspaceDidWakeNotification (AppKit, NSWorkspace.h).
const didWake = "NSWorkspaceDidWakeNotification"

// OnWake has woke called after each sleep of the computer, on the main thread:
// it must not block. Call it once, on the main goroutine, while the event loop
// runs.
func OnWake(woke func()) error {
	if _, err := purego.Dlopen(appKit, purego.RTLD_GLOBAL|purego.RTLD_LAZY); err != nil {
		return fmt.Errorf("loading AppKit: %w", err)
	}
	selector := objc.RegisterName("bottlebarDidWake:")
	class, err := objc.RegisterClass("BottlebarWake", objc.GetClass("NSObject"), nil, nil, []objc.MethodDef{
		{Cmd: selector, Fn: func(_ objc.ID, _ objc.SEL, _ objc.ID) { woke() }},
	})
	if err != nil {
		return err
	}
	workspace := objc.GetClass("NSWorkspace")
	if workspace == 0 {
		return errors.New("AppKit has no class NSWorkspace")
	}
	center := objc.ID(workspace).Send(objc.RegisterName("sharedWorkspace")).Send(objc.RegisterName("notificationCenter"))
	name := objc.ID(objc.GetClass("NSString")).Send(objc.RegisterName("stringWithUTF8String:"), didWake+"\x00")
	observer := objc.ID(class).Send(objc.RegisterName("new")) // lives as long as the process
	center.Send(objc.RegisterName("addObserver:selector:name:object:"), observer, selector, name, objc.ID(0))
	return nil
}

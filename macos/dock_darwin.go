package macos

import (
	"errors"
	"fmt"

	"github.com/ebitengine/purego"
	"github.com/ebitengine/purego/objc"
)

// NSApplicationActivationPolicyAccessory: no Dock icon, no menu bar of its
// own, windows allowed (AppKit, NSRunningApplication.h).
const policyAccessory = 1

const appKit = "/System/Library/Frameworks/AppKit.framework/AppKit"

// HideDockIcon makes this process a menu-bar application without a Dock icon.
// Call it on the main goroutine once the event loop has started: the window
// library asks for a regular application while it initialises, whatever
// Info.plist says.
func HideDockIcon() error {
	if _, err := purego.Dlopen(appKit, purego.RTLD_GLOBAL|purego.RTLD_LAZY); err != nil {
		return fmt.Errorf("loading AppKit: %w", err)
	}
	class := objc.GetClass("NSApplication")
	if class == 0 {
		return errors.New("AppKit has no class NSApplication")
	}
	app := objc.ID(class).Send(objc.RegisterName("sharedApplication"))
	if !objc.Send[bool](app, objc.RegisterName("setActivationPolicy:"), policyAccessory) {
		return errors.New("macOS refused to hide the Dock icon")
	}
	return nil
}

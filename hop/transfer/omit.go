package transfer

import "strings"

// omit returns the part of name that is left out, and why; "" takes it.
func (u *unpacker) omit(name string) (left, reason string) {
	if u.o.Omit == nil {
		return "", ""
	}
	for i := 0; i < len(name); {
		end := len(name)
		if n := strings.IndexByte(name[i:], '/'); n >= 0 {
			end = i + n
		}
		if why := u.o.Omit(name[i:end]); why != "" {
			return name[:end], why
		}
		i = end + 1
	}
	return "", ""
}

// leave reports what is left out, each once. Beyond what is told, entries are
// counted: a stream may hold millions.
func (u *unpacker) leave(name, reason string) {
	if u.left[name] {
		return
	}
	if len(u.report.Skipped) == MaxSkipped {
		u.report.More++
		return
	}
	u.left[name] = true
	u.report.Skipped = append(u.report.Skipped, Skipped{Path: name, Reason: reason})
}

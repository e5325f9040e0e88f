// Package fault holds the one shape that failures take on their way to a
// person: what failed, why, and what to do about it.
//
// Packages with errors that callers branch on keep their own types and give
// them a Cure method; everybody else makes an [Error] with [New] or [Wrap].
// [Of] turns whatever arrives into the three parts.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Error is a failure that a person can act on. Its text is
// "what: why: cure", the order in which it is shown everywhere.
type Error struct {
	What   string // what failed, lower case, no full stop: "adding claude.smolmachine"
	Why    string // the reason in the reader's words
	Cure   string // what to do, an instruction; may be empty
	Detail string // raw output for whoever asks for it; may be empty
	Err    error  // the cause, for errors.Is and errors.As; may be nil
}

// New returns an Error without an underlying cause.
func New(what, why, cure string) *Error {
	return &Error{What: what, Why: why, Cure: cure}
}

// Wrap returns err with what failed in front of it. An empty cure keeps the
// one that err already carries.
func Wrap(err error, what, cure string) *Error {
	inner := Of(err)
	why := inner.Why
	if inner.What != "" {
		why = inner.What + ": " + inner.Why
	}
	if cure == "" {
		cure = inner.Cure
	}
	return &Error{What: what, Why: why, Cure: cure, Detail: inner.Detail, Err: err}
}

func (e *Error) Error() string {
	parts := make([]string, 0, 3)
	for _, p := range []string{e.What, e.Why, e.Cure} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ": ")
}

func (e *Error) Unwrap() error { return e.Err }

// Curer is an error that knows what to do about itself.
type Curer interface{ Cure() string }

// Detailer is an error that carries raw output.
type Detailer interface{ Detail() string }

// Of splits any error into the parts that are shown. A nil err gives nil. Of
// several joined errors the first is told, and the others are its detail: they
// came from taking away what it left.
func Of(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok { //nolint:errorlint // err itself, not what it wraps
		return e
	}
	if list := joined(err); len(list) > 0 {
		return first(err, list)
	}
	var e *Error
	if errors.As(err, &e) {
		// Somebody wrapped it with fmt.Errorf: keep that context in front.
		ctx := strings.TrimSuffix(strings.TrimSuffix(err.Error(), e.Error()), ": ")
		out := *e
		if ctx != "" && ctx != err.Error() {
			out.What = strings.TrimSuffix(fmt.Sprintf("%s: %s", ctx, e.What), ": ")
		}
		out.Err = err
		return &out
	}
	out := &Error{Why: err.Error(), Err: err}
	var c Curer
	if errors.As(err, &c) {
		out.Cure = c.Cure()
		out.Why = strings.TrimSuffix(strings.TrimSuffix(out.Why, out.Cure), ": ")
	}
	var d Detailer
	if errors.As(err, &d) {
		out.Detail = d.Detail()
	}
	return out
}

// first tells the first of a list that was joined to err.
func first(err error, list []error) *Error {
	out := *Of(list[0])
	details := []string{out.Detail}
	for _, e := range list[1:] {
		details = append(details, e.Error())
	}
	out.Detail = strings.TrimSpace(strings.Join(details, "\n"))
	out.Err = err
	return &out
}

// joined takes apart what errors.Join made. fmt.Errorf wraps several as well,
// in one sentence that stays whole.
func joined(err error) []error {
	all, ok := err.(interface{ Unwrap() []error })
	if !ok || err.Error() != errors.Join(all.Unwrap()...).Error() {
		return nil
	}
	return all.Unwrap()
}

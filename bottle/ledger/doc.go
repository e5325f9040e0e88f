// Package ledger keeps on record what one bottle reached, was refused or had
// changed for it: append-only JSON lines in a folder of its own, one line per
// decision, never a header's value, a query or a body.
//
// What was let through and what a bottle was refused lie in separate files
// with separate budgets, so that a flood of refusals cannot push out the one
// line that matters. Only refusals may be dropped, and then a line counts
// them. Anything else is written or Add fails: whoever owns the bottle must
// then close its way out.
package ledger

// Package bottle builds, keeps and takes apart bottles: a smolvm machine in a
// home of its own, a sidecar as its only way out, the byte pipe between them,
// and a proof that nothing else leads out.
//
// A [Rack] owns all bottles of this computer's user. [Rack.Launch] builds a
// [Bottle] step by step; each step is written to the journal with its undo
// before it is taken, so a launch that fails, is cancelled or dies half-way is
// taken apart in reverse, now or at the next start ([Rack.Reconcile]).
//
// The truth about a machine is smolvm's and about a sidecar the engine's. The
// journal only says what was intended.
package bottle

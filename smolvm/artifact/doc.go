// Package artifact reads, checks and vets .smolmachine files, the packed
// machines that smolvm makes and starts from, without smolvm.
//
// [Read] and [Open] look at the footer and the manifest and classify what is
// wrong in the way smolvm does. [Verify] goes through the whole file once and
// answers whether its bytes are intact and whether unpacking them can write
// anywhere but in its own folder; it is deliberately stricter than smolvm.
// [Vet] is that second half alone. [CheckPlatform] says whether a machine of
// this kind runs here.
//
// Nothing is ever written, and everything read is taken to be hostile.
package artifact

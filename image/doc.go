// Package image knows container images as smolvm wants them.
//
// smolvm packs what it can pull from a registry, and a container engine keeps
// its images where smolvm cannot look. So an [Archive] of the engine is served
// by a [Registry] on loopback for the length of one pull, to nobody else and
// nothing else. [Parse] judges what people type, [Resolve] asks a registry for
// a digest, so that what the library holds already need not be packed again.
package image

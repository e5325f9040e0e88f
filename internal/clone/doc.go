// Package clone duplicates files and folders as cheaply as the file system
// allows, and tells whether a folder is still what it was.
//
// [File] and [Tree] share blocks where the file system can (FICLONE on Linux,
// clonefile on macOS) and copy otherwise, leaving holes as holes. [Hash] names
// the contents of a folder; [Manifest] and [Compare] answer the cheaper
// question whether names, sizes, modes and times are as they were.
//
// Nothing here follows a symbolic link found inside a folder.
package clone

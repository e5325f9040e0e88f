package smolvm

// gone tells that a process has ended.
func gone(pid int) bool { return !processAlive(pid) }

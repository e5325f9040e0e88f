package control

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func TestAClientSaysNothingToAnotherUser(t *testing.T) {
	const other = 12345
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o711), os.Chown(dir, other, -1)); err != nil {
		t.Fatalf("a folder of another user is needed: run the tests as root: %v", err)
	}
	path := filepath.Join(dir, "control")
	listening := make(chan net.Listener, 1)
	go func() {
		runtime.LockOSThread() // the thread is another user's from here on, and ends with this
		_, _, _ = syscall.RawSyscall(syscall.SYS_SETUID, other, 0, 0)
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Error(err)
		}
		listening <- l
	}()
	l := <-listening
	if l == nil {
		return
	}
	defer l.Close()
	heard := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		var b [1024]byte
		n, _ := c.Read(b[:])
		heard <- string(b[:n])
	}()
	_, err := (&Client{Socket: path}).SetCredential(t.Context(), "", "secret")
	if err == nil || errors.Is(err, ErrNobody) || !strings.Contains(err.Error(), "another user") {
		t.Errorf("it ends with %v", err)
	}
	if text := <-heard; text != "" {
		t.Errorf("the other user heard %q", text)
	}
}

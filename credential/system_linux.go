package credential

import (
	"bytes"
	"errors"
	"os"
	"strconv"

	"github.com/zalando/go-keyring"
)

// System returns the Secret Service's store. Other programs of the same user
// can read what lies there.
func System() Store { return systemItem(account) }

func systemItem(account string) *keychain {
	return &keychain{
		where: "the Secret Service",
		get: func() (string, error) {
			text, err := keyring.Get(service, account)
			return text, linuxError(account, err)
		},
		set:   func(text string) error { return linuxError(account, keyring.Set(service, account, text)) },
		clear: func() error { return linuxError(account, keyring.Delete(service, account)) },
	}
}

func linuxError(item string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keyring.ErrNotFound):
		return ErrNotSet
	}
	with := "the credential in " + EnvToken + " or " + EnvAPIKey
	if item == loginAccount {
		with = "name:password in " + EnvLogin
	}
	return &UnreachableError{
		Where: "the Secret Service", Err: err,
		Fix: "start a keyring such as gnome-keyring or KWallet, or start bottlebar serve with " + with,
	}
}

// scrub overwrites the value of a variable where the kernel shows it to other
// programs of the same user: /proc/<pid>/environ is the memory in which the
// process was started, which removing a variable does not change.
func scrub(name string) {
	environ, err := os.ReadFile("/proc/self/environ")
	if err != nil {
		return
	}
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return
	}
	// The command in parentheses may hold spaces; env_start is field 50, and
	// the field after the parentheses is the third (proc_pid_stat(5)).
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const envStart = 50 - 3
	if len(fields) <= envStart {
		return
	}
	start, err := strconv.ParseInt(string(fields[envStart]), 10, 64)
	if err != nil || start == 0 {
		return
	}
	mem, err := os.OpenFile("/proc/self/mem", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer mem.Close()
	offset := int64(0)
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if key, value, ok := bytes.Cut(entry, []byte("=")); ok && string(key) == name {
			_, _ = mem.WriteAt(make([]byte, len(value)), start+offset+int64(len(key))+1)
		}
		offset += int64(len(entry)) + 1
	}
}

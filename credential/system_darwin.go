package credential

import (
	"fmt"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// System returns the login keychain's store, through Security.framework: the
// item's access list then names this app alone. The command `security` would
// make itself the trusted program, and with it everybody who can run it.
func System() Store { return systemItem(account) }

func systemItem(account string) *keychain {
	sec := sync.OnceValues(func() (*security, error) { return loadSecurity(account) })
	return &keychain{
		where: "the login keychain",
		get: func() (string, error) {
			s, err := sec()
			if err != nil {
				return "", err
			}
			return s.read()
		},
		set: func(text string) error {
			s, err := sec()
			if err != nil {
				return err
			}
			return s.write(text)
		},
		clear: func() error {
			s, err := sec()
			if err != nil {
				return err
			}
			return s.remove()
		},
	}
}

// scrub has nothing to overwrite here: macOS shows a process's first
// environment to programs of the same user, and gives no way to change it.
func scrub(string) {}

// Results of Security.framework, SecBase.h.
const (
	errSecSuccess      = 0
	errSecDuplicate    = -25299
	errSecItemNotFound = -25300
)

// security is the handful of C functions and constants that are used. Every
// value is a CFTypeRef, an address that C owns.
type security struct {
	account string // of the item

	stringCreate func(alloc uintptr, bytes *byte, n int, encoding uint32, external bool) uintptr
	dataCreate   func(alloc uintptr, bytes *byte, n int) uintptr
	dataLength   func(data uintptr) int
	dataGetBytes func(data uintptr, location, length int, to *byte)
	dictCreate   func(alloc uintptr, keys, values *uintptr, n int, keyCalls, valueCalls uintptr) uintptr
	release      func(ref uintptr)
	itemAdd      func(attributes uintptr, result *uintptr) int32
	itemCopy     func(query uintptr, result *uintptr) int32
	itemUpdate   func(query, changes uintptr) int32
	itemDelete   func(query uintptr) int32

	constants map[string]uintptr
	calls     [2]uintptr // callbacks of dictionaries: of keys, of values
}

func loadSecurity(account string) (*security, error) {
	broken := func(err error) error {
		return &UnreachableError{Where: "the login keychain", Fix: "unlock it in Keychain Access and try again", Err: err}
	}
	cf, err := purego.Dlopen("/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation", purego.RTLD_LAZY|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, broken(err)
	}
	lib, err := purego.Dlopen("/System/Library/Frameworks/Security.framework/Security", purego.RTLD_LAZY|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, broken(err)
	}
	s := &security{account: account, constants: map[string]uintptr{}}
	purego.RegisterLibFunc(&s.stringCreate, cf, "CFStringCreateWithBytes")
	purego.RegisterLibFunc(&s.dataCreate, cf, "CFDataCreate")
	purego.RegisterLibFunc(&s.dataLength, cf, "CFDataGetLength")
	purego.RegisterLibFunc(&s.dictCreate, cf, "CFDictionaryCreate")
	purego.RegisterLibFunc(&s.release, cf, "CFRelease")
	purego.RegisterLibFunc(&s.itemAdd, lib, "SecItemAdd")
	purego.RegisterLibFunc(&s.itemCopy, lib, "SecItemCopyMatching")
	purego.RegisterLibFunc(&s.itemUpdate, lib, "SecItemUpdate")
	purego.RegisterLibFunc(&s.itemDelete, lib, "SecItemDelete")
	if err := s.loadBytes(cf); err != nil {
		return nil, broken(err)
	}
	for name, from := range map[string]uintptr{
		"kCFBooleanTrue": cf, "kSecClass": lib, "kSecClassGenericPassword": lib, "kSecAttrService": lib,
		"kSecAttrAccount": lib, "kSecAttrLabel": lib, "kSecValueData": lib, "kSecReturnData": lib,
	} {
		at, err := purego.Dlsym(from, name)
		if err != nil {
			return nil, broken(err)
		}
		s.constants[name] = pointee(at)
	}
	for i, name := range []string{"kCFTypeDictionaryKeyCallBacks", "kCFTypeDictionaryValueCallBacks"} {
		if s.calls[i], err = purego.Dlsym(cf, name); err != nil {
			return nil, broken(err)
		}
	}
	return s, nil
}

// rangeOf is C's CFRange, passed by value.
type rangeOf struct{ location, length int }

func (s *security) loadBytes(cf uintptr) error {
	var get func(data uintptr, r rangeOf, to *byte)
	if _, err := purego.Dlsym(cf, "CFDataGetBytes"); err != nil {
		return err
	}
	purego.RegisterLibFunc(&get, cf, "CFDataGetBytes")
	s.dataGetBytes = func(data uintptr, location, length int, to *byte) { get(data, rangeOf{location, length}, to) }
	return nil
}

// pointee reads the constant that lies at an address of C's.
func pointee(at uintptr) uintptr { return **(**uintptr)(unsafe.Pointer(&at)) }

const utf8 = 0x08000100 // kCFStringEncodingUTF8

func (s *security) text(v string) uintptr {
	return s.stringCreate(0, unsafe.StringData(v), len(v), utf8, false)
}

type pair struct {
	key   string // name of a constant
	value uintptr
}

// dict makes a dictionary; it keeps its values alive by itself.
func (s *security) dict(pairs ...pair) uintptr {
	keys, values := make([]uintptr, len(pairs)), make([]uintptr, len(pairs))
	for i, p := range pairs {
		keys[i], values[i] = s.constants[p.key], p.value
	}
	return s.dictCreate(0, &keys[0], &values[0], len(pairs), s.calls[0], s.calls[1])
}

// item calls f with the pairs that name our item, and more.
func (s *security) item(f func(dict uintptr) int32, more ...pair) int32 {
	svc, acct := s.text(service), s.text(s.account)
	defer s.release(svc)
	defer s.release(acct)
	d := s.dict(append([]pair{
		{"kSecClass", s.constants["kSecClassGenericPassword"]}, {"kSecAttrService", svc}, {"kSecAttrAccount", acct},
	}, more...)...)
	defer s.release(d)
	return f(d)
}

func (s *security) read() (string, error) {
	var ref uintptr
	status := s.item(func(d uintptr) int32 { return s.itemCopy(d, &ref) }, pair{"kSecReturnData", s.constants["kCFBooleanTrue"]})
	if status != errSecSuccess {
		return "", darwinError(status)
	}
	defer s.release(ref)
	n := s.dataLength(ref)
	if n <= 0 || n > 2*maxSecret {
		return "", errForeign
	}
	b := make([]byte, n)
	s.dataGetBytes(ref, 0, n, &b[0])
	return string(b), nil
}

func (s *security) write(text string) error {
	data := s.dataCreate(0, unsafe.StringData(text), len(text))
	defer s.release(data)
	label := s.text("Bottlebar")
	defer s.release(label)
	value := pair{"kSecValueData", data}
	status := s.item(func(d uintptr) int32 { return s.itemAdd(d, nil) }, value, pair{"kSecAttrLabel", label})
	if status == errSecDuplicate {
		changes := s.dict(value)
		defer s.release(changes)
		status = s.item(func(d uintptr) int32 { return s.itemUpdate(d, changes) })
	}
	return darwinError(status)
}

func (s *security) remove() error {
	return darwinError(s.item(s.itemDelete))
}

func darwinError(status int32) error {
	switch status {
	case errSecSuccess:
		return nil
	case errSecItemNotFound:
		return ErrNotSet
	}
	return &UnreachableError{
		Where: "the login keychain", Fix: "unlock it in Keychain Access and allow Bottlebar, then try again",
		Err: fmt.Errorf("Security.framework answers %d", status),
	}
}

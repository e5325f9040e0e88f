package guest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"bottlebar.app/hop"
)

// Bounds of what is read from the guest's user and group lists.
const (
	maxAccounts  = 256
	maxListBytes = 1 << 20
	maxGroups    = 64
)

// account is one user of the guest.
type account struct {
	hop.User
	groups []uint32
}

// parsePasswd reads a user list: name:password:uid:gid:comment:home:shell.
// Lines that are something else are left out.
func parsePasswd(r io.Reader) []hop.User {
	var users []hop.User
	sc := bufio.NewScanner(io.LimitReader(r, maxListBytes))
	for sc.Scan() && len(users) < maxAccounts {
		f := strings.Split(sc.Text(), ":")
		if len(f) != 7 || !validName(f[0]) {
			continue
		}
		uid, err1 := strconv.ParseUint(f[2], 10, 32)
		gid, err2 := strconv.ParseUint(f[3], 10, 32)
		if err1 != nil || err2 != nil || !validPath(f[5]) || (f[6] != "" && !validPath(f[6])) {
			continue
		}
		users = append(users, hop.User{Name: f[0], UID: uint32(uid), GID: uint32(gid), Home: f[5], Shell: f[6]})
	}
	return users
}

// parseGroups returns the numbers of the groups that name belongs to, from a
// group list: name:password:gid:member,member.
func parseGroups(r io.Reader, name string) []uint32 {
	var groups []uint32
	sc := bufio.NewScanner(io.LimitReader(r, maxListBytes))
	for sc.Scan() && len(groups) < maxGroups {
		f := strings.Split(sc.Text(), ":")
		if len(f) != 4 || !slices.Contains(strings.Split(f[3], ","), name) {
			continue
		}
		if gid, err := strconv.ParseUint(f[2], 10, 32); err == nil {
			groups = append(groups, uint32(gid))
		}
	}
	return groups
}

// validName holds for names that user lists may have; anything else is not
// worth showing.
func validName(s string) bool {
	if s == "" || len(s) > 64 || s[0] == '-' {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' }) < 0
}

func validPath(s string) bool {
	if !strings.HasPrefix(s, "/") || len(s) > 512 {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) < 0
}

// accounts are the lists of one guest.
type accounts struct{ passwd, group string }

func (a accounts) users() []hop.User {
	f, err := os.Open(a.passwd)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	return parsePasswd(f)
}

// lookup finds a user by name or number. A number without an entry is a user
// all the same, as in a container; root is one even without a list.
func (a accounts) lookup(who string) (account, error) {
	n, err := strconv.ParseUint(who, 10, 32)
	numeric := err == nil
	for _, u := range a.users() {
		if u.Name == who || (numeric && u.UID == uint32(n)) {
			return a.member(u), nil
		}
	}
	switch {
	case who == "root":
		return account{User: hop.User{Name: "root", Home: "/root"}, groups: []uint32{0}}, nil
	case numeric:
		return account{User: hop.User{Name: who, UID: uint32(n), GID: uint32(n), Home: "/"}, groups: []uint32{uint32(n)}}, nil
	}
	return account{}, &hop.RemoteError{Code: hop.CodeNoUser, Message: fmt.Sprintf("the bottle has no user %q", hop.Clean(who, 64))}
}

func (a accounts) member(u hop.User) account {
	acc := account{User: u, groups: []uint32{u.GID}}
	f, err := os.Open(a.group)
	if err != nil {
		return acc
	}
	defer func() { _ = f.Close() }()
	for _, g := range parseGroups(f, u.Name) {
		if !slices.Contains(acc.groups, g) {
			acc.groups = append(acc.groups, g)
		}
	}
	return acc
}

// place turns a path of a request into an absolute one: empty is the home,
// relative ones and those behind ~/ are below it.
func (a account) place(path string) (string, error) {
	home := a.Home
	if fi, err := os.Stat(home); err != nil || !fi.IsDir() {
		home = "/"
	}
	switch {
	case len(path) > 4096 || strings.ContainsRune(path, 0):
		return "", &hop.RemoteError{Code: hop.CodeRefused, Message: "a path is too long or holds a zero byte"}
	case path == "" || path == "~":
		return home, nil
	case strings.HasPrefix(path, "~/"):
		path = path[2:]
	case strings.HasPrefix(path, "/"):
		return path, nil
	}
	return strings.TrimSuffix(home, "/") + "/" + path, nil
}

var errNoRoot = errors.New("only root can start commands as another user")

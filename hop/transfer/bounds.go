package transfer

import (
	"errors"
	"fmt"
	"hash/maphash"
)

// Limits bound what one stream may hold. Zero means the default.
type Limits struct {
	Bytes   int64 // of content; default 256 GiB
	Entries int64 // files, folders and links, also folders that are only on the way; default 4 million
	Names   int64 // bytes of names that must be kept to the end: of folders and links; default 256 MiB
}

const (
	defaultBytes   = 256 << 30
	defaultEntries = 4_000_000
	defaultNames   = 256 << 20
	// maxTrailer is what may follow the end of an archive: padding.
	maxTrailer = 1 << 20
)

// ErrLimit is wrapped by errors about a stream that holds too much.
var ErrLimit = errors.New("there is more than was agreed")

func (l *Limits) fill() {
	for _, d := range []struct {
		value *int64
		def   int64
	}{{&l.Bytes, defaultBytes}, {&l.Entries, defaultEntries}, {&l.Names, defaultNames}} {
		if *d.value == 0 {
			*d.value = d.def
		}
	}
}

// count counts one more thing that a stream makes.
func (u *unpacker) count() error {
	if u.entries++; u.entries > u.o.Limits.Entries {
		return fmt.Errorf("%w: more than %d files", ErrLimit, u.o.Limits.Entries)
	}
	return nil
}

// hold counts names that are kept.
func (u *unpacker) hold(texts ...string) error {
	for _, t := range texts {
		u.held += int64(len(t))
	}
	if u.held > u.o.Limits.Names {
		return fmt.Errorf("%w: more than %d bytes of names", ErrLimit, u.o.Limits.Names)
	}
	return nil
}

// names are all that a stream has named, folders on the way included, as they
// are written and as they are folded. They are kept by seeded hashes: a stream
// may hold millions, of 4 KiB each. Two that collide by chance are refused.
type names struct {
	seed          maphash.Seed
	exact, folded map[uint64]struct{}
}

func newNames() names {
	return names{seed: maphash.MakeSeed(), exact: map[uint64]struct{}{}, folded: map[uint64]struct{}{}}
}

// shadowed refuses a name that another one of the stream falls together with.
func (u *unpacker) shadowed(name string) error {
	if u.o.Fold == nil {
		return nil
	}
	// Every prefix is a name too: a folder may come without an entry of its
	// own. The same spelling may come again, another one with its fold not.
	for i := range len(name) + 1 {
		if i < len(name) && name[i] != '/' {
			continue
		}
		prefix := name[:i]
		key := maphash.String(u.seen.seed, prefix)
		if _, again := u.seen.exact[key]; again {
			continue
		}
		if i < len(name) {
			if err := u.count(); err != nil {
				return err
			}
		}
		folded := maphash.String(u.seen.seed, u.o.Fold(prefix))
		if _, taken := u.seen.folded[folded]; taken {
			return errors.New("another name in the stream differs from it only in case or Unicode form")
		}
		u.seen.exact[key], u.seen.folded[folded] = struct{}{}, struct{}{}
	}
	return nil
}

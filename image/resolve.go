package image

import (
	"context"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// resolveTimeout bounds what is only a look ahead.
const resolveTimeout = 10 * time.Second

// Resolve asks the reference's registry for the digest of the image's
// configuration on a platform, as [Archive.Digest] is. It says who asks to
// nobody: an image that needs a login cannot be asked for, which is no reason
// not to pack it.
func Resolve(ctx context.Context, ref Reference, platform string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	at, err := name.ParseReference(ref.String())
	if err != nil {
		return "", err
	}
	os, arch, _ := strings.Cut(platform, "/")
	img, err := remote.Image(at, remote.WithContext(ctx), remote.WithAuth(authn.Anonymous), remote.WithPlatform(v1.Platform{OS: os, Architecture: arch}))
	if err != nil {
		return "", err
	}
	digest, err := img.ConfigName()
	return digest.String(), err
}

package artifact

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"
)

// minimal is the smallest valid artifact, 408 bytes: an empty tar, a manifest
// with the required fields, a footer.
func minimal() []byte {
	const manifest = `{"image":"example:latest","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000",` +
		`"platform":"linux/arm64","cpus":4,"mem":8192,"host_platform":"darwin/arm64","created":"2026-01-01T00:00:00Z",` +
		`"smolvm_version":"0.8.0","assets":{"libraries":[],"agent_rootfs":{"path":"agent-rootfs.tar","size":0},"layers":[]}}`
	b, _ := hex.DecodeString("28b52ffd600003032000" + "00")
	b = append(b, manifest...)
	footer, _ := hex.DecodeString("534d4f4c5041434b" + "01000000" + "0000000000000000" + "0000000000000000" +
		"0b00000000000000" + "0b00000000000000" + "4d01000000000000" + "02ff64fc" + "0000000000000000")
	return append(b, footer...)
}

func TestTheMinimalArtifactIsReadByteForByte(t *testing.T) {
	b := minimal()
	const sum = "c989380a0d3b536dd4d3bc4d6258105ddefa36e832964bf22388f14027c037a2"
	if got := sha256.Sum256(b); len(b) != 408 || hex.EncodeToString(got[:]) != sum {
		t.Fatalf("the example is %d bytes with SHA-256 %x", len(b), got)
	}
	s, err := verify(t, b)
	if err != nil {
		t.Fatal(err)
	}
	if s.SHA256 != sum || s.CRC != 0xFC64FF02 || s.Entries != 0 || s.Unpacked != 0 {
		t.Fatalf("summary %+v", s)
	}
	m := s.File.Manifest
	if m.Image != "example:latest" || m.Platform != "linux/arm64" || m.CPUs != 4 || m.MemMiB != 8192 || m.SmolvmVersion != "0.8.0" ||
		m.HostPlatform != "darwin/arm64" || m.Mode != "container" || m.Assets.AgentRootfs.Path != "agent-rootfs.tar" || m.HasCommand() {
		t.Fatalf("manifest %+v", m)
	}
	back, _ := s.File.Footer.AppendBinary(nil)
	if !bytes.Equal(back, b[len(b)-FooterSize:]) {
		t.Fatalf("the footer is written as % x", back)
	}
}

// replies holds what real releases printed for each file in testdata.
func replies(t *testing.T) map[string]map[string]string {
	t.Helper()
	b, err := os.ReadFile("testdata/replies.json")
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]map[string]string
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFilesAreClassifiedAsRealReleasesDo(t *testing.T) {
	n := 0
	for release, files := range replies(t) {
		for name, line := range files {
			if name == "missing" {
				continue
			}
			n++
			t.Run(release+"/"+name, func(t *testing.T) {
				path := filepath.Join("testdata", name+".smolmachine")
				f, err := Open(path)
				_, reply, ok := strings.Cut(line, "read .smolmachine: ")
				var fe *FormatError
				switch errors.As(err, &fe); {
				case ok && fe != nil && fe.Reply != reply:
					t.Fatalf("reply %q, the release says %q", fe.Reply, reply)
				case ok && fe == nil && f.Footer.Version == Version: // a release that reads fewer versions
					t.Fatalf("read, the release says %q", reply)
				case !ok && err != nil:
					t.Fatalf("%v, the release reads it", err)
				}
				if ok && fe == nil && versionError(f.Footer.Version).Reply != reply {
					t.Fatalf("reply %q, the release says %q", versionError(f.Footer.Version).Reply, reply)
				}
				if line == "" || ok {
					return
				}
				// Refused later than at reading: so by us too, by one of the further checks.
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				_, err = verify(t, b)
				if strings.Contains(line, "platform mismatch") {
					err = CheckPlatform(&f.Manifest, "amd64")
				}
				if err == nil {
					t.Fatalf("accepted, the release says %q", line)
				}
			})
		}
	}
	if n < 60 {
		t.Fatalf("only %d recorded replies", n)
	}
}

func TestVerifyIsStricterThanSmolvm(t *testing.T) {
	want := map[string]Class{
		"good": "", "net": "", "arm64": "", // for another platform, or with a wish that a launch refuses
		"63": ClassShort, "empty": ClassShort, "bad-assets": ClassContent, "bad-json": ClassJSON, "missing-field": ClassJSON,
		"flip-assets": ClassChecksum, "flip-manifest-digit": ClassChecksum, "flip-magic": ClassMagic, "short-1": ClassMagic,
		"flip-version": ClassVersion, "version-2": ClassVersion, "version-9": ClassVersion,
		"manifest-huge": ClassSize, "offset-plus-1": ClassSize, "sizes-exceed": ClassSize,
		"secret": ClassSecrets, "stub": ClassLauncher,
	}
	files, _ := filepath.Glob("testdata/*.smolmachine")
	if len(files) != len(want) {
		t.Fatalf("%d files, %d expectations", len(files), len(want))
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := verify(t, b)
		class := want[strings.TrimSuffix(filepath.Base(path), ".smolmachine")]
		var fe *FormatError
		if errors.As(err, &fe); (class == "") != (err == nil) || (fe != nil && fe.Class != class) {
			t.Errorf("%s: %v, want class %q", path, err, class)
		}
		if fe != nil && (strings.Contains(fe.Error(), "\n") || fe.Cure() == "") {
			t.Errorf("%s: not one sentence with a cure: %q", path, fe.Error())
		}
		if strings.HasSuffix(path, "net.smolmachine") && !s.File.Manifest.Network {
			t.Errorf("the wish for a network is not told")
		}
	}
}

func TestOneFlippedBitAnywhereIsRefused(t *testing.T) {
	good, err := os.ReadFile("testdata/good.smolmachine")
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		for bit := range 8 {
			b := bytes.Clone(good)
			b[i] ^= 1 << bit
			if _, err := verify(t, b); err == nil {
				t.Errorf("byte %d, bit %d: accepted", i, bit)
			}
		}
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	for _, good := range [][]byte{minimal(), withLayer(t, tarOf(t, file("a", "b")))} {
		for n := range good {
			if _, err := verify(t, good[:n]); err == nil {
				t.Errorf("%d of %d bytes: accepted", n, len(good))
			}
		}
	}
}

func TestLaunchersAndSingleFilesAreTold(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "web")
	stub, err := os.ReadFile("testdata/stub.smolmachine")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, stub, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(path)
	if err == nil || !strings.Contains(err.Error(), "launcher") || !strings.Contains(err.Error(), "web.smolmachine") {
		t.Errorf("launcher: %v", err)
	}

	// A Linux single file: a program, then assets and manifest, then a footer that says where.
	program := bytes.Repeat([]byte{0x7f}, 100)
	b := append(program, minimal()...)
	f := parseFooter(b[len(b)-FooterSize:])
	f.StubSize, f.AssetsOffset, f.ManifestOffset = 100, 100, f.ManifestOffset+100
	b, _ = f.AppendBinary(b[:len(b)-FooterSize])
	got, err := Read(bytes.NewReader(b), int64(len(b)))
	if err != nil || got.Kind != SingleFile || got.Manifest.Image != "example:latest" {
		t.Errorf("single file: %+v %v", got, err)
	}
	if kind, _ := Detect(bytes.NewReader(b), int64(len(b))); kind != SingleFile {
		t.Errorf("single file detected as %v", kind)
	}
	var fe *FormatError
	if _, err = verify(t, b); !errors.As(err, &fe) || fe.Class != ClassSingle {
		t.Errorf("single file verified: %v", err)
	}
}

func TestMacSectionsAreTold(t *testing.T) {
	for head, want := range map[string]Kind{
		sectionMagic + strings.Repeat("\x00", 24): SingleFile,
		sectionEmpty:                            Launcher,
		"something that is not smolvm's at all": Unknown,
	} {
		b := machoWith(sectionSegment, sectionName, []byte(head))
		kind, err := Detect(bytes.NewReader(b), int64(len(b)))
		if err != nil || kind != want {
			t.Errorf("%q: %v %v, want %v", head, kind, err, want)
		}
	}
}

func TestOnlyRegularFilesAreOpened(t *testing.T) {
	dir := t.TempDir()
	fifo, sock := filepath.Join(dir, "fifo"), filepath.Join(dir, "sock")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, path := range []string{dir, fifo, sock, os.DevNull} {
		var fe *FormatError
		if _, err := Open(path); !errors.As(err, &fe) || fe.Class != ClassIO || fe.Cure() == "" {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if fe := (*FormatError)(nil); !errors.As(firstErr(Open(dir)), &fe) || fe.Reply != "I/O error: Is a directory (os error 21)" {
		t.Errorf("folder: %v", fe)
	}
}

func firstErr(_ *File, err error) error { return err }

func TestPlatformsAreComparedByArchitecture(t *testing.T) {
	for _, c := range []struct {
		platform, host string
		ok             bool
	}{
		{"linux/amd64", "amd64", true},
		{"linux/x86_64", "amd64", true},
		{"linux/amd64", "x86_64", true},
		{"linux/aarch64", "arm64", true},
		{"linux/arm64/v8", "aarch64", true},
		{"linux/arm64", "amd64", false},
		{"linux/amd64", "arm64", false},
		{"windows/amd64", "amd64", false},
		{"linux", "amd64", false},
		{"", "amd64", false},
		{"linux/\x1b[31m", "amd64", false},
	} {
		err := CheckPlatform(&Manifest{Platform: c.platform}, c.host)
		if (err == nil) != c.ok {
			t.Errorf("%q on %q: %v", c.platform, c.host, err)
		}
		if err != nil && strings.ContainsRune(err.Error(), 0x1b) {
			t.Errorf("raw escape in %q", err)
		}
	}
	var pe *PlatformError
	if err := CheckPlatform(&Manifest{Platform: "linux/arm64"}, "amd64"); !errors.As(err, &pe) || pe.Artifact != "arm64" || pe.Host != "amd64" {
		t.Errorf("%v", err)
	}
}

func TestCleanLeavesNothingInvisible(t *testing.T) {
	got := Clean("a\x1b[31m\nb\u202egnp\u200b\xff" + strings.Repeat("é", 400))
	if strings.ContainsAny(got, "\x1b\n\u202e\u200b") || !utf8.ValidString(got) || len([]rune(got)) > maxShown+1 || !strings.HasPrefix(got, "a\ufffd[31m\ufffdb") {
		t.Errorf("%q", got)
	}
}

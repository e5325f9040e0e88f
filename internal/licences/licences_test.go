package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNamesALicenceByItsWords(t *testing.T) {
	for text, want := range map[string]string{
		"Apache License\n   Version 2.0, January 2004":                                                                       "Apache-2.0",
		"Redistribution and use in source\nand binary forms, with or without":                                                "BSD-2-Clause",
		"Redistribution and use in source and binary forms … may be used to endorse or promote products":                     "BSD-3-Clause",
		"Permission is hereby granted, free of charge, to any person … THE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY": "MIT",
		"All rights reserved. Ask us.": "",
		"":                             "",
	} {
		if got := identify(text); got != want {
			t.Errorf("identify(%.40q) = %q, want %q", text, got, want)
		}
	}
}

func TestAModuleWithoutAKnownLicenceStopsTheTable(t *testing.T) {
	bare, odd, good := t.TempDir(), t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(odd, "LICENSE"), []byte("Mine."), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(good, "COPYING.md"), []byte("Apache License Version 2.0"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := table([]module{{Path: "example.test/bare", Dir: bare}, {Path: "example.test/odd", Dir: odd}, {Path: "example.test/good", Dir: good}})
	if err == nil || !strings.Contains(err.Error(), "example.test/bare") || !strings.Contains(err.Error(), "example.test/odd") || strings.Contains(err.Error(), "good") {
		t.Errorf("the table said %v", err)
	}
	text, err := table([]module{{Path: "example.test/good", Version: "v1.0.0", Dir: good}})
	if err != nil || !strings.Contains(string(text), "| example.test/good | v1.0.0 | Apache-2.0 |") {
		t.Errorf("table:\n%s%v", text, err)
	}
}

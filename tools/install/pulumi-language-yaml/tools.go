//go:build tools

// Package tools names the command that go.mod exists for, so that `go mod tidy` keeps it.
package tools

import _ "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml"

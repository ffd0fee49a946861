//go:build tools

// Package tools keeps the built command among the module's requirements.
package tools

import _ "github.com/pulumi/pulumi-docker-build/provider/cmd/pulumi-resource-docker-build"

//go:build tools

// Package restic keeps the requirement of the recipe's package in go.mod.
package restic

import _ "github.com/restic/restic/cmd/restic"

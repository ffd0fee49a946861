//go:build tools

// Package litestream keeps the requirement of the recipe's package in go.mod.
package litestream

import _ "github.com/benbjohnson/litestream/cmd/litestream"

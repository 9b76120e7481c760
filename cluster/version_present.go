//go:build !previous

package cluster

const behind = 0

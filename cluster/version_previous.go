//go:build previous

package cluster

// behind makes a binary that reads the version before only, for tests of upgrades (-tags previous).
const behind = 1

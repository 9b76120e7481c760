//go:build !mutants

package mutant

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Only an empty constant has a length that compiles here.
var _ [0 - len(Chosen)]struct{}

func TestThisBuildIsNotBroken(t *testing.T) { require.NoError(t, Check()) }

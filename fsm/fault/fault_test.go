package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

func TestKindSurvivesWrapping(t *testing.T) {
	cause := errors.New("disk said no")
	err := fmt.Errorf("write head: %w", fault.New(fault.NoSpace, "no space").Because(cause))
	require.Equal(t, fault.NoSpace, fault.KindOf(err))
	require.ErrorIs(t, err, cause)
	require.Equal(t, fault.Internal, fault.KindOf(cause))
	require.False(t, fault.Is(nil, fault.Internal))
}

func TestEveryKindHasItsOwnName(t *testing.T) {
	seen := map[string]bool{}
	for k := fault.Internal; k <= fault.Corrupt; k++ {
		require.False(t, seen[k.String()], k.String())
		seen[k.String()] = true
		require.Equal(t, k, fault.Parse(k.String()))
	}
}

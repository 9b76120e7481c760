package transit

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/transit/primitive"
)

func TestKeysRotateWhenTheyAreDue(t *testing.T) {
	r := newRig(t)
	make := func(name string, c Change) {
		_, _, err := r.e.Create(t.Context(), r.req(), Spec{Name: name, Algorithm: primitive.AES256GCM, Change: c})
		require.NoError(t, err)
	}
	make("hourly", Change{RotateEvery: to(time.Hour)})
	make("daily", Change{RotateEvery: to(24 * time.Hour)})
	make("never", Change{})
	make("busy", Change{})
	_, _, err := r.e.Import(t.Context(), r.req(), Spec{Name: "imported"}, fresh(t))
	require.NoError(t, err)
	for _, name := range []string{"busy", "imported"} {
		r.log.Must(t, acme, Reserved{name, 1, rotateAt})
	}
	w := r.e.Rotator(slog.New(slog.DiscardHandler))
	latest := func() (all []uint64) {
		for _, name := range []string{"hourly", "daily", "never", "busy", "imported"} {
			all = append(all, r.info(name).Latest)
		}
		return all
	}
	require.NoError(t, w.round(t.Context()))
	require.Equal(t, []uint64{1, 1, 1, 2, 1}, latest(), "an imported key is its owner's to rotate")
	r.log.Pass(time.Hour)
	require.NoError(t, w.round(t.Context()))
	require.NoError(t, w.round(t.Context()), "it is no longer due")
	require.Equal(t, []uint64{2, 1, 1, 2, 1}, latest())
	r.log.Pass(23 * time.Hour)
	require.NoError(t, w.round(t.Context()))
	require.Equal(t, []uint64{3, 2, 1, 2, 1}, latest(), "one version for all the time that was missed")
}

// TestAKeyThatCannotBeRotatedKeepsNoOtherFromIt, and one that is deleted meanwhile is no error.
func TestAKeyThatCannotBeRotatedKeepsNoOtherFromIt(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"a", "b", "c"} {
		_, _, err := r.e.Create(t.Context(), r.req(), Spec{Name: name, Algorithm: primitive.AES256GCM, Change: Change{RotateEvery: to(time.Hour), Deletable: to(true)}})
		require.NoError(t, err)
	}
	uid := r.info("a").UID
	for n := uint64(2); n <= maxVersions; n++ {
		r.log.Must(t, acme, VersionAdded{Name: "a", UID: uid, Version: n, Material: sealed(t, acme, "x")})
	}
	r.log.Pass(2 * time.Hour)
	r.log.Before(func() {
		_, _, err := r.e.Delete(t.Context(), r.req(), "c")
		require.NoError(t, err)
	})
	require.ErrorContains(t, r.e.Rotator(slog.New(slog.DiscardHandler)).round(t.Context()), "1000 versions")
	require.EqualValues(t, 2, r.info("b").Latest)
}

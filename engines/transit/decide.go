package transit

import (
	"regexp"
	"time"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Limits.
const (
	maxVersions = 1000      // of one key that are not trimmed
	leastPeriod = time.Hour // of automatic rotation
	mostPeriod  = 10 * 365 * 24 * time.Hour
	block       = 1 << 20 // messages that a node reserves at once
	rotateAt    = 1 << 31 // messages after which a version with drawn nonces is followed by another
	mostDrawn   = 1 << 32 // messages under one key with 96-bit nonces that are drawn (NIST SP 800-38D, 8.3)
)

var names = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// ValidName checks a name: 1 to 128 letters, digits, dots, dashes and underscores, the first a letter or digit.
func ValidName(name string) error {
	if !names.MatchString(name) {
		return fault.Bad("name", "a key's name is 1 to 128 letters, digits, '.', '-' and '_', and begins with a letter or digit")
	}
	return nil
}

func notFound(name string) error {
	return fault.New(fault.NotFound, "there is no transit key %q", name)
}

// Change is what is to become of the settings of a key; nil leaves one as it is.
type Change struct {
	MinDecrypt  *uint64
	MinEncrypt  *uint64
	Exportable  *bool
	Deletable   *bool
	Rotatable   *bool
	RotateEvery *time.Duration
}

func (c Change) to(s Settings) Settings {
	set(&s.MinDecrypt, c.MinDecrypt)
	set(&s.MinEncrypt, c.MinEncrypt)
	set(&s.Exportable, c.Exportable)
	set(&s.Deletable, c.Deletable)
	set(&s.Rotatable, c.Rotatable)
	if c.RotateEvery != nil {
		s.RotateEvery = int64(*c.RotateEvery / time.Second)
	}
	return s
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// decideSettings holds settings against the versions of a key, and what may not be made of it without sudo.
func decideSettings(k keyRow, to Settings, sudo bool) error {
	period := time.Duration(to.RotateEvery) * time.Second
	switch {
	case to.MinDecrypt > k.Latest:
		return fault.Bad("min_decryption_version", "the latest version is %d", k.Latest)
	case to.MinEncrypt > k.Latest:
		return fault.Bad("min_encryption_version", "the latest version is %d", k.Latest)
	case to.MinDecrypt != k.Settings.MinDecrypt && to.MinDecrypt < k.Oldest:
		return fault.Bad("min_decryption_version", "versions below %d were trimmed", k.Oldest)
	case to.MinEncrypt > 0 && to.MinEncrypt < to.MinDecrypt:
		return fault.Bad("min_encryption_version", "is below min_decryption_version, %d: what it encrypts would open nowhere", to.MinDecrypt)
	case to.RotateEvery != 0 && (period < leastPeriod || period > mostPeriod):
		return fault.Bad("auto_rotate_period", "is 0 (never) or from %s to ten years", leastPeriod)
	case to.RotateEvery != 0 && k.Imported && !to.Rotatable:
		return fault.Bad("auto_rotate_period", "the key was imported: rotation_allowed first lets it get versions that are made here")
	case to.Exportable && !k.Settings.Exportable && !sudo:
		return fault.New(fault.Denied, "a key that was made not exportable becomes so only with sudo: the right to export it would reach back to all that it has encrypted")
	}
	return nil
}

// decideNext lets a key get another version.
func decideNext(k keyRow, name string, imported bool) error {
	switch {
	case !imported && k.Imported && !k.Settings.Rotatable:
		return fault.New(fault.Conflict, "key %q was imported: import its next version, or set rotation_allowed", name)
	case imported && !k.Imported:
		return fault.New(fault.Conflict, "key %q was made here: it gets no version from elsewhere", name)
	case k.Versions >= maxVersions:
		return fault.New(fault.Limit, "key %q has %d versions, the most it may: raise min_decryption_version and trim", name, k.Versions)
	}
	return nil
}

// decideTrim lets the versions below one be destroyed when nothing may use them any more.
func decideTrim(k keyRow, below uint64) error {
	switch {
	case below <= k.Oldest:
		return fault.New(fault.Conflict, "the oldest version is %d: nothing is below %d", k.Oldest, below)
	case below > k.Settings.MinDecrypt || k.Settings.MinEncrypt > 0 && below > k.Settings.MinEncrypt:
		return fault.Bad("min_available_version", "versions from %d on may still be used: raise min_decryption_version first", max(k.Settings.MinDecrypt, 1))
	}
	return nil
}

func decideDelete(k keyRow, name string) error {
	if !k.Settings.Deletable {
		return fault.New(fault.Conflict, "key %q may not be deleted: what it has encrypted would be lost; set deletion_allowed first", name)
	}
	return nil
}

// decideReserve lets a node take another block of a version's messages.
func decideReserve(row versionRow, found bool, epoch uint32, name string, version uint64) error {
	switch {
	case !found:
		return fault.New(fault.NotFound, "version %d of transit key %q was trimmed", version, name)
	case row.used(epoch)+block > mostDrawn:
		return fault.New(fault.Limit, "version %d of key %q has encrypted as many messages as it may: rotate the key", version, name)
	}
	return nil
}

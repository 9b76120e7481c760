// Package backendtest checks what makes accounts at a target against what package backend promises. A backend's test describes a real target as a Subject, and Run fails unless
//
//   - an account logs in with its password, and may do what its role grants and nothing else; two that are made at once do, and names of NameLimit bytes;
//   - List shows it, with its end; Extend moves the end; the target itself refuses it from then on, where it knows ends;
//   - after End its login is refused and its open sessions are over; what it owned and what it granted is as the Subject says; End is no error again, nor of a name that never was;
//   - a Create or End whose connection is cut after any byte, in either direction, leaves nothing once End has been called and has returned nil;
//   - a target that does not answer keeps nobody longer than their context;
//   - SetPassword, or Replace and Retire, hold for later connections and logins, and the old password is refused;
//   - under VerifyFull a target that cannot show that it is the host is refused, and so is one of another CA;
//   - no error has a password in it, and one for a target that is out of reach says that it cannot be reached.
package backendtest

import (
	"context"
	"testing"
	"time"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
)

// Subject is a real target, and a backend that is tried on it.
type Subject struct {
	Backend backend.Backend
	// Target is where the target is and who administers it. Its Dial may be nil. Run changes the password.
	Target backend.Target
	// Role grants what Client.Allowed does, and not what Client.Forbidden does.
	Role backend.Role
	// Login logs in as an account, past the backend. It takes what Made has, and else the password of the account.
	Login func(ctx context.Context, a backend.Account, m backend.Made) (Client, error)
	// Ends says that the target refuses accounts by itself when their time is over.
	Ends bool
	// Leave has an account make things that it owns, and grant what it may pass on. It returns what fails t unless both are as they should be once the account has ended. nil where
	// accounts own nothing.
	Leave func(t *testing.T, c Client, name string) (check func(t *testing.T))
}

// Client is a session of an account.
type Client interface {
	Allowed(context.Context) error
	Forbidden(context.Context) error
	// Alive returns an error once the session is over.
	Alive(context.Context) error
	Close() error
}

// patience is for what takes a moment at a target.
const patience = 15 * time.Second

// Run checks s. It leaves the target as it was, but for the password of the account that administers.
func Run(t *testing.T, s Subject) {
	for _, c := range []struct {
		name  string
		check func(*rig)
	}{
		{"AnAccountDoesWhatItsRoleGrants", (*rig).grants},
		{"NamesAreAsLongAsTheLimit", (*rig).longNames},
		{"TwoAtOnce", (*rig).twoAtOnce},
		{"ListShowsWhatThereIs", (*rig).list},
		{"ExtendMovesTheEnd", (*rig).extend},
		{"TheTargetKnowsTheEnd", (*rig).expire},
		{"EndIsForGood", (*rig).end},
		{"EndOfWhatIsNotThere", (*rig).endAgain},
		{"WhatItOwnsAndGranted", (*rig).leave},
		{"CreateIsCut", (*rig).cutCreate},
		{"EndIsCut", (*rig).cutEnd},
		{"NoAnswer", (*rig).stall},
		{"OutOfReach", (*rig).unreachable},
		{"AnotherCertificate", (*rig).impostors},
		{"WrongPassword", (*rig).wrongPassword},
		{"TheOwnAccount", (*rig).rotate},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, &s)
			c.check(r)
			r.nothingLeft()
			r.noSecrets()
		})
	}
}

// Package backend says what the engine of dynamic secrets needs of a database or service that makes accounts, one folder for each.
//
// A backend promises:
//   - Its driver's configuration is built in code from a Config, and from nothing in the environment, in files or in URLs.
//   - No password is in a statement, a log, or an error. An error says what the target refused, and to whom it was said.
//   - What stands in a role is written by those who may act as the target's administrator; what we put beside it are names that we drew, quoted.
//   - Create leaves nothing usable when it fails, or End takes it away. End may be called at any time, also for what never was, and again.
package backend

import (
	"context"
	"net"
	"time"
)

// TLS says how a connection is protected.
type TLS string

// The modes.
const (
	VerifyFull TLS = "verify-full" // the certificate is for the host and of a CA that is trusted: Config.CA, or the system's where that is empty
	Disable    TLS = "disable"     // in the clear: for loopback
)

// Config is where a target is, and how it is spoken to. Changing host, port, TLS mode or CA takes the credential again.
type Config struct {
	Host     string            `cbor:"1,keyasint"`
	Port     uint16            `cbor:"2,keyasint"`
	Database string            `cbor:"3,keyasint,omitempty"`
	TLS      TLS               `cbor:"4,keyasint"`
	CA       []byte            `cbor:"5,keyasint,omitempty"` // PEM
	Options  map[string]string `cbor:"6,keyasint,omitempty"` // what the backend alone knows
}

// Target is a configuration with the account that makes and ends others.
type Target struct {
	Config
	Username string
	Password []byte                                                               // the caller's to clear, once the session is open
	Dial     func(ctx context.Context, network, address string) (net.Conn, error) // the only way out: it checks where an address leads
}

// Role is what an account may do.
type Role struct {
	Grants  []string          `cbor:"1,keyasint"`           // at least one
	Options map[string]string `cbor:"2,keyasint,omitempty"` // what the backend alone knows
}

// Account is one that is to be made.
type Account struct {
	Name     string // at most NameLimit bytes of a-z, 0-9 and _, beginning with a letter
	Password []byte // printable ASCII without quotes, backslashes and spaces
	Until    time.Time
	Role     Role
}

// Made is an account as the target has made it.
type Made struct {
	Username string    // that it is used with; "": its name
	Fields   []Field   // what it is used with, where the target draws that; none: the password that it was given
	Until    time.Time // its end, which Extend cannot move; zero: as was asked for
}

// Field is a part of a credential that the target has drawn. All of them are secrets.
type Field struct {
	Name     string `cbor:"1,keyasint"`           // such as secret_access_key
	Value    []byte `cbor:"2,keyasint"`           // the caller's to clear
	Variable string `cbor:"3,keyasint,omitempty"` // in which the target's usual programs look for it
}

// Found is an account that the target has.
type Found struct {
	Name  string
	Until time.Time // zero: the target does not know an end
}

// Backend knows one kind of target. It is safe for concurrent use.
type Backend interface {
	// CheckConfig and CheckRole refuse what can be seen to be wrong without the target, with fault.Invalid and the field's name. They fill in what was left out.
	CheckConfig(c *Config) error
	CheckRole(r *Role) error
	// NameLimit is how long an account's name may be, in bytes.
	NameLimit() int
	// Open connects. The session reconnects as needed.
	Open(ctx context.Context, t Target) (Session, error)
	// Environment is by which variables programs that are usual for the target find it, such as PGUSER=…, and the name of the one that has the password; "" where none does.
	Environment(c Config, username string) (variables []string, password string)
}

// Session is a target that one account may administer. It is safe for concurrent use; each call ends with its context.
type Session interface {
	// Verify shows that the account can log in, and make and end others.
	Verify(ctx context.Context) error
	// Create makes an account which can log in until a.Until, or until End where the target knows no end.
	Create(ctx context.Context, a Account) (Made, error)
	// Extend has an account last until a later moment. nil where the target knows no end.
	Extend(ctx context.Context, name string, until time.Time) error
	// End ends an account for good: nobody logs in with it any more, its sessions are over, what it owns is somebody else's. It is no error when there is no such account.
	End(ctx context.Context, name string, r Role) error
	// List returns the accounts whose names begin so.
	List(ctx context.Context, prefix string) ([]Found, error)
	// Close lets go of the target.
	Close() error
}

// Setter is a Session whose own account takes the password that it is told.
type Setter interface {
	Session
	// SetPassword changes the password of the account of the session itself; later connections use it.
	SetPassword(ctx context.Context, password []byte) error
}

// Replacer is a Session whose own account gets its credentials from the target.
type Replacer interface {
	Session
	// Replace makes another credential of the session's own account, once it has ended all but the one that the session uses.
	Replace(ctx context.Context) (username string, password []byte, err error)
	// Retire ends all credentials of the session's own account but the one that the session uses.
	Retire(ctx context.Context) error
}

package seal

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/trstctl/trstctl/engines/seal/token"
	"github.com/trstctl/trstctl/fsm/fault"
)

// InitToken makes a token with this label and these PINs in the first free slot that the module shows, for development and tests: software tokens
// come empty. It overwrites no token. executable is the trstctl whose child loads the module; env is added to the child's.
func InitToken(ctx context.Context, executable, module string, env map[string]string, label string, soPIN, pin []byte) error {
	if !token.Built {
		return fault.New(fault.Invalid, "PKCS#11 is not in this binary, which was built without cgo")
	}
	set, err := json.Marshal(token.Settings{Module: module, Token: label})
	if err != nil {
		return fmt.Errorf("encode the settings of a token: %w", err)
	}
	spawner := newSpawner()
	defer spawner.close()
	c, err := startChild(spawner, executable, childEnv(os.Environ(), env))
	if err != nil {
		return err
	}
	s := &PKCS11{id: label, child: c}
	defer c.end(time.Second)
	for _, m := range []token.Message{{Kind: token.InitToken, A: set}, {Kind: token.SetPINs, A: soPIN, B: pin}} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := s.request(m, usual.create); err != nil {
			return err
		}
	}
	return nil
}

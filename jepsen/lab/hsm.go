package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/trstctl/trstctl/engines/seal"
)

// sealed returns the seals of the nodes' configurations: a key file, or a token of SoftHSM that all nodes use, as a shared HSM is.
func (l *Lab) sealed(ctx context.Context) (string, error) {
	if !l.opt.HSM {
		return fmt.Sprintf("seal: {file: %s}\n", l.kek()), nil
	}
	made, err := seal.MakeSoftHSM(ctx, l.opt.Binary, l.hsm(), "trstctl")
	if err != nil {
		return "", err
	}
	c := made.Config("root")
	seals, err := json.Marshal([]map[string]any{{"kind": seal.KindPKCS11, "module": c.Module, "token": c.Token, "pin_file": c.PINFile, "key": c.Key, "env": c.Env}})
	return fmt.Sprintf("seals: %s\n", seals), err // JSON is YAML
}

func (l *Lab) hsm() string { return filepath.Join(l.place.Dir, "hsm") }

// HSMAway takes the HSM's tokens away from all nodes, or brings them back.
func (l *Lab) HSMAway(on bool) error {
	tokens := filepath.Join(l.hsm(), "tokens")
	if on {
		return os.Rename(tokens, tokens+".away")
	}
	return os.Rename(tokens+".away", tokens)
}

// makeHSMKey makes the key of the HSM's seal, with the first node's configuration.
func (l *Lab) makeHSMKey(ctx context.Context, n *Node) error {
	if !l.opt.HSM {
		return nil
	}
	_, err := l.Command(ctx, "operator", "seal", "create-key", "-c", n.path(".yaml"))
	return err
}

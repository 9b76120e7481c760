package api

import (
	"fmt"

	"github.com/trstctl/trstctl/engines/kmipclient"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// kmipRoleBody says what clients of a role may do.
type kmipRoleBody struct {
	All        bool     `json:"all_operations" doc:"also those that come later; instead of operations"`
	Operations []string `json:"operations" doc:"as KMIP names them without spaces, such as CreateKeyPair, or their numbers, such as 0x0a"`
	Groups     []string `json:"groups" doc:"object groups that the client sees: @own, which is the default, is the one with its name; * is the whole tenant"`
	Objects    uint64   `json:"max_objects" doc:"that each client may have; 0: no bound"`
	Credential bool     `json:"credential_required" doc:"a username and password are asked for beside the certificate"`
	PKCS1      bool     `json:"rsa_pkcs1_v15_decryption" doc:"may decrypt with this padding, which tells an attacker about plaintexts"`
	SmallRSA   bool     `json:"rsa_1024" doc:"may have RSA keys of 1024 bits made, for devices that know no others"`
}

func (b *kmipRoleBody) role(name string) (kmipclient.Role, error) {
	r := kmipclient.Role{Name: name, All: b.All, Groups: b.Groups, Objects: b.Objects, Credential: b.Credential, PKCS1: b.PKCS1, SmallRSA: b.SmallRSA}
	for i, text := range b.Operations {
		n, known := ttlv.ParseEnum(ttlv.TagOperation, text)
		if _, named := ttlv.EnumName(ttlv.TagOperation, n); !known || !named {
			return r, fault.Bad(fmt.Sprintf("operations[%d]", i), "is no operation of KMIP's, such as Create or GetAttributes")
		}
		r.Operations = append(r.Operations, n)
	}
	return r, nil
}

// kmipRole is a role as it is.
type kmipRole struct {
	Name string `json:"name"`
	kmipRoleBody
}

func kmipRoleOf(r kmipclient.Role) kmipRole {
	out := kmipRole{r.Name, kmipRoleBody{All: r.All, Operations: make([]string, 0, len(r.Operations)), Groups: r.Groups, Objects: r.Objects, Credential: r.Credential,
		PKCS1: r.PKCS1, SmallRSA: r.SmallRSA}}
	for _, n := range r.Operations {
		name, known := ttlv.EnumName(ttlv.TagOperation, n)
		if !known {
			name = fmt.Sprintf("0x%02x", n)
		}
		out.Operations = append(out.Operations, name)
	}
	if len(r.Groups) == 0 {
		out.Groups = []string{kmipclient.OwnGroup}
	}
	return out
}

func changedRole(r kmipclient.Role, _ fsm.Receipt, err error) (any, error) { return kmipRoleOf(r), err }

func readKMIPRole(c *call) (any, error) {
	if err := kmipclient.ValidName(c.path); err != nil {
		return nil, err
	}
	r, err := kmipclient.GetRole(c.view, c.tenant, c.path)
	return kmipRoleOf(r), err
}

func writeKMIPRole(c *call) (any, error) {
	r, err := c.body.(*kmipRoleBody).role(c.path)
	if err != nil {
		return nil, err
	}
	return changedRole(c.api.opt.KMIP.SetRole(c.ctx, c.req, r))
}

func deleteKMIPRole(c *call) (any, error) {
	if err := kmipclient.ValidName(c.path); err != nil {
		return nil, err
	}
	return changedRole(c.api.opt.KMIP.DeleteRole(c.ctx, c.req, c.path))
}

type kmipRolesAnswer struct {
	Items []kmipRole `json:"items"`
	Next  string     `json:"next_cursor"`
}

func listKMIPRoles(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	page := func(after string, limit int) ([]kmipclient.Role, string, error) {
		return kmipclient.Roles(c.view, c.tenant, after, limit)
	}
	found, next, err := shown(c.params["cursor"], limit, page, func(r kmipclient.Role) string { return r.Name },
		func(name string) bool { return c.session.Forbids("kmip/roles/" + name) })
	out := kmipRolesAnswer{Items: make([]kmipRole, len(found)), Next: next}
	for i, r := range found {
		out.Items[i] = kmipRoleOf(r)
	}
	return out, err
}

package api

import (
	"bytes"
	"cmp"
	"encoding/pem"
	"slices"
	"time"

	"github.com/trstctl/trstctl/engines/kmipclient"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

// kmipCA describes a certificate authority; it holds nothing secret.
type kmipCA struct {
	UID         fsm.UID  `json:"uid"`
	Kind        string   `json:"kind" doc:"client: issues to the tenant's clients; external: vouches for their subjects; server: issues to the cluster's nodes"`
	Name        string   `json:"name,omitempty" doc:"of an external one"`
	Generation  uint64   `json:"generation,omitempty" doc:"of the others, from 1"`
	Algorithm   string   `json:"algorithm,omitempty" doc:"of a key that is kept here"`
	Certificate string   `json:"certificate" doc:"PEM"`
	PublicKey   string   `json:"public_key_fingerprint" doc:"SHA-256 of its SubjectPublicKeyInfo"`
	From        fsm.Time `json:"issues_from" doc:"when it begins to issue, or to vouch"`
	Expires     fsm.Time `json:"expires_at,omitempty" doc:"left out: not before the year 2262"`
	Created     fsm.Time `json:"created_at"`
	By          string   `json:"created_by"`
}

func kmipCAOf(ca kmipclient.CA) kmipCA {
	return kmipCA{UID: ca.UID, Kind: ca.Kind.String(), Name: ca.Name, Generation: ca.Generation, Algorithm: ca.Algorithm, Certificate: certificatePEM(ca.Certificate),
		PublicKey: ca.PublicKey.String(), From: ca.From, Expires: ca.Expires, Created: ca.Created, By: ca.By}
}

// certificatePEM is a certificate in PEM; nothing of nothing.
func certificatePEM(der []byte) string {
	if len(der) == 0 {
		return ""
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func changedCA(ca kmipclient.CA, _ fsm.Receipt, err error) (any, error) { return kmipCAOf(ca), err }

// kmipCAsAnswer has no pages: a tenant's CAs are few.
type kmipCAsAnswer struct {
	Items []kmipCA `json:"items" doc:"the tenant's own by generation, those of others as they came, and those of the cluster's servers by generation"`
}

// byKind orders CAs for people: by what they are for, and within that the oldest first.
func byKind(a, b kmipclient.CA) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Generation, b.Generation), cmp.Compare(a.Created, b.Created), cmp.Compare(a.Name, b.Name), bytes.Compare(a.UID[:], b.UID[:]))
}

func listKMIPCAs(c *call) (any, error) {
	all, err := kmipclient.CAs(c.view, c.tenant)
	slices.SortFunc(all, byKind)
	out := kmipCAsAnswer{Items: make([]kmipCA, 0, len(all))}
	for _, ca := range all {
		if !c.session.Forbids("kmip/ca/" + ca.UID.String()) {
			out.Items = append(out.Items, kmipCAOf(ca))
		}
	}
	return out, err
}

type kmipCABody struct {
	Algorithm string `json:"algorithm" doc:"of its key: rsa-3072, which is the default, rsa-2048 or ec-p256"`
}

func initKMIPCA(c *call) (any, error) {
	return changedCA(c.api.opt.KMIP.InitCA(c.ctx, c.req, kmipclient.Algorithm(c.body.(*kmipCABody).Algorithm)))
}

func rotateKMIPCA(c *call) (any, error) {
	return changedCA(c.api.opt.KMIP.RotateCA(c.ctx, c.req, kmipclient.Algorithm(c.body.(*kmipCABody).Algorithm)))
}

type kmipExternalBody struct {
	Certificate strictjson.Text `json:"certificate" strict:"required" doc:"of the CA, in PEM; with the key and subject of one that has the name it takes its place"`
}

func addKMIPCA(c *call) (any, error) {
	return changedCA(c.api.opt.KMIP.AddCA(c.ctx, c.req, c.path, c.body.(*kmipExternalBody).Certificate))
}

func removeKMIPCA(c *call) (any, error) {
	uid, err := fsm.ParseUID(c.path)
	if err != nil || uid.String() != c.path { // one form alone, which is the one that policies name
		return nil, fault.New(fault.NotFound, "there is no KMIP CA %q", clean(c.path, 64))
	}
	return changedCA(c.api.opt.KMIP.RemoveCA(c.ctx, c.req, uid))
}

// kmipRootsAnswer is what the administrator of a client installs in it.
type kmipRootsAnswer struct {
	Certificates string `json:"certificates" doc:"PEM, of all generations of the CA of the cluster's KMIP servers, the newest last"`
}

func readKMIPRoots(c *call) (any, error) {
	roots, err := kmipclient.Roots(c.view)
	if err == nil && len(roots) == 0 {
		err = fault.New(fault.NotFound, "the cluster has no CA for its KMIP servers yet: the first node that serves KMIP has it made, see kmip.listen in its configuration")
	}
	return kmipRootsAnswer{string(roots)}, err
}

type kmipServerBody struct {
	Algorithm string `json:"algorithm" doc:"of its key: rsa-3072, which is the default, rsa-2048 or ec-p256"`
	Delay     period `json:"delay" strict:"required" doc:"until nodes take certificates from it: 365 days at most, by when clients must have learnt the new root; 0s: at once"`
}

func rotateKMIPServer(c *call) (any, error) {
	b := c.body.(*kmipServerBody)
	return changedCA(c.api.opt.KMIP.RotateServerCA(c.ctx, c.req, kmipclient.Algorithm(b.Algorithm), time.Duration(b.Delay)))
}

package api

import (
	"encoding/hex"

	"github.com/trstctl/trstctl/engines/audit"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/journal"
)

type auditActor struct {
	Identity string `json:"identity,omitempty"`
	Accessor string `json:"accessor,omitempty"`
}

type auditOrigin struct {
	Request string `json:"request,omitempty"`
	Address string `json:"address,omitempty"`
	Policy  string `json:"policy,omitempty"`
}

type auditEvent struct {
	Type   string         `json:"type"`
	Stream string         `json:"stream"`
	Tenant string         `json:"tenant" doc:"uid"`
	Data   map[string]any `json:"data" doc:"the event; a digest stands for each sealed value"`
}

type auditRead struct {
	Operation string `json:"operation" doc:"the route, such as secrets.get"`
	Path      string `json:"path,omitempty"`
	Version   uint64 `json:"version,omitempty"`
	Outcome   string `json:"outcome,omitempty" doc:"allowed, or the kind of the refusal"`
	Count     uint64 `json:"count,omitempty" doc:"how many requests the record stands for, when not one"`
}

type auditRecord struct {
	Source string       `json:"source" doc:"log: a change; reads: what a node answered or refused a known caller; refused: counts of unknown callers"`
	Node   string       `json:"node,omitempty" doc:"whose journal it stands in; not for the log, which all have"`
	Seq    uint64       `json:"seq" doc:"within its log or journal"`
	Hash   string       `json:"hash"`
	Index  uint64       `json:"index"`
	At     fsm.Time     `json:"at"`
	ID     string       `json:"id,omitempty"`
	Actor  auditActor   `json:"actor"`
	Origin auditOrigin  `json:"origin"`
	Tenant string       `json:"tenant" doc:"uid"`
	Events []auditEvent `json:"events" doc:"of a change"`
	Read   *auditRead   `json:"read,omitempty"`
}

type journalAnswer struct {
	Records uint64 `json:"records"`
	First   uint64 `json:"first" doc:"sequence of the oldest that retention has left"`
	Last    uint64 `json:"last"`
	Head    string `json:"head" doc:"hash of the last record"`
	Anchors int    `json:"anchors" doc:"of the event log's that it agrees with"`
	Cut     uint64 `json:"cut_bytes" doc:"of torn tails that starts have cut off"`
}

type verifyAnswer struct {
	Node     string        `json:"node"`
	Index    uint64        `json:"index"`
	Records  uint64        `json:"records"`
	Payloads uint64        `json:"payloads"`
	Head     string        `json:"head" doc:"hash of the last record"`
	Reads    journalAnswer `json:"reads" doc:"the node's journal of reads"`
	Refused  journalAnswer `json:"refused" doc:"its counts of what unknown callers were refused"`
}

func verifyAudit(c *call) (any, error) {
	if err := c.alone(); err != nil {
		return nil, err
	}
	defer c.api.verifying.Store(false)
	v, err := fsm.VerifyChain(c.ctx, c.view)
	if err != nil {
		return nil, err
	}
	reads, refused, err := c.api.opt.Journals.Verify(c.ctx, c.view)
	if err != nil {
		return nil, err
	}
	return verifyAnswer{c.api.opt.Node, v.Index, v.Records, v.Payloads, hexOf(v.Head), journalOf(reads), journalOf(refused)}, nil
}

func journalOf(v journal.Verified) journalAnswer {
	return journalAnswer{v.Records, v.First, v.Head.Seq, hexOf(v.Head.Hash), v.Anchors, v.Cut}
}

type keyAnswer struct {
	Version     uint64 `json:"version"`
	Fingerprint string `json:"fingerprint" doc:"what audit verify FILE --key takes"`
	Public      string `json:"public_key" doc:"Ed25519, hexadecimal"`
}

func readAuditKey(c *call) (any, error) {
	k, found, err := audit.NewestKey(c.view)
	if err == nil && !found {
		err = fault.New(fault.NotFound, "there is no audit key yet: the leader makes it once every node runs this version")
	}
	return keyAnswer{uint64(k.Version), k.Fingerprint(), hex.EncodeToString(k.Public)}, err
}

package cluster

// Version is the newest state that this binary can read and apply. The cluster's version is raised by an event when every
// member has announced that it reads it; a binary below the cluster's version does not start.
//
//	1  the beginning
//	2  places of sealed values in the index of keys; rotation of keys, the gossip key's too; several seals; comparison of tables
//	3  transit
//	4  KMIP: its managed objects, and who its clients are
//	5  the outbox, leases, dynamic secrets
//
// What comes with a version says so by fsm.Newer. Before Version is raised, a data directory of the old one goes into
// test/upgrade/testdata.
const Version = latest - behind

const latest = 5

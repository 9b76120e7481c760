package server

// kmipFigures is what the ports for KMIP of a node have to do.
type kmipFigures struct {
	served           bool
	connections      int64
	running, waiting int // messages
}

func (k *keyService) figures() kmipFigures {
	out := kmipFigures{served: len(k.ports) > 0, connections: k.office.Meter.Open()}
	out.running, out.waiting = k.office.Places.Depth()
	return out
}

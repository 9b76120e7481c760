package api

// gossipAnswer is the answer to the rotation of the gossip key.
type gossipAnswer struct {
	Version uint64 `json:"version" doc:"of the new key; the nodes take it into use within moments"`
}

func rotateGossip(c *call) (any, error) {
	version, err := c.api.opt.Operator.RotateGossip(c.ctx, c.req)
	return gossipAnswer{version}, err
}

package backup

import (
	"context"
	"errors"
	"io"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Loaded is the content of a backup as tables.
type Loaded struct {
	Store    *fsm.Store
	Verified fsm.Verified
}

// Load fills empty tables in dir with the content of a backup and verifies them as they are on the disk then: the digest is the header's, the event
// log is whole, every sealed value has its digest. content is what Unlock or Open returned. The store is the caller's to close.
func (f *File) Load(ctx context.Context, dir string, reg *fsm.Registry, content io.Reader) (_ *Loaded, err error) {
	s, err := fsm.Open(dir, reg, fsm.Options{})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.Applied() > 0 {
		return nil, fault.New(fault.Conflict, "the tables in %s are not empty", dir)
	}
	if err := s.Restore(&stoppable{ctx, content}); err != nil {
		return nil, err
	}
	v, err := s.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	found, err := f.verify(ctx, v)
	return &Loaded{s, found}, err
}

// stoppable ends a long read when its context does.
type stoppable struct {
	ctx context.Context
	r   io.Reader
}

func (s *stoppable) Read(b []byte) (int, error) {
	if err := context.Cause(s.ctx); err != nil {
		return 0, err
	}
	return s.r.Read(b)
}

func (f *File) verify(ctx context.Context, v *fsm.View) (fsm.Verified, error) {
	h := f.front.header
	digest, err := fsm.Digest(ctx, v)
	if err != nil {
		return fsm.Verified{}, err
	}
	records, head := v.Head()
	if digest != h.Digest || v.Index() != h.Index || v.Term() != h.Term || fsm.Epoch(v) != h.Epoch || v.Version() != h.Version || records != h.Records || head != h.Head {
		return fsm.Verified{}, damaged("what it holds is not what its header says: digest %x at index %d instead of %x at %d", digest[:8], v.Index(), h.Digest[:8], h.Index)
	}
	return fsm.VerifyChain(ctx, v)
}

package api

import (
	"errors"
	"io"
	"math"
	"net/http"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

// known is how large a body may be before the token in front of it is looked up.
const known = 64 << 10

// readBody reads the body within the route's limit and its time, and checks that it is strict JSON. The buffer grows with what
// has arrived, whatever length was announced, as long as its address has bytes left; what it leaves behind is zeroed. A large one is read
// only from whom this node knows, or its leader does.
func (c *call) readBody(deadline time.Time) error {
	if c.r.Body == nil || c.r.Body == http.NoBody || c.r.ContentLength == 0 {
		return nil
	}
	limit := c.route.limit
	if c.r.ContentLength > limit {
		return c.tooLarge()
	}
	if err := c.recognise(); err != nil {
		return err
	}
	if err := c.readDeadline(deadline); err != nil {
		return err
	}
	var err error
	if c.raw, err = readAll(http.MaxBytesReader(c.w, c.r.Body, limit), c.r.ContentLength, c.hold); err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return c.tooLarge()
		}
		if fault.Is(err, fault.NotDone) {
			return err
		}
		return fault.New(fault.Invalid, "the body did not arrive whole and in time").Because(err)
	}
	if err := c.readDeadline(time.Time{}); err != nil {
		return err
	}
	if len(c.raw) == 0 {
		return nil
	}
	return strictjson.Check(c.raw)
}

// recognise refuses a large body, or one of a length that is not told, under a token that nobody was given. What a peer forwards has
// been asked already.
func (c *call) recognise() error {
	if n := c.r.ContentLength; c.route.kind == open || c.peer || n >= 0 && n <= known {
		return nil
	}
	return c.confirmed(func(v *fsm.View) error {
		c.now = c.api.now(v)
		_, err := c.authenticate(v)
		return err
	})
}

// hold counts n more bytes of body as the address's.
func (c *call) hold(n int) error {
	err := c.api.bodies.Take(rateKey(c.address), int64(n))
	if err == nil {
		c.held += int64(n)
	}
	return err
}

func (c *call) readDeadline(t time.Time) error {
	return connected(http.NewResponseController(c.w).SetReadDeadline(t))
}

func (c *call) writeDeadline(t time.Time) error {
	return connected(http.NewResponseController(c.w).SetWriteDeadline(t))
}

func connected(err error) error {
	if err == nil || errors.Is(err, http.ErrNotSupported) { // only a test's recorder has no deadlines
		return nil
	}
	return fault.New(fault.NotDone, "the connection ended").Because(err)
}

func (c *call) tooLarge() error {
	if c.route.limit == 0 {
		return fault.New(fault.Invalid, "this route takes no body")
	}
	return fault.New(fault.TooLarge, "the body is larger than %d bytes", c.route.limit)
}

// readAll reads r to its end and asks hold for the bytes of its buffer before it takes them. What it leaves behind is zeroed.
func readAll(r io.Reader, announced int64, hold func(n int) error) ([]byte, error) {
	const first = 16 << 10
	most := math.MaxInt
	if announced >= 0 {
		most = int(announced) + 1 // one more, so that the end is seen without growing
	}
	var buf []byte
	for {
		if len(buf) == cap(buf) {
			size := max(first, 2*cap(buf))
			if size > most && cap(buf) < most {
				size = most
			}
			if err := hold(size - cap(buf)); err != nil {
				clear(buf)
				return nil, err
			}
			grown := append(make([]byte, 0, size), buf...)
			clear(buf)
			buf = grown
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			clear(buf)
			return nil, err
		}
	}
}

package api

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

// readBody reads the body within the route's limit and its time, and checks that it is strict JSON. The buffer grows with what
// has arrived, whatever length was announced; what it leaves behind is zeroed.
func (c *call) readBody(deadline time.Time) error {
	if c.r.Body == nil || c.r.Body == http.NoBody || c.r.ContentLength == 0 {
		return nil
	}
	limit := c.route.limit
	if c.r.ContentLength > limit {
		return c.tooLarge()
	}
	if err := c.readDeadline(deadline); err != nil {
		return err
	}
	var err error
	if c.raw, err = readAll(http.MaxBytesReader(c.w, c.r.Body, limit), c.r.ContentLength); err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return c.tooLarge()
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

func readAll(r io.Reader, announced int64) ([]byte, error) {
	const first = 16 << 10
	size := int64(first)
	if announced >= 0 {
		size = min(announced+1, size) // one more, so that the end is seen without growing
	}
	buf := make([]byte, 0, size)
	for {
		if len(buf) == cap(buf) {
			grown := append(make([]byte, 0, 2*cap(buf)), buf...)
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

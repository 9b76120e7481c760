package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// appender is an answer that writes its own JSON: those that hold secrets or are asked for often.
type appender interface{ appendJSON([]byte) []byte }

// wiper is a body or answer that holds secrets.
type wiper interface{ wipe() }

// answer renders what a handler returned, to be sent. A nil answer has been sent by the handler itself.
func (c *call) answer(v any, err error) error {
	if err != nil || v == nil {
		return err
	}
	var b []byte
	if a, ok := v.(appender); ok {
		b = a.appendJSON(nil)
	} else if b, err = json.Marshal(v); err != nil {
		return err
	}
	b = append(b, '\n')
	if s, ok := v.(wiper); ok {
		s.wipe()
	}
	if err := c.keep(b); err != nil {
		return err
	}
	h := c.w.Header()
	h["Content-Type"] = jsonType
	if c.index > 0 {
		h[indexHeader] = []string{formatIndex(c.epoch, c.index)}
	}
	if c.replayed {
		h[replayedHeader] = []string{"true"}
	}
	c.send(http.StatusOK, b)
	return nil
}

// largeAnswer is how many bytes an answer has that counts as its address's until it is sent. A mutation's has never so many, and it
// could not be refused any more.
const largeAnswer = 64 << 10

func (c *call) keep(b []byte) error {
	if len(b) <= largeAnswer || c.route.kind != read {
		return nil
	}
	if err := c.api.answers.Take(rateKey(c.address), int64(len(b))); err != nil {
		clear(b)
		return err
	}
	c.kept = int64(len(b))
	return nil
}

func formatIndex(epoch uint32, index uint64) string {
	b := append(strconv.AppendUint(make([]byte, 0, 24), uint64(epoch), 10), '.')
	return string(strconv.AppendUint(b, index, 10))
}

// send keeps a whole answer, which write sends once the request has left its queue.
func (c *call) send(status int, b []byte) { c.status, c.out = status, b }

// patience is how long a caller may take to read an answer, or a page of a stream.
const patience = 30 * time.Second

// write sends the answer and zeroes it. A caller who has gone or does not read is nobody's failure: it shows in the log line.
func (c *call) write() {
	if c.streams || c.status == 0 {
		return
	}
	c.note(c.writeDeadline(time.Now().Add(patience)))
	c.w.Header()["Content-Length"] = []string{strconv.Itoa(len(c.out))}
	c.w.WriteHeader(c.status)
	n, err := c.w.Write(c.out)
	c.bytes += n
	c.note(err)
	if !c.shared {
		clear(c.out)
	}
	c.api.answers.Give(rateKey(c.address), c.kept)
}

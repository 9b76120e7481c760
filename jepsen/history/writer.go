package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Writer appends to a history file. It is safe for concurrent use; the order of its lines is the order of the calls, as far as anybody can
// tell: an event's time is taken under the lock that orders it.
type Writer struct {
	start time.Time

	mu   sync.Mutex // guards the rest
	file *os.File
	buf  *bufio.Writer
	next int
	err  error
}

// Create begins a history.
func Create(path string) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("begin a history: %w", err)
	}
	return &Writer{start: time.Now(), file: f, buf: bufio.NewWriterSize(f, 64<<10)}, nil
}

// Now is the time since the history began.
func (w *Writer) Now() time.Duration { return time.Since(w.start) }

// Add appends an event and returns its index. value is encoded as JSON; nil for none. An error of the file is told by Close.
func (w *Writer) Add(process int, t Type, f, node string, value any, failure error) int {
	e := Event{Process: process, Type: t, F: f, Node: node}
	if value != nil {
		b, err := json.Marshal(value)
		if err != nil {
			panic(fmt.Sprintf("a history's value of %s: %v", f, err)) // a type that JSON does not know: a bug of the workload
		}
		e.Value = b
	}
	if failure != nil {
		e.Error = failure.Error()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	e.Index, e.Time = w.next, w.Now()
	w.next++
	b, err := json.Marshal(e)
	if err == nil {
		_, err = w.buf.Write(append(b, '\n'))
	}
	w.err = errors.Join(w.err, err)
	return e.Index
}

// Len is the number of events so far.
func (w *Writer) Len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.next
}

// Flush writes what is buffered.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.err, w.buf.Flush())
}

// SoFar is what has been written.
func (w *Writer) SoFar() (*History, error) {
	if err := w.Flush(); err != nil {
		return nil, err
	}
	return Read(w.file.Name())
}

// Close ends the history.
func (w *Writer) Close() error { return errors.Join(w.Flush(), w.file.Close()) }

// Read reads a history file. A last line that was cut off, as by a harness that was killed, is left out.
func Read(path string) (*History, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := &History{}
	for r := bufio.NewReaderSize(f, 64<<10); ; {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return h, nil
		}
		var e Event
		if err == nil {
			err = json.Unmarshal(line, &e)
		}
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, len(h.Events)+1, err)
		}
		h.Events = append(h.Events, e)
	}
}

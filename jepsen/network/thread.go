package network

import "runtime"

// thread is a thread of the operating system that does one call after the other and lives until end. What it enters, such as a namespace, it never
// leaves: nothing else of this process ever runs on it. The kernel sends the death signal of a child when the thread that started it ends.
type thread struct {
	calls  chan func()
	ending chan struct{}
	ended  chan struct{}
}

func newThread() *thread {
	t := &thread{make(chan func()), make(chan struct{}), make(chan struct{})}
	locked := make(chan struct{})
	go t.run(locked)
	<-locked
	return t
}

// run moves on when it finds itself on the process's first thread, which cannot end before the process and stands for it in /proc.
func (t *thread) run(locked chan struct{}) {
	runtime.LockOSThread()
	if onFirstThread() {
		elsewhere := make(chan struct{})
		go t.run(elsewhere)
		<-elsewhere // this thread was taken meanwhile
		runtime.UnlockOSThread()
		close(locked)
		return
	}
	close(locked)
	defer close(t.ended) // and the thread ends with its goroutine, being locked still
	for {
		select {
		case call := <-t.calls:
			call()
		case <-t.ending:
			return
		}
	}
}

// do has the thread do f.
func (t *thread) do(f func() error) error {
	done := make(chan error, 1)
	select {
	case t.calls <- func() { done <- f() }:
		return <-done
	case <-t.ended:
		return errClosed
	}
}

// end ends the thread after the call that it is at, once.
func (t *thread) end() {
	close(t.ending)
	<-t.ended
}

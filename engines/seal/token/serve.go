package token

import (
	"io"
	"os"
	"runtime"
	"time"
)

// lingering is how long a child may take to log out once its parent is gone.
const lingering = time.Second

// Serve answers requests until their pipe ends. A module that hangs then does not keep the process: it exits a second later in any case.
func Serve(requests io.Reader, answers io.Writer) error {
	runtime.LockOSThread() // some modules tie a session to the thread that opened it
	todo, stop := make(chan Message), make(chan struct{})
	defer close(stop)
	var broken error
	go func() {
		defer close(todo)
		for {
			m, err := Read(requests)
			if err != nil {
				if err != io.EOF {
					broken = err
				}
				time.AfterFunc(lingering, func() { os.Exit(1) })
				return
			}
			select {
			case todo <- m:
			case <-stop:
				return
			}
		}
	}()
	d := &desk{}
	defer d.close()
	for m := range todo {
		answer := d.handle(m)
		m.Clear()
		err := Write(answers, answer)
		answer.Clear()
		if err != nil {
			return err
		}
	}
	return broken
}

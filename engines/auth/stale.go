package auth

import "time"

// What mutant.StaleTokenCache does, and nobody else: a session is good for 30 seconds, whatever happens to its token.
const keepSession = 30 * time.Second

type keptSession struct {
	Session
	since time.Time
}

func (e *Engine) kept(hash [32]byte) (Session, bool) {
	at, found := e.stale.Load(hash)
	if !found {
		return Session{}, false
	}
	k := at.(keptSession)
	return k.Session, time.Since(k.since) < keepSession
}

func (e *Engine) keep(hash [32]byte, s Session) { e.stale.Store(hash, keptSession{s, time.Now()}) }

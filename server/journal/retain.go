package journal

import (
	"encoding/hex"
	"errors"
	"os"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/durable"
)

// Trim removes the files that retention no longer keeps, oldest first, never the last. What it did not manage it tries again in a minute.
func (j *Journal) Trim() {
	for {
		old, next, found := j.due()
		if !found {
			return
		}
		if err := j.remove(old, next); err != nil {
			j.opt.Log.Warn("an old file of the journal was not removed, will retry", "file", fileName(j.dir, old.number), "err", err)
			return
		}
	}
}

// due returns the oldest file when it is too old or all together are too large, and the one after it.
func (j *Journal) due() (old, next segment, found bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.files) < 2 {
		return old, next, false
	}
	total := j.size
	for _, f := range j.files[:len(j.files)-1] {
		total += f.size
	}
	old, next = j.files[0], j.files[1]
	aged := j.opt.Keep > 0 && next.since < fsm.At(j.opt.Clock().Add(-j.opt.Keep))
	return old, next, aged || j.opt.Most > 0 && total > j.opt.Most
}

// remove first puts on record which hash the chain goes on from, and only then takes the file away.
func (j *Journal) remove(old, next segment) error {
	if !j.reading.TryLock() {
		return errors.New("it is being read")
	}
	defer j.reading.Unlock()
	if err := j.Append(Record{Op: OpTrimmed, Version: next.first - 1, Path: hex.EncodeToString(next.prev[:])}); err != nil {
		return err
	}
	if err := j.Sync(); err != nil {
		return err
	}
	if err := os.Remove(fileName(j.dir, old.number)); err != nil && !os.IsNotExist(err) {
		return err
	}
	j.mu.Lock()
	j.files = j.files[1:]
	j.mu.Unlock()
	j.opt.Log.Info("a file of the journal of reads was removed", "file", fileName(j.dir, old.number), "up_to", next.first-1, "until", next.since.Std().Format(time.RFC3339))
	return durable.SyncDir(j.dir)
}

package managedkey

import (
	"maps"
	"slices"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Stage is a state of a tenant's objects with what operations have done on top of it. Each operation is done as a whole or leaves nothing. A stage is used
// by one goroutine, and dropped when its operations are not wanted.
type Stage struct {
	keys    Keys
	r       fsm.Reader
	tenant  fsm.UID
	now     fsm.Time
	admit   func(*Object) error
	quota   uint64 // of limited; 0: no bound
	limited string
	guards  []fsm.Guard
	over    overlay
}

// overlay is what operations have done. Objects in it are never changed: an operation puts another in the place of one.
type overlay struct {
	objects   map[string]*Object // also those that were only read
	materials map[string]fsm.Sealed
	names     map[Name]string // the owner's id; empty: nobody's
	groups    map[string]uint64
	made      []string
	events    []fsm.Event
}

func newStage(k Keys, r fsm.Reader, tenant fsm.UID, now fsm.Time) *Stage {
	return &Stage{keys: k, r: r, tenant: tenant, now: now, over: overlay{
		objects: map[string]*Object{}, materials: map[string]fsm.Sealed{}, names: map[Name]string{}, groups: map[string]uint64{}}}
}

// Admit has f asked about every object that an operation names or follows a link to, before anything else is said of it; an error of f is the operation's.
// f must not keep the object. It is asked about objects that this stage has made, too.
func (s *Stage) Admit(f func(*Object) error) { s.admit = f }

// Limit refuses objects of an owner beyond so many that live; 0 for no bound. Stages that are decided at the same moment do not see each other: the bound may be passed by as
// many as there are.
func (s *Stage) Limit(owner string, objects uint64) { s.limited, s.quota = owner, objects }

// room refuses one more object of an owner who has as many as it may.
func (s *Stage) room(owner string) error {
	if s.quota == 0 || owner != s.limited {
		return nil
	}
	row, _, err := owners.Get(s.r, fsm.K(s.tenant, owner))
	if err != nil {
		return err
	}
	living := int64(row.Living)
	for _, e := range s.over.events {
		switch e := e.(type) {
		case ObjectMade:
			living += one(e.Object.Owner == owner)
		case ObjectDestroyed:
			living -= one(e.Object.Owner == owner)
		}
	}
	if living >= int64(s.quota) {
		return refuse(ReasonLimitReached, fault.New(fault.Limit, "the client has %d objects, the most that its role lets it have", living))
	}
	return nil
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// Now is the moment by which the stage decides.
func (s *Stage) Now() fsm.Time { return s.now }

// Changed reports whether the stage has anything to commit.
func (s *Stage) Changed() bool { return len(s.over.events) > 0 }

// Entry adds to an entry what the stage has done, guarded by all that it has read to decide it. A stage that changed nothing adds nothing.
func (s *Stage) Entry(e *fsm.Entry) {
	if s.Changed() {
		e.Guard(s.guards...)
		e.Add(s.over.events...)
	}
}

// Whole carries out several operations as one: when it fails, nothing of them was done.
func (s *Stage) Whole(operations func() error) error { return s.do(operations) }

// do carries out an operation, and undoes all of it when it fails. What it has read keeps its guards: the failure rests on it.
func (s *Stage) do(operation func() error) error {
	before := s.over
	s.over = overlay{maps.Clone(before.objects), maps.Clone(before.materials), maps.Clone(before.names), maps.Clone(before.groups),
		slices.Clip(before.made), slices.Clone(before.events)}
	err := operation()
	if err == nil && len(s.over.events) > MaxBatch {
		err = refuse(ReasonLimitReached, fault.New(fault.Limit, "a batch makes %d changes at most", MaxBatch))
	}
	if err != nil {
		s.over = before
	}
	return err
}

// date is now as the server's own dates have it, in whole seconds.
func (s *Stage) date() fsm.Time { return s.now - s.now%fsm.Time(time.Second) }

// object returns an object as the stage has it, if the caller is admitted to it.
func (s *Stage) object(id string) (Object, error) {
	o, found, err := s.find(id)
	if err == nil && !found {
		err = notFound(id)
	}
	if err == nil && s.admit != nil {
		err = s.admit(&o)
	}
	return o, err
}

// find is object without asking anybody.
func (s *Stage) find(id string) (Object, bool, error) {
	if o, here := s.over.objects[id]; here {
		return *o, true, nil
	}
	if checkID(id) != nil {
		return Object{}, false, nil
	}
	if err := s.guard(stream(id)); err != nil {
		return Object{}, false, err
	}
	o, found, err := objects.Get(s.r, fsm.K(s.tenant, id))
	if err == nil && found {
		s.over.objects[id] = &o
	}
	return o, found, err
}

// guard lets what the stage decides rest on a stream.
func (s *Stage) guard(stream string) error {
	if slices.ContainsFunc(s.guards, func(g fsm.Guard) bool { return g.Stream == stream }) {
		return nil
	}
	g, err := fsm.GuardOf(s.r, s.tenant, stream)
	if err == nil {
		s.guards = append(s.guards, g)
	}
	return err
}

// put makes an object what it is from now on, names included.
func (s *Stage) put(o Object) error {
	o.Dates.LastChange = s.date()
	if err := s.rename(&o); err != nil {
		return err
	}
	if err := checkSize(&o); err != nil {
		return err
	}
	s.over.objects[o.ID] = &o
	s.emit(ObjectChanged{o})
	return nil
}

// emit notes an event. Of several changes of an object in a row the last says all.
func (s *Stage) emit(e fsm.Event) {
	if _, change := e.(ObjectChanged); change {
		for i := len(s.over.events) - 1; i >= 0; i-- {
			if s.over.events[i].EventStream() != e.EventStream() {
				continue
			}
			if _, same := s.over.events[i].(ObjectChanged); same {
				s.over.events[i] = e
				return
			}
			break
		}
	}
	s.over.events = append(s.over.events, e)
}

// owned are the names that an object keeps from others. KMIP lets a destroyed object keep its attributes, its names too (the cases SKLC-O-1 and AKLC-O-1
// ask for them), and wants a name to be unique in the server; yet a client that made a key of a name and destroyed it makes it again under the same name,
// as the cases do when they are run twice, and servers in use let it: so the attribute stays, and the claim ends.
func (o *Object) owned() []Name {
	if o.dead() {
		return nil
	}
	return o.Attributes.Names.Values()
}

// rename frees the names that an object gives up and takes those that are new to it.
func (s *Stage) rename(o *Object) error {
	var had []Name
	if old, found := s.over.objects[o.ID]; found {
		had = old.owned()
	}
	has := o.owned()
	for _, n := range had {
		if !slices.Contains(has, n) {
			s.over.names[n] = ""
			s.emit(NameFreed{n})
		}
	}
	for i, n := range has {
		if slices.Contains(has[:i], n) {
			return nameTaken()
		}
		if slices.Contains(had, n) {
			continue
		}
		if err := s.take(n, o.ID); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stage) take(n Name, id string) error {
	holder, err := s.holder(n)
	if err != nil {
		return err
	}
	if holder != "" {
		return nameTaken()
	}
	s.over.names[n] = id
	s.emit(NameTaken{n, id})
	return nil
}

// holder returns the id of the object that has a name, empty if none has.
func (s *Stage) holder(n Name) (string, error) {
	if id, known := s.over.names[n]; known {
		return id, nil
	}
	if err := s.guard(nameStream(n)); err != nil {
		return "", err
	}
	row, _, err := names.Get(s.r, nameKey(s.tenant, n))
	return row.ID, err
}

func nameTaken() error {
	return refuse(ReasonNameTaken, fault.New(fault.Conflict, "the name is another object's: names are unique"))
}

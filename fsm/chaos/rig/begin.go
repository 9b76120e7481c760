package rig

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The environment of a chaos build. What begins with prefix and is none of these is a typing error.
const (
	prefix         = "TRSTCTL_CHAOS_"
	SocketVariable = prefix + "SOCKET" // where to listen
	ArmVariable    = prefix + "ARM"    // point:do:hit or point:pause:hit:duration, separated by commas
	ClockVariable  = prefix + "CLOCK"  // how far the clock is from the machine's, such as +1h
)

// Meant reports whether an environment says that a chaos build is what is wanted.
func Meant(environ []string) bool {
	for _, e := range environ {
		if strings.HasPrefix(e, prefix) {
			return true
		}
	}
	return false
}

// Begin arms points and sets the clock as an environment says.
func (r *Rig) Begin(environ []string) error {
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if err := r.take(name, value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (r *Rig) take(name, value string) error {
	switch name {
	case SocketVariable:
		return nil
	case ClockVariable:
		by, err := time.ParseDuration(value)
		if err != nil {
			return err
		}
		return r.clock.jump(by)
	case ArmVariable:
		for _, text := range strings.Split(value, ",") {
			a, err := parseArm(text)
			if err == nil {
				err = r.points.arm(a)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("there is no such variable; there are %s, %s and %s", SocketVariable, ArmVariable, ClockVariable)
}

func parseArm(text string) (a Arm, err error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 && len(parts) != 4 {
		return a, fmt.Errorf("%q is not point:do:hit or point:pause:hit:duration", text)
	}
	hit, err := strconv.ParseUint(parts[2], 10, 32)
	if err != nil {
		return a, fmt.Errorf("the hit in %q is no number", text)
	}
	a = Arm{Point: parts[0], Do: parts[1], Hit: uint32(hit)}
	if len(parts) == 4 {
		err = a.For.UnmarshalText([]byte(parts[3]))
	}
	return a, err
}

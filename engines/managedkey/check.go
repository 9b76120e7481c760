package managedkey

import (
	"regexp"

	"github.com/trstctl/trstctl/fsm"
)

// ids are lower-case UUIDs as this package draws them, or what an import named.
var ids = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`)

func checkID(id string) error {
	if !ids.MatchString(id) {
		return invalid("unique identifier", "is 1 to 128 letters, digits, '.', '_', ':' and '-', and begins with a letter or digit")
	}
	return nil
}

func text(field string, limit int) func(string) error {
	return func(s string) error { return checkText(field, s, limit) }
}

func checkName(n Name) error {
	if n.Type != TextName && n.Type != URIName {
		return invalid("name", "is uninterpreted text or a URI")
	}
	return checkText("name", n.Value, MaxName)
}

func checkAltName(n AltName) error { return checkText("alternative name", n.Value, MaxName) }

func checkLocation(l Location) error { return checkText("key value location", l.Value, MaxText) }

func checkApplication(a Application) error {
	if a.Data != "" {
		if err := checkText("application data", a.Data, MaxText); err != nil {
			return err
		}
	}
	return checkText("application namespace", a.Namespace, MaxName)
}

func checkLink(l Link) error {
	if l.Type == 0 {
		return invalid("link", "has a type")
	}
	return checkID(l.Target)
}

func checkLease(seconds uint32) error {
	if seconds > maxLease {
		return invalid("lease time", "is at most %d seconds", maxLease)
	}
	return nil
}

func checkParameters(p Parameters) error {
	if len(p.PSource) > MaxText {
		return invalid("P source", "has %d bytes, the limit is %d", len(p.PSource), MaxText)
	}
	return nil
}

func (s *Split) check() error {
	if s.Threshold < 1 || s.Threshold > s.Parts || s.Identifier < 1 || s.Identifier > s.Parts || len(s.Prime) > MaxText {
		return invalid("split key", "is one of its parts, and the threshold is 1 to their number")
	}
	return nil
}

// checkDates holds the dates against each other, those that are set (KMIP 1.4 sections 3.24 to 3.27).
func (d Dates) check() error {
	ordered := func(what string, first, then fsm.Time) error {
		if first != 0 && then != 0 && then < first {
			return invalid(what, "comes before what it has to follow")
		}
		return nil
	}
	for _, pair := range []struct {
		what        string
		first, then fsm.Time
	}{
		{"process start date", d.Activation, d.ProcessStart}, {"protect stop date", d.Activation, d.ProtectStop}, {"deactivation date", d.Activation, d.Deactivation},
		{"process start date", d.ProcessStart, d.Deactivation}, {"protect stop date", d.ProtectStop, d.Deactivation},
	} {
		if err := ordered(pair.what, pair.first, pair.then); err != nil {
			return err
		}
	}
	return nil
}

func (c *CertificateInfo) check() error {
	b, err := fsm.Encode(c)
	if err != nil || len(b) > MaxAttributes/2 {
		return invalid("certificate", "says more of itself than can be kept")
	}
	return nil
}

func certificate(o *Object, _ fsm.Time) []CertificateInfo {
	if o.Attributes.Certificate == nil {
		return nil
	}
	return []CertificateInfo{*o.Attributes.Certificate}
}

func certificateLength(o *Object, _ fsm.Time) []uint32 {
	if o.Attributes.Certificate == nil || o.Attributes.Certificate.Length == 0 {
		return nil
	}
	return []uint32{o.Attributes.Certificate.Length}
}

// absent is the attribute Key Value Present, which KMIP shows of keys that are not on the server only (section 3.41).
func absent(o *Object, _ fsm.Time) []bool {
	if o.Present || o.Dates.Destroy != 0 {
		return nil
	}
	return []bool{false}
}

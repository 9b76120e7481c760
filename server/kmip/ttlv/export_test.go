package ttlv

// What only the tests outside of the package may see.
var (
	Camel    = camel
	XMLBound = func(it *Item) int { return xmlBound(it, 0) }
)

// Tables calls f for every value that a table holds, under the first tag that has it. A mask's value is its bit.
func Tables(f func(tag Tag, value uint32, title, name string)) {
	for _, group := range [][]enum{messageEnums, objectEnums, cryptoEnums, serverEnums} {
		for _, e := range group {
			registry().enums[e.tags[0]].each(e.tags[0], f)
		}
	}
	for _, m := range masks {
		registry().masks[m.tags[0]].each(m.tags[0], f)
	}
}

func (v *values) each(tag Tag, f func(Tag, uint32, string, string)) {
	for _, n := range v.order {
		f(tag, n, v.entries[n].title, v.entries[n].name)
	}
}

package kmip

import "maps"

// operations are those that this server does.
var operations = map[uint32]operation{}

func init() { // not in the variable: Query answers with what stands there
	for _, table := range []map[uint32]operation{queryOperations, makingOperations, gettingOperations, replacingOperations, derivingOperations, splittingOperations,
		importingOperations, attributeOperations, lifeOperations, locateOperations, cryptoOperations} {
		maps.Copy(operations, table)
	}
}

// writes reports whether a request has an operation that always changes something.
func (r *Request) writes() bool {
	for i := range r.Items {
		if operations[r.Items[i].Operation].writes {
			return true
		}
	}
	return false
}

package replay

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// longest is how much of one value a report shows.
const longest = 400

// show returns the value of an item as the published files write it; names is the tag whose values name those of the item.
// Values are test data: a report may hold them.
func show(it *ttlv.Item, names ttlv.Tag) string {
	if it == nil {
		return ""
	}
	return shorten(full(it, names))
}

func full(it *ttlv.Item, names ttlv.Tag) string {
	switch it.Type() {
	case ttlv.TypeStructure:
		return structure(it)
	case ttlv.TypeTextString:
		v, _ := it.TextString()
		return strconv.Quote(v)
	case ttlv.TypeByteString:
		v, _ := it.ByteString()
		return hex.EncodeToString(v)
	case ttlv.TypeBigInteger:
		v, _ := it.BigInteger()
		return fmt.Sprintf("%#x", v)
	}
	return number(it, names)
}

func number(it *ttlv.Item, names ttlv.Tag) string {
	switch it.Type() {
	case ttlv.TypeEnumeration:
		v, _ := it.Enumeration()
		if name, ok := ttlv.EnumName(names, v); ok {
			return name
		}
		return fmt.Sprintf("0x%08x", v)
	case ttlv.TypeInteger:
		v, _ := it.Integer()
		if mask, ok := ttlv.MaskNames(names, v, " "); ok {
			return mask
		}
		return fmt.Sprint(v)
	case ttlv.TypeBoolean:
		v, _ := it.Boolean()
		return fmt.Sprint(v)
	case ttlv.TypeInterval:
		v, _ := it.Interval()
		return fmt.Sprint(v)
	}
	return long(it)
}

func long(it *ttlv.Item) string {
	switch it.Type() {
	case ttlv.TypeDateTime:
		v, _ := it.DateTime()
		return time.Unix(v, 0).UTC().Format(time.RFC3339)
	case ttlv.TypeDateTimeExtended:
		v, _ := it.DateTimeExtended()
		return time.UnixMicro(v).UTC().Format(time.RFC3339Nano)
	}
	v, _ := it.LongInteger()
	return fmt.Sprint(v)
}

// structure returns what is in a structure, with the names of an attribute's own values.
func structure(it *ttlv.Item) string {
	var attribute ttlv.Tag
	if name, err := it.Find(ttlv.TagAttributeName).TextString(); err == nil {
		attribute, _ = ttlv.AttributeTag(name)
	}
	var inner []string
	for i := range it.Items() {
		in := &it.Items()[i]
		names := in.Tag
		if in.Tag == ttlv.TagAttributeValue && attribute != 0 {
			names = attribute
		}
		if in.Type() == ttlv.TypeStructure {
			inner = append(inner, full(in, names))
			continue
		}
		inner = append(inner, in.Tag.String()+"="+full(in, names))
	}
	return it.Tag.String() + "{" + strings.Join(inner, " ") + "}"
}

func shorten(s string) string {
	if len(s) <= longest {
		return s
	}
	return fmt.Sprintf("%s... (%d characters)", s[:longest], len(s))
}

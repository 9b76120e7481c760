package workload

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/trstctl/trstctl/jepsen/history"
)

// checkTime bounds a search by porcupine.
const checkTime = time.Minute

// never is the return of what nobody knows: it may happen at any later time.
const never = int64(1) << 62

func bad(checker string, checked int, format string, args ...any) history.Verdict {
	return history.Verdict{Checker: checker, Checked: checked, Detail: fmt.Sprintf(format, args...)}
}

func good(checker string, checked int) history.Verdict {
	return history.Verdict{Checker: checker, OK: checked > 0, Checked: checked}
}

// linearizable searches an order for operations.
func linearizable(checker string, m porcupine.Model, ops []porcupine.Operation) history.Verdict {
	v := good(checker, len(ops))
	switch result := porcupine.CheckOperationsTimeout(m, ops, checkTime); result {
	case porcupine.Illegal:
		v.OK, v.Detail = false, "no order of the operations explains what was answered"+culprit(m, ops)
	case porcupine.Unknown:
		v.OK, v.Unknown, v.Detail = false, true, "undecided after "+checkTime.String()
	}
	return v
}

// culprit names a part that cannot be explained.
func culprit(m porcupine.Model, ops []porcupine.Operation) string {
	for _, part := range m.Partition(ops) {
		if porcupine.CheckOperationsTimeout(m, part, checkTime) == porcupine.Illegal {
			return ": " + m.DescribeOperation(part[0].Input, part[0].Output) + fmt.Sprintf(" and %d more of the same key", len(part)-1)
		}
	}
	return ""
}

// draw shows the parts that cannot be put into an order.
func draw(m porcupine.Model, ops []porcupine.Operation, dir, name string) (string, error) {
	for _, part := range m.Partition(ops) {
		result, found := porcupine.CheckOperationsVerbose(m, part, checkTime)
		if result != porcupine.Ok {
			return name, porcupine.VisualizePath(m, found, filepath.Join(dir, name))
		}
	}
	return "", nil
}

// answered is a verdict about answers that no request of a workload may get, whatever is broken.
func answered(name string, ops []history.Op) history.Verdict {
	for _, o := range ops {
		if strings.HasPrefix(o.Error, wrong) {
			return bad(name+" answers", len(ops), "%s through %s at %s: %s", o.F, o.Node, o.Call.Round(time.Millisecond), o.Error)
		}
	}
	return good(name+" answers", len(ops))
}

package history

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAHistoryComesBackAsItWasWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "h")
	w, err := Create(path)
	require.NoError(t, err)
	w.Add(0, Invoke, "register.put", "n1", map[string]any{"key": "a", "cas": uint64(1) << 60}, nil)
	w.Add(Nemesis, Info, "kill", "n2", nil, nil)
	w.Add(1, Invoke, "register.get", "n2", nil, nil)
	w.Add(0, OK, "register.put", "n1", []string{"x \"y\"\n"}, nil)
	w.Add(1, Info, "register.get", "n2", nil, errors.New("nobody knows"))
	w.Add(2, Invoke, "token.use", "n1", nil, nil)
	w.Add(1, Invoke, "registered", "n1", nil, nil)
	require.NoError(t, w.Close())

	h, err := Read(path)
	require.NoError(t, err)
	ops := h.Ops("register")
	require.Len(t, ops, 2)
	require.Equal(t, OK, ops[0].Type)
	require.Equal(t, Info, ops[1].Type)
	require.LessOrEqual(t, ops[0].Call, ops[0].Return)
	require.Len(t, h.Ops(""), 4)
	require.Equal(t, Info, h.Ops("token")[0].Type, "a call without an answer")
	require.Len(t, h.Of(Nemesis, "kill"), 1)

	var b strings.Builder
	require.NoError(t, h.EDN(&b))
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	require.Len(t, lines, 7)
	require.Contains(t, lines[0], `:process 0, :type :invoke, :f :register.put, :node "n1", :value {:cas 1152921504606846976, :key "a"}}`)
	require.Contains(t, lines[1], `:process :nemesis, :type :info, :f :kill, :node "n2", :value nil}`)
	require.Contains(t, lines[3], `:value ["x \"y\"\n"]}`)
	require.Contains(t, lines[4], `:error "nobody knows"}`)
}

func TestACutOffLineIsLeftOutAndADamagedOneIsNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "h")
	whole := `{"index":0,"time":5,"process":0,"type":"invoke","f":"x"}` + "\n"
	require.NoError(t, os.WriteFile(path, []byte(whole+`{"index":1,"ti`), 0o600))
	h, err := Read(path)
	require.NoError(t, err)
	require.Len(t, h.Events, 1)
	require.Equal(t, 5*time.Nanosecond, h.End())
	require.NoError(t, os.WriteFile(path, []byte("{\n"+whole), 0o600))
	_, err = Read(path)
	require.ErrorContains(t, err, "line 1")
}

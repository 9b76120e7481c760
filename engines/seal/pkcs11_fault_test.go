//go:build cgo

package seal

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

func TestAModuleThatHangsIsStoppedAndStartedAnew(t *testing.T) {
	h := newShim(t)
	for _, function := range []string{"C_Initialize", "C_OpenSession", "C_Encrypt"} {
		t.Run(function, func(t *testing.T) {
			s := patient(t, h.conf, t.TempDir())
			s.limits.call = 200 * time.Millisecond
			h.plan(function, "hang")
			_, err := s.Wrap(t.Context(), []byte("root"), nil)
			require.True(t, fault.Is(err, fault.NotDone), err)
			require.ErrorContains(t, err, "did not answer in time")
			require.ErrorContains(t, s.Problem(), "did not answer in time")
			require.Nil(t, s.child, "nothing is left of it")

			h.plan(function, "")
			s.limits.call = time.Minute
			require.NoError(t, s.Test(t.Context()))
			require.NoError(t, s.Problem())
		})
	}
}

func TestTheUsualLimitIsFiveSeconds(t *testing.T) {
	s, err := OpenPKCS11("hsm", PKCS11Config{Module: "/m", Token: "t", PINEnv: "P", Key: "k"}, t.TempDir(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(s.Close)
	require.Equal(t, 5*time.Second, s.limits.call)
}

func TestAModuleThatCrashesTakesNothingWithIt(t *testing.T) {
	h := newShim(t)
	s := patient(t, h.conf, t.TempDir())
	for _, function := range []string{"C_Initialize", "C_Login", "C_Encrypt"} {
		h.plan(function, "crash")
		_, err := s.Wrap(t.Context(), []byte("root"), nil)
		require.ErrorContains(t, err, "SIGSEGV", function)
		h.plan(function, "")
		require.NoError(t, s.Test(t.Context()), "and the next call starts it again")
		s.endChild()
	}
}

func TestASessionThatDiedIsOpenedAnewWithoutTheCallerNoticing(t *testing.T) {
	h := newShim(t)
	s := patient(t, h.conf, t.TempDir())
	blob, err := s.Wrap(t.Context(), []byte("root"), nil)
	require.NoError(t, err)
	for _, rv := range []string{"0xB3", "0xB0", "0x32", "0xE0", "0x30", "0x101", "0x82", "0x05", "crash"} { // CKR_SESSION_HANDLE_INVALID and what HSMs say else
		before := h.calls("C_Login")
		h.plan("C_Decrypt", "once "+rv)
		got, err := s.Unwrap(t.Context(), blob, nil)
		require.NoError(t, err, rv)
		require.Equal(t, "root", string(got), rv)
		require.LessOrEqual(t, h.calls("C_Login")-before, 1, rv)
	}
	require.NoError(t, syscall.Kill(s.child.cmd.Process.Pid, syscall.SIGKILL), "somebody ends the child")
	require.NoError(t, s.Test(t.Context()))
}

func TestATokenThatCannotDecryptIsNotAWrongKey(t *testing.T) {
	h := newShim(t)
	s := patient(t, h.conf, t.TempDir())
	blob, err := s.Wrap(t.Context(), []byte("root"), nil)
	require.NoError(t, err)
	h.plan("C_Decrypt", "0x05")
	_, err = s.Unwrap(t.Context(), blob, nil)
	require.NotErrorIs(t, err, ErrWrongKey)
	require.ErrorContains(t, err, "CKR_GENERAL_ERROR")
	require.ErrorContains(t, s.Problem(), "CKR_GENERAL_ERROR")
}

func TestPausesBetweenAttemptsGrow(t *testing.T) {
	h := newShim(t)
	s := patient(t, h.conf, t.TempDir())
	s.limits.backoff, s.limits.most, s.limits.wait = time.Hour, 2*time.Hour, time.Second
	h.plan("C_Initialize", "0x30")
	_, err := s.Wrap(t.Context(), nil, nil)
	require.ErrorContains(t, err, "CKR_DEVICE_ERROR")
	for range 3 {
		_, err = s.Wrap(t.Context(), nil, nil)
		require.ErrorContains(t, err, "asked again in")
		require.ErrorContains(t, err, "CKR_DEVICE_ERROR")
		require.Equal(t, 1, strings.Count(err.Error(), "asked again in"))
	}
	require.Equal(t, 1, h.calls("C_Initialize"), "the module is left in peace")
	require.LessOrEqual(t, time.Until(s.next), time.Hour)
	require.Error(t, s.Test(t.Context()), "a person is answered at once")
	require.Equal(t, 2, h.calls("C_Initialize"))
	require.Greater(t, time.Until(s.next), time.Hour-time.Minute, "from one hour to two")
	h.plan("C_Initialize", "")
	require.NoError(t, s.Test(t.Context()))
	require.Zero(t, s.fails)
}

func TestCallersWaitForEachOtherAndGiveUpWhenTheyLike(t *testing.T) {
	h := newShim(t)
	s := patient(t, h.conf, t.TempDir())
	require.NoError(t, s.Test(t.Context()))
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			text := []byte(fmt.Sprint("root ", i))
			blob, err := s.Wrap(t.Context(), text, nil)
			if err == nil {
				var got []byte
				got, err = s.Unwrap(t.Context(), blob, nil)
				if err == nil && !bytes.Equal(got, text) {
					err = fmt.Errorf("%s instead of %s", got, text)
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()

	pid := s.pid()
	h.plan("C_Encrypt", "hang")
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	before := h.calls("C_Encrypt")
	go func() {
		_, err := s.Wrap(ctx, []byte("root"), nil)
		first <- err
	}()
	require.Eventually(t, func() bool { return h.calls("C_Encrypt") > before }, time.Minute, time.Millisecond)
	gone, cancelGone := context.WithCancel(t.Context())
	cancelGone()
	_, err := s.Wrap(gone, []byte("root"), nil)
	require.ErrorContains(t, err, "did not answer in time")
	cancel()
	require.ErrorContains(t, <-first, "did not answer in time", "the one whose call hangs, too")
	h.plan("C_Encrypt", "")
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL)) // or it would hang for the minute that patient gives it
	require.NoError(t, s.Test(t.Context()))
}

// pid of the child that waits for the next call.
func (s *PKCS11) pid() int { return s.child.cmd.Process.Pid }

func TestAChildThatNobodyNeedsIsEnded(t *testing.T) {
	h := newShim(t)
	s := patient(t, h.conf, t.TempDir())
	s.limits.idle = time.Millisecond
	require.NoError(t, s.Test(t.Context()))
	require.Eventually(t, func() bool {
		s.turn <- struct{}{}
		defer s.leave()
		return s.child == nil
	}, time.Minute, time.Millisecond)
	require.NoError(t, s.Test(t.Context()))
}

// TestHolder is a process of its own that has a seal, to be killed.
func TestHolder(t *testing.T) {
	dir := os.Getenv("SEAL_TEST_HOLDER")
	if dir == "" {
		t.Skip("it is started by another test")
	}
	conf := PKCS11Config{Module: filepath.Join(dir, "shim.so"), Token: "kek", PINFile: os.Getenv("SEAL_TEST_PIN"), Key: "root",
		Env: map[string]string{"SHIM": dir, "SHIM_MODULE": os.Getenv("SEAL_TEST_MODULE"), "SOFTHSM2_CONF": os.Getenv("SEAL_TEST_CONF")}}
	s := patient(t, conf, t.TempDir())
	_, _ = s.Wrap(t.Context(), []byte("root"), nil) // it may hang, for a minute
	select {}
}

func TestTheChildDiesWithItsParent(t *testing.T) {
	h := newShim(t)
	for what, until := range map[string]string{"it waits for a request": "C_Encrypt", "its module hangs": "C_OpenSession"} {
		t.Run(what, func(t *testing.T) {
			if until == "C_OpenSession" {
				h.plan(until, "hang")
				defer h.plan(until, "")
			}
			before := h.calls(until)
			parent := exec.Command(os.Args[0], "-test.run=^TestHolder$")
			parent.Env = append(os.Environ(), "SEAL_TEST_HOLDER="+h.dir, "SEAL_TEST_PIN="+h.conf.PINFile,
				"SEAL_TEST_MODULE="+h.conf.Env["SHIM_MODULE"], "SEAL_TEST_CONF="+h.conf.Env["SOFTHSM2_CONF"])
			require.NoError(t, parent.Start())
			t.Cleanup(func() { _ = parent.Process.Kill() })
			var pid int
			require.Eventually(t, func() bool {
				pid = childOf(parent.Process.Pid)
				return pid != 0 && h.calls(until) > before
			}, time.Minute, time.Millisecond)
			require.NoError(t, parent.Process.Kill())
			_ = parent.Wait()
			require.Eventually(t, func() bool {
				stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
				return err != nil || strings.Contains(string(stat), ") Z ")
			}, time.Minute, time.Millisecond, "the child lives on")
		})
	}
}

// childOf finds a child process that runs the child command.
func childOf(parent int) int {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range all {
		stat, err := os.ReadFile(file)
		cmdline, err2 := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if err != nil || err2 != nil || !strings.Contains(string(cmdline), ChildCommand) {
			continue
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if fields[1] == strconv.Itoa(parent) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			return pid
		}
	}
	return 0
}

func TestATokenThatGoesAndComesBack(t *testing.T) {
	hsm := softHSM(t)
	s := withKey(t, hsm.Config("root"))
	blob, err := s.Wrap(t.Context(), []byte("root"), nil)
	require.NoError(t, err)
	tokens := filepath.Join(filepath.Dir(hsm.Conf), "tokens")
	require.NoError(t, os.Rename(tokens, tokens+".away"))
	require.NoError(t, os.Mkdir(tokens, 0o700))
	s.endChild() // SoftHSM answers from memory for a while
	_, err = s.Unwrap(t.Context(), blob, nil)
	require.ErrorContains(t, err, `there is no token "kek"`)
	require.True(t, fault.Is(err, fault.NotDone))
	require.ErrorContains(t, s.Problem(), `there is no token "kek"`)

	require.NoError(t, os.Remove(tokens))
	_, err = s.Unwrap(t.Context(), blob, nil)
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrWrongKey)

	require.NoError(t, os.Rename(tokens+".away", tokens))
	got, err := s.Unwrap(t.Context(), blob, nil)
	require.NoError(t, err)
	require.Equal(t, "root", string(got))
	require.NoError(t, s.Problem())
}

func TestATokenThatWasInitialisedAnew(t *testing.T) {
	hsm := softHSM(t)
	s := withKey(t, hsm.Config("root"))
	blob, err := s.Wrap(t.Context(), []byte("root"), nil)
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(filepath.Join(filepath.Dir(hsm.Conf), "tokens")))
	require.NoError(t, os.Remove(hsm.PINFile))
	_, err = MakeSoftHSM(t.Context(), self(), filepath.Dir(hsm.Conf), "kek")
	require.NoError(t, err)
	s.endChild()
	_, err = s.Unwrap(t.Context(), blob, nil)
	require.ErrorContains(t, err, `token "kek" has not the AES key "root"`)
	require.ErrorContains(t, err, "create-key")
	require.NoError(t, s.CreateKey(t.Context()))
	_, err = s.Unwrap(t.Context(), blob, nil)
	require.ErrorIs(t, err, ErrWrongKey, "a key of the same name is another key")
}

func TestMakingASoftHSMTwiceFindsTheFirst(t *testing.T) {
	hsm := softHSM(t)
	s := withKey(t, hsm.Config("root"))
	dir := filepath.Dir(hsm.Conf)
	again, err := MakeSoftHSM(t.Context(), self(), dir, "kek")
	require.NoError(t, err)
	require.Equal(t, hsm, again)
	require.NoError(t, patient(t, again.Config("root"), t.TempDir()).Test(t.Context()))
	_, err = MakeSoftHSM(t.Context(), self(), dir, "other")
	require.NoError(t, err, "a second token beside it")
	require.NoError(t, s.Test(t.Context()))
	for _, name := range []string{"kek.pin", "kek.pin.so"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
	require.NoError(t, os.Rename(hsm.PINFile, hsm.PINFile+".new")) // as if it had been killed in between
	_, err = MakeSoftHSM(t.Context(), self(), dir, "kek")
	require.ErrorContains(t, err, "not finished")
}

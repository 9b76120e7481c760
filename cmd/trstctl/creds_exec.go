package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/trstctl/trstctl/sdk"
)

const (
	execLife    = 40 * time.Second // of the lease of a program that runs: so long it outlives this command when that is killed
	execRenew   = execLife / 3
	revokeTries = 5
)

// runWith runs a program with a credential, which ends with it. The error has the program's exit code.
func (a *app) runWith(ctx context.Context, client *sdk.Client, connection, role string, program []string) error {
	path, err := exec.LookPath(program[0])
	if err != nil {
		return usagef("%v", err)
	}
	got, err := a.borrow(ctx, client, connection, role)
	if err != nil {
		return err
	}
	defer a.giveBack(client, got)
	c := exec.Command(path, program[1:]...)
	c.Env = withVariables(os.Environ(), got)
	got.Clear()
	c.Stdin, c.Stdout, c.Stderr = a.in, a.out, a.err
	return a.watch(c, client, got)
}

// borrow asks for a credential that is over soon after this command has been killed, or where they cannot be extended for one that lasts as long as the role says.
func (a *app) borrow(ctx context.Context, client *sdk.Client, connection, role string) (sdk.DynamicCredential, error) {
	one, cancel := a.call(ctx)
	defer cancel()
	got, err := client.IssueCredential(one, connection, role, execLife)
	if err != nil || got.ExpiresAt.Before(got.MaxExpires) {
		return got, err
	}
	got.Clear()
	a.giveBack(client, got)
	return client.IssueCredential(one, connection, role, 0)
}

// watch passes signals on to a program until it ends, and has its lease last.
func (a *app) watch(c *exec.Cmd, client *sdk.Client, got sdk.DynamicCredential) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(signals)
	if err := c.Start(); err != nil {
		return failure{err}
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	renew := time.NewTicker(execRenew)
	defer renew.Stop()
	for {
		select {
		case s := <-signals:
			_ = c.Process.Signal(s) // it may have ended just now
		case <-renew.C:
			if got.ExpiresAt.Before(got.MaxExpires) {
				a.extend(client, got)
			}
		case err := <-ended:
			return exitOf(err)
		}
	}
}

// extend says when the program's account is about to end under it.
func (a *app) extend(client *sdk.Client, got sdk.DynamicCredential) {
	ctx, cancel := context.WithTimeout(context.Background(), execRenew/2)
	defer cancel()
	l, err := client.RenewLease(ctx, got.LeaseID, execLife)
	switch {
	case err != nil:
		fmt.Fprintf(a.err, "trstctl: the lease %s is not extended: %v\n", got.LeaseID, err)
	case !l.ExpiresAt.Before(l.MaxExpires):
		fmt.Fprintf(a.err, "trstctl: the lease %s lasts as long as its role lets it: the account ends at %s\n", got.LeaseID, stamp(l.ExpiresAt))
	}
}

// giveBack revokes the lease, also when this command was told to end.
func (a *app) giveBack(client *sdk.Client, got sdk.DynamicCredential) {
	var err error
	for range revokeTries {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		_, err = client.RevokeLease(ctx, got.LeaseID)
		cancel()
		if err == nil || sdk.Is(err, sdk.NotFound) || sdk.Is(err, sdk.Denied) {
			return // what is not there any more is nobody's to revoke
		}
		time.Sleep(500 * time.Millisecond)
	}
	fmt.Fprintf(a.err, "trstctl: the lease %s is not revoked (%v): it ends by itself within %s\n", got.LeaseID, err, execLife)
}

// exitOf is the program's exit code, or 128 and the signal that ended it.
func exitOf(err error) error {
	var e *exec.ExitError
	if !errors.As(err, &e) {
		return err
	}
	if w, ok := e.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return programEnded(128 + int(w.Signal()))
	}
	return programEnded(e.ExitCode())
}

// programEnded is a program's exit code, which this command takes over without a word.
type programEnded int

func (p programEnded) Error() string {
	return fmt.Sprintf("the program ended with exit code %d", int(p))
}

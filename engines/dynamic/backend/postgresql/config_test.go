package postgresql

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestConfigsAreFilledIn(t *testing.T) {
	given := map[string]string{}
	c := backend.Config{Host: "db.example", Options: given}
	require.NoError(t, Backend{}.CheckConfig(&c))
	require.Equal(t, backend.Config{Host: "db.example", Port: 5432, Database: "postgres", TLS: backend.VerifyFull, Options: map[string]string{"heir": "trstctl_heir"}}, c)
	require.Empty(t, given, "the caller's own")
	again := c
	require.NoError(t, Backend{}.CheckConfig(&again))
	require.Equal(t, c, again)
}

func TestConfigsThatAreRefused(t *testing.T) {
	key := "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
	for field, all := range map[string][]backend.Config{
		"host":     {{}, {Host: "/var/run/postgresql"}, {Host: "a,b"}, {Host: "db:5432"}, {Host: "db?sslmode=disable"}, {Host: "u@db"}, {Host: "a b"}, {Host: "-x"}, {Host: strings.Repeat("a", 300)}},
		"database": {{Host: "h", Database: strings.Repeat("d", 64)}, {Host: "h", Database: "a\x00b"}, {Host: "h", Database: "a\nb"}},
		"tls":      {{Host: "h", TLS: "prefer"}, {Host: "h", TLS: "require"}, {Host: "h", TLS: "verify-ca"}},
		"ca":       {{Host: "h", CA: []byte("x")}, {Host: "h", CA: []byte(key)}, {Host: "h", TLS: backend.Disable, CA: []byte("x")}, {Host: "h", CA: []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")}},
		"options": {{Host: "h", Options: map[string]string{"sslmode": "disable"}}, {Host: "h", Options: map[string]string{"heir": "pg_monitor"}},
			{Host: "h", Options: map[string]string{"heir": "a\x00"}}},
	} {
		for _, c := range all {
			err := Backend{}.CheckConfig(&c)
			bad, ok := err.(*fault.Error)
			require.True(t, ok && bad.Kind == fault.Invalid, "%+v: %v", c, err)
			require.Equal(t, field, bad.Field, "%+v", c)
			_, err = Backend{}.Open(t.Context(), backend.Target{Config: c})
			require.True(t, fault.Is(err, fault.Invalid), "Open of %+v: %v", c, err)
		}
	}
	for _, host := range []string{"localhost", "10.0.0.1", "::1", "2001:db8::1", "db-1.example.com", "db_1", "db.example.com."} {
		require.NoError(t, Backend{}.CheckConfig(&backend.Config{Host: host}), host)
	}
}

func TestGrants(t *testing.T) {
	for text, want := range map[string]string{
		"reader":                                                   `GRANT reader TO "acc"`,
		`"Odd; -- name's", b`:                                      `GRANT "Odd; -- name's", b TO "acc"`,
		"SELECT ON ALL TABLES IN SCHEMA public":                    `GRANT SELECT ON ALL TABLES IN SCHEMA public TO "acc"`,
		` select (a, "to") on t `:                                  `GRANT select (a, "to") on t TO "acc"`,
		"DEFAULT SELECT ON TABLES":                                 `ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO "acc"`,
		"default in schema a, b\n SELECT ON TABLES":                "ALTER DEFAULT PRIVILEGES in schema a, b\n GRANT SELECT ON TABLES TO \"acc\"",
		`DEFAULT FOR ROLE "O ""x", p IN SCHEMA s ALL ON FUNCTIONS`: `ALTER DEFAULT PRIVILEGES FOR ROLE "O ""x", p IN SCHEMA s GRANT ALL ON FUNCTIONS TO "acc"`,
	} {
		require.NoError(t, Backend{}.CheckRole(&backend.Role{Grants: []string{text}}), text)
		g, err := parseGrant(text)
		require.NoError(t, err)
		require.Equal(t, want, g.statement("acc"))
		require.Equal(t, !strings.Contains(strings.ToUpper(text), "ON "), g.member, text)
	}
}

func TestRolesThatAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "  ", "--", "SELECT ON t; DROP TABLE t", "SELECT ON t --", "SELECT ON t /* x", "SELECT ON t TO PUBLIC, x", "reader to mallory", "GRANT SELECT ON t", "ALTER DEFAULT PRIVILEGES",
		"DEFAULT", "DEFAULT SELECT", "DEFAULT IN SCHEMA SELECT ON", "SELECT ON 'x'", `SELECT ON "t`, "SELECT ON $$t$$", "SELECT ON t\x00",
	} {
		err := Backend{}.CheckRole(&backend.Role{Grants: []string{"reader", text}})
		bad, ok := err.(*fault.Error)
		require.True(t, ok && bad.Kind == fault.Invalid && bad.Field == "grants" && strings.HasPrefix(bad.Message, "number 2 "), "%q: %v", text, err)
	}
	require.True(t, fault.Is(Backend{}.CheckRole(&backend.Role{}), fault.Invalid))
	for _, options := range []map[string]string{{"x": "1"}, {"connection_limit": ""}, {"connection_limit": "0"}, {"connection_limit": "-1"}, {"connection_limit": "1 SUPERUSER"}, {"connection_limit": "+5"}, {"connection_limit": "2147483648"}} {
		require.True(t, fault.Is(Backend{}.CheckRole(&backend.Role{Grants: []string{"reader"}, Options: options}), fault.Invalid), "%v", options)
	}
}

func FuzzGrant(f *testing.F) {
	for _, text := range []string{"reader", `"a""b"`, "DEFAULT FOR ROLE a SELECT ON TABLES", "SELECT ON t;", `U&"\0041"`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := parseGrant(text)
		if err != nil {
			return
		}
		bare, err := unquote(g.statement("acc"))
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(" "+strings.Join(word.FindAllString(strings.ToUpper(bare), -1), " ")+" ", " TO "), "one TO, and that is ours")
	})
}

// TestVerifier takes the exchange of RFC 7677, section 3.
func TestVerifier(t *testing.T) {
	salt := unbase64(t, "W22ZaJ0SNY7soEsUEjb6gQ==")
	const authMessage = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096," +
		"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
	v := verifier([]byte("pencil"), salt, 4096)
	require.True(t, strings.HasPrefix(v, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"), v)
	keys := strings.Split(strings.Split(v, "$")[2], ":")
	stored, serverKey := unbase64(t, keys[0]), unbase64(t, keys[1])
	require.Equal(t, unbase64(t, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), mac(serverKey, []byte(authMessage)), "ServerSignature")
	proof, signature := unbase64(t, "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), mac(stored, []byte(authMessage))
	for i := range proof {
		proof[i] ^= signature[i] // ClientKey
	}
	require.Equal(t, stored, sum(proof), "StoredKey")
	require.NotEqual(t, newVerifier([]byte("x")), newVerifier([]byte("x")), "the salt is drawn")
}

func TestEnvironment(t *testing.T) {
	c := backend.Config{Host: "db"}
	require.NoError(t, Backend{}.CheckConfig(&c))
	all, password := Backend{}.Environment(c, "acc")
	require.Equal(t, []string{"PGHOST=db", "PGPORT=5432", "PGDATABASE=postgres", "PGUSER=acc", "PGSSLMODE=verify-full"}, all)
	require.Equal(t, "PGPASSWORD", password)
}

func TestMoment(t *testing.T) {
	require.Equal(t, "'2026-12-01 08:30:00.250000+00'", moment(time.Date(2026, 12, 1, 9, 30, 0, 250e6, time.FixedZone("", 3600))))
}

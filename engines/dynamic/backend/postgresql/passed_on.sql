SELECT format('REVOKE %s FROM %s GRANTED BY %s CASCADE', roleid::regrole, member::regrole, grantor::regrole)
FROM pg_auth_members
WHERE grantor = $1 AND roleid <> $1 AND member <> $1

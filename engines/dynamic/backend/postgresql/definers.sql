SELECT CASE
	WHEN EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_proc'::regclass AND refobjid = p.oid)
	THEN format('ALTER ROUTINE %s SECURITY INVOKER', p.oid::regprocedure)
	ELSE format('DROP ROUTINE %s', p.oid::regprocedure)
END
FROM pg_proc p
WHERE proowner = $1 AND prosecdef
ORDER BY 1

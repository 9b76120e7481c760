WITH mine AS (
	SELECT classid, objid, objsubid
	FROM pg_shdepend JOIN pg_database ON datname = current_database()
	WHERE refclassid = 'pg_authid'::regclass AND refobjid = $1 AND deptype = 'a' AND dbid IN (0, pg_database.oid)
), listed (thing, of, owner, acl) AS (
	SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || oid::regclass, '', relowner, relacl
	FROM mine JOIN pg_class ON classid = 'pg_class'::regclass AND objid = oid AND objsubid = 0
	UNION ALL
	SELECT 'TABLE ' || attrelid::regclass, format('(%I)', attname), relowner, attacl
	FROM mine JOIN pg_class c ON classid = 'pg_class'::regclass AND objid = c.oid JOIN pg_attribute ON attrelid = c.oid AND attnum = objsubid
	UNION ALL
	SELECT 'ROUTINE ' || oid::regprocedure, '', proowner, proacl FROM mine JOIN pg_proc ON classid = 'pg_proc'::regclass AND objid = oid
	UNION ALL
	SELECT format('SCHEMA %I', nspname), '', nspowner, nspacl FROM mine JOIN pg_namespace ON classid = 'pg_namespace'::regclass AND objid = oid
	UNION ALL
	SELECT 'TYPE ' || oid::regtype, '', typowner, typacl FROM mine JOIN pg_type ON classid = 'pg_type'::regclass AND objid = oid
	UNION ALL
	SELECT format('LANGUAGE %I', lanname), '', lanowner, lanacl FROM mine JOIN pg_language ON classid = 'pg_language'::regclass AND objid = oid
	UNION ALL
	SELECT format('FOREIGN DATA WRAPPER %I', fdwname), '', fdwowner, fdwacl FROM mine JOIN pg_foreign_data_wrapper ON classid = 'pg_foreign_data_wrapper'::regclass AND objid = oid
	UNION ALL
	SELECT format('FOREIGN SERVER %I', srvname), '', srvowner, srvacl FROM mine JOIN pg_foreign_server ON classid = 'pg_foreign_server'::regclass AND objid = oid
	UNION ALL
	SELECT format('LARGE OBJECT %s', oid), '', lomowner, lomacl FROM mine JOIN pg_largeobject_metadata ON classid = 'pg_largeobject'::regclass AND objid = oid
	UNION ALL
	SELECT format('DATABASE %I', datname), '', datdba, datacl FROM mine JOIN pg_database ON classid = 'pg_database'::regclass AND objid = oid
	UNION ALL
	SELECT format('TABLESPACE %I', spcname), '', spcowner, spcacl FROM mine JOIN pg_tablespace ON classid = 'pg_tablespace'::regclass AND objid = oid
), others AS ( -- each privilege by its name: REVOKE ALL is refused to who has not all
	SELECT thing, grantor::regrole AS grantor, string_agg(privilege_type || of, ', ') AS privileges
	FROM listed, aclexplode(acl)
	WHERE grantee = $1 AND grantor <> owner
	GROUP BY thing, grantor
)
SELECT statement
FROM others, LATERAL (VALUES
	(1, format('SET LOCAL ROLE %s', grantor)),
	(2, format('REVOKE %s ON %s FROM %s CASCADE', privileges, thing, $1::oid::regrole)),
	(3, 'SET LOCAL ROLE NONE')) AS s (n, statement)
ORDER BY thing, grantor::text, n

// A PKCS#11 module that stands before SoftHSM and does what files in $SHIM say: the file C_Login, say, may hold "hang", "crash", a return value such
// as 0xB3, or for C_GetTokenInfo "flags 0x40000". With "once " before it the file is removed as it is read. Every call of a watched function adds a
// line to the file "calls". It also prints to standard output, as modules do.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include "pkcs11go.h"

static CK_FUNCTION_LIST list;
static CK_FUNCTION_LIST_PTR real;

static void path(char *to, size_t n, const char *name) { snprintf(to, n, "%s/%s", getenv("SHIM"), name); }

static char *plan(const char *name) {
	static char text[64];
	char file[4096];
	path(file, sizeof file, name);
	FILE *f = fopen(file, "r");
	if (!f) return NULL;
	text[fread(text, 1, sizeof text - 1, f)] = 0;
	fclose(f);
	if (strncmp(text, "once ", 5)) return text;
	unlink(file);
	return text + 5;
}

static CK_RV act(const char *name) {
	char file[4096];
	path(file, sizeof file, "calls");
	FILE *f = fopen(file, "a");
	if (f) {
		fprintf(f, "%s\n", name);
		fclose(f);
	}
	char *p = plan(name);
	if (!p) return CKR_OK;
	if (!strcmp(p, "hang")) for (;;) pause();
	if (!strcmp(p, "crash")) *(volatile int *)0 = 1;
	return strtoul(p, NULL, 0);
}

#define WATCH(name) { CK_RV r = act(name); if (r != CKR_OK) return r; }

// tell writes what the process got and is into the file "process".
static void tell(void) {
	char file[4096];
	path(file, sizeof file, "process");
	FILE *f = fopen(file, "w");
	if (!f) return;
	struct rlimit core;
	getrlimit(RLIMIT_CORE, &core);
	fprintf(f, "core %lu dumpable %d\n", (unsigned long)core.rlim_max, prctl(PR_GET_DUMPABLE));
	for (char **e = environ; *e; e++) fprintf(f, "env %s\n", *e);
	fclose(f);
}

static CK_RV initialize(CK_VOID_PTR args) {
	for (int i = 0; i < 1000; i++) puts("a module that talks too much on standard output");
	fflush(stdout);
	tell();
	WATCH("C_Initialize");
	return real->C_Initialize(args);
}

static CK_RV open_session(CK_SLOT_ID s, CK_FLAGS f, CK_VOID_PTR a, CK_NOTIFY n, CK_SESSION_HANDLE_PTR h) {
	WATCH("C_OpenSession");
	return real->C_OpenSession(s, f, a, n, h);
}

static CK_RV login(CK_SESSION_HANDLE h, CK_USER_TYPE u, CK_UTF8CHAR_PTR p, CK_ULONG n) {
	WATCH("C_Login");
	return real->C_Login(h, u, p, n);
}

static CK_RV token_info(CK_SLOT_ID s, CK_TOKEN_INFO_PTR i) {
	CK_RV r = real->C_GetTokenInfo(s, i);
	char *p = plan("C_GetTokenInfo");
	if (r == CKR_OK && p && !strncmp(p, "flags ", 6)) i->flags |= strtoul(p + 6, NULL, 0);
	return r;
}

static CK_RV encrypt(CK_SESSION_HANDLE h, CK_BYTE_PTR a, CK_ULONG n, CK_BYTE_PTR b, CK_ULONG_PTR m) {
	WATCH("C_Encrypt");
	return real->C_Encrypt(h, a, n, b, m);
}

static CK_RV decrypt(CK_SESSION_HANDLE h, CK_BYTE_PTR a, CK_ULONG n, CK_BYTE_PTR b, CK_ULONG_PTR m) {
	WATCH("C_Decrypt");
	return real->C_Decrypt(h, a, n, b, m);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR out) {
	void *lib = dlopen(getenv("SHIM_MODULE"), RTLD_NOW | RTLD_LOCAL);
	if (!lib) return CKR_GENERAL_ERROR;
	CK_C_GetFunctionList get = (CK_C_GetFunctionList)dlsym(lib, "C_GetFunctionList");
	if (!get) return CKR_GENERAL_ERROR;
	CK_RV r = get(&real);
	if (r != CKR_OK) return r;
	list = *real;
	list.C_GetFunctionList = C_GetFunctionList;
	list.C_Initialize = initialize;
	list.C_OpenSession = open_session;
	list.C_Login = login;
	list.C_GetTokenInfo = token_info;
	list.C_Encrypt = encrypt;
	list.C_Decrypt = decrypt;
	*out = &list;
	return CKR_OK;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A PKCS#11 module in front of SoftHSM's: writes a line for each login to the file that
 * TOKEN_SPY_LOG names, with what the token answered. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#define MODULE  "/usr/lib/softhsm/libsofthsm2.so"
#define LOGIN   18 /* the place of C_Login among the functions, PKCS#11 2.40 */
#define MEMBERS 68

typedef unsigned long (*LoginFunc)(unsigned long, unsigned long, unsigned char *, unsigned long);

typedef struct FunctionList {
        unsigned char major, minor;
        void *functions[MEMBERS];
} FunctionList;

static FunctionList spied;
static LoginFunc login;

static unsigned long spy_login(
                unsigned long session, unsigned long who, unsigned char *pin, unsigned long n) {
        unsigned long r = login(session, who, pin, n);
        FILE *log = fopen(getenv("TOKEN_SPY_LOG"), "ae");

        if (log) {
                (void)fprintf(log, "login %#lx\n", r);
                (void)fclose(log);
        }
        return r;
}

__attribute__((visibility("default"))) unsigned long C_GetFunctionList(FunctionList **ret);

unsigned long C_GetFunctionList(FunctionList **ret) {
        void *module = dlopen(MODULE, RTLD_NOW);
        unsigned long (*get)(FunctionList **);
        FunctionList *list;
        unsigned long r;

        if (!module)
                return 5; /* CKR_GENERAL_ERROR */
        *(void **)&get = dlsym(module, "C_GetFunctionList");
        r = get(&list);
        if (r != 0)
                return r;
        spied = *list;
        *(void **)&login = spied.functions[LOGIN];
        *(LoginFunc *)&spied.functions[LOGIN] = spy_login;
        *ret = &spied;
        return 0;
}

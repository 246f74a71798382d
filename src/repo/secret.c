/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Secrets: one list of candidates in one order. Nothing is kept longer than the run. */
#include <assert.h>
#include <fcntl.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "basic/file.h"
#include "repo/repo.h"
#include "repo/secret.h"

#define NEW_MIN 8

void secrets_done(Secrets *s) {
        assert(s);
        OPENSSL_cleanse(s->typed, sizeof(s->typed));
}

static int from_file(const char *path, char *ret, Why *w) {
        char *text;
        size_t n;
        int r;

        r = file_read(AT_FDCWD, path, 4096, &text, &n);
        if (r < 0)
                return r == -EFBIG ? why(w, r, "%s: is too large for a passphrase", path)
                                   : why_unread(w, r, path);
        n = strcspn(text, "\r\n");
        if (n == 0 || n >= SECRET_MAX)
                r = why(w, -EINVAL, "%s: its first line has to be a passphrase of 1 to %d bytes",
                                path, SECRET_MAX - 1);
        else {
                memcpy(ret, text, n);
                ret[n] = '\0';
        }
        OPENSSL_cleanse(text, strlen(text));
        free(text);
        return r;
}

static int from_variable(char *ret, Why *w) {
        const char *value = getenv(SECRET_VARIABLE);

        if (!value || strlen(value) == 0 || strlen(value) >= SECRET_MAX)
                return why(w, -EINVAL, "%s has to hold 1 to %d bytes", SECRET_VARIABLE,
                                SECRET_MAX - 1);
        (void)snprintf(ret, SECRET_MAX, "%s", value);
        return 0;
}

/* Without a terminal, libcrypto would read standard input. */
static bool has_terminal(void) {
        _cleanup_close_ int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

        return fd >= 0;
}

static int from_terminal(Secrets *s, const char *what, bool is_new, Why *w) {
        char question[400];

        if (!has_terminal())
                return why(w, -EACCES,
                                "%s: needs a passphrase, and there is no terminal to ask; give "
                                "--passphrase-file or set " SECRET_VARIABLE,
                                what);
        (void)snprintf(question, sizeof(question),
                        "%s of %s: ", is_new ? "New passphrase" : "Passphrase", what);
        if (EVP_read_pw_string_min(s->typed, is_new ? NEW_MIN : 1, SECRET_MAX - 1, question,
                            is_new) != 0) {
                secrets_done(s);
                if (!is_new)
                        return why(w, -ECANCELED, "%s: no passphrase was typed", what);
                return why(w, -ECANCELED,
                                "%s: no new passphrase; it has to be typed twice, %d to %d characters",
                                what, NEW_MIN, SECRET_MAX - 1);
        }
        return 0;
}

int secrets_get(Secrets *s, const char *what, unsigned attempt, char ret[static SECRET_MAX],
                Why *w) {
        unsigned i = (unsigned)s->n_files;
        int r;

        assert(s && what);
        if (attempt < i)
                return from_file(s->files[attempt], ret, w);
        if (getenv(SECRET_VARIABLE) && attempt == i++)
                return from_variable(ret, w);
        /* The files and the variable were wrong for this one: unattended runs end here. */
        if (i > 0)
                return why(w, -EACCES, "%s: does not open with the passphrase that was given",
                                what);
        if (attempt >= i + 2)
                return why(w, -EACCES, "%s: does not open with that passphrase", what);
        if (attempt == i && s->typed[0] == '\0')
                attempt++;
        if (attempt > i) {
                r = from_terminal(s, what, false, w);
                if (r < 0)
                        return r;
        }
        (void)snprintf(ret, SECRET_MAX, "%s", s->typed);
        return 0;
}

int secrets_first(Secrets *s, const char *what, char ret[static SECRET_MAX], Why *w) {
        assert(s && what);
        if (s->n_files > 0)
                return from_file(s->files[0], ret, w);
        if (getenv(SECRET_VARIABLE))
                return from_variable(ret, w);
        if (from_terminal(s, what, false, w) < 0)
                return -EACCES;
        (void)snprintf(ret, SECRET_MAX, "%s", s->typed);
        secrets_done(s); /* a PIN is no candidate for other keys */
        return 0;
}

PinSource secrets_first_source(const Secrets *s) {
        if (s->n_files > 0)
                return (PinSource){ .name = s->files[0], .is_file = true, .dirfd = AT_FDCWD };
        return (PinSource){ .name = getenv(SECRET_VARIABLE) ? SECRET_VARIABLE : NULL };
}

int secrets_new(Secrets *s, const char *what, char ret[static SECRET_MAX], Why *w) {
        int r;

        assert(s && what);
        if (s->n_files > 0)
                r = from_file(s->files[0], ret, w);
        else if (getenv(SECRET_VARIABLE))
                r = from_variable(ret, w);
        else {
                r = s->typed[0] != '\0' ? 0 : from_terminal(s, what, true, w);
                if (r >= 0)
                        (void)snprintf(ret, SECRET_MAX, "%s", s->typed);
        }
        if (r < 0)
                return r;
        if (strlen(ret) < NEW_MIN)
                return why(w, -EINVAL, "%s: a passphrase has to have at least %d characters", what,
                                NEW_MIN);
        return 0;
}

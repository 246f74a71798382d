/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pin notes: a token is known by those attributes of its URI that are not the key's. */
#include "repo/pin-note.h"

#include <sys/stat.h>

#include "repo/key-pkcs11.h"
#include "repo/repo.h"

#define NOTES_MAX      64
#define NOTES_FILE_MAX (1024 * 1024)

/* The path of the URI without what names the key: "token=desk". New string. */
static char *token_of(const char *uri) {
        static const char *const of_key[] = { "object=", "id=", "type=" };
        _cleanup_free_ char *path = strndup(uri, pkcs11_shown(uri));
        const char *colon = path ? strchr(path, ':') : NULL;
        char *token = path ? new0(char, strlen(path) + 1) : NULL, *save = NULL;

        if (!token || !colon)
                return token;
        for (char *word = strtok_r(path + (colon - path) + 1, ";", &save); word;
                        word = strtok_r(NULL, ";", &save)) {
                bool is_of_key = false;

                for (size_t i = 0; i < ELEMENTSOF(of_key); i++)
                        is_of_key = is_of_key || startswith(word, of_key[i]);
                if (is_of_key)
                        continue;
                if (*token)
                        (void)strcat(token, ";");
                (void)strcat(token, word);
        }
        return token;
}

/* What changes when somebody writes the file anew. */
static void describe(const PinSource *source, char *ret, size_t size) {
        struct stat st;

        if (!source->is_file)
                (void)snprintf(ret, size, "none");
        else if (fstatat(source->dirfd, source->name, &st, 0) < 0)
                (void)snprintf(ret, size, "missing");
        else
                (void)snprintf(ret, size, "inode %llu, %lld bytes, changed %lld.%09ld",
                                (unsigned long long)st.st_ino, (long long)st.st_size,
                                (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

/* NULL: out of memory. */
static json_t *make_note(const char *uri, const PinSource *source) {
        _cleanup_free_ char *token = token_of(uri);
        char state[120];

        describe(source, state, sizeof(state));
        return token ? json_pack("{s:s, s:s, s:s}", "token", token, "source", source->name, "file",
                                       state)
                     : NULL;
}

static int load(const PinNotes *notes, json_t **ret, Why *w) {
        _cleanup_json_ json_t *file = NULL;
        uint64_t format;
        json_t *list;
        int r;

        if (faccessat(notes->repo_fd, PIN_NOTES, F_OK, 0) < 0 && errno == ENOENT) {
                *ret = json_array();
                return *ret ? 0 : why_oom(w);
        }
        r = repo_read_json(notes->repo_fd, PIN_NOTES, NOTES_FILE_MAX, &file, w);
        if (r >= 0)
                r = json_get_uint(file, PIN_NOTES, "format", REPO_FORMAT, REPO_FORMAT, &format, w);
        if (r >= 0)
                r = json_get_array(file, PIN_NOTES, "refused", NOTES_MAX, &list, w);
        if (r >= 0)
                *ret = json_incref(list);
        return r;
}

static int save(const PinNotes *notes, json_t *list, Why *w) {
        _cleanup_json_ json_t *file = NULL;

        if (json_array_size(list) == 0)
                return unlinkat(notes->repo_fd, PIN_NOTES, 0) < 0 && errno != ENOENT
                                       ? why(w, -errno, PIN_NOTES ": %s", strerror(errno))
                                       : 0;
        file = json_pack("{s:i, s:O}", "format", REPO_FORMAT, "refused", list);
        return file ? repo_write_json(notes->repo_fd, PIN_NOTES, file, NOTES_FILE_MAX, w)
                    : why_oom(w);
}

/* Of that token; those of one source, or all where source is NULL. */
static void drop(json_t *list, const json_t *note, const char *source) {
        for (size_t i = json_array_size(list); i-- > 0;) {
                const json_t *one = json_array_get(list, i);
                const char *has = json_string_value(json_object_get(one, "source"));

                if (json_equal(json_object_get(one, "token"), json_object_get(note, "token")) &&
                                (!source || (has && streq(has, source))))
                        (void)json_array_remove(list, i);
        }
}

int pin_notes_check(const PinNotes *notes, const char *uri, const PinSource *source, Why *w) {
        _cleanup_json_ json_t *list = NULL, *note = NULL;
        int r;

        if (!notes || !notes->are_obeyed || !source->name)
                return 0;
        r = load(notes, &list, w);
        if (r < 0)
                return r;
        note = make_note(uri, source);
        if (!note)
                return why_oom(w);
        for (size_t i = 0; i < json_array_size(list); i++)
                if (json_equal(json_array_get(list, i), note))
                        return why(w, -EACCES,
                                        "%.*s: the token refused the PIN of %s, which has not "
                                        "changed since; so that it does not lock itself, it is not "
                                        "tried again: set the PIN right %s remove " PIN_NOTES,
                                        (int)pkcs11_shown(uri), uri, source->name,
                                        source->is_file ? "or" : "and");
        return 0;
}

static int add(const PinNotes *notes, const char *uri, const PinSource *source, Why *w) {
        _cleanup_json_ json_t *list = NULL, *note = make_note(uri, source);
        int r;

        if (!note)
                return why_oom(w);
        r = load(notes, &list, w);
        if (r < 0)
                return r;
        drop(list, note, source->name);
        if (json_array_size(list) == NOTES_MAX)
                (void)json_array_remove(list, 0);
        return json_array_append(list, note) < 0 ? why_oom(w) : save(notes, list, w);
}

void pin_notes_add(const PinNotes *notes, const char *uri, const PinSource *source, Why *w) {
        Why text = *w, reason = {};

        if (!notes || !source->name)
                return;
        if (add(notes, uri, source, &reason) < 0)
                (void)why(w, 0, "%.200s; stop a timer that uses it: %s", text.text, reason.text);
        else
                (void)why(w, 0, "%.250s; refresh leaves it alone until %s", text.text,
                                source->is_file ? "that file changes" : PIN_NOTES " is removed");
}

int pin_notes_forget(const PinNotes *notes, const char *uri, Why *w) {
        static const PinSource any = { .name = "" };
        _cleanup_json_ json_t *list = NULL, *note = NULL;
        size_t n;
        int r;

        if (!notes || (faccessat(notes->repo_fd, PIN_NOTES, F_OK, 0) < 0 && errno == ENOENT))
                return 0;
        r = load(notes, &list, w);
        if (r < 0)
                return r;
        note = make_note(uri, &any);
        if (!note)
                return why_oom(w);
        n = json_array_size(list);
        drop(list, note, NULL);
        return json_array_size(list) == n ? 0 : save(notes, list, w);
}

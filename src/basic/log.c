/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Logging of the programs. Where the lines go is decided once, in log_open: to the journal, to a
 * service manager that reads <N> prefixes, or to whoever reads the standard error. What is
 * logged can come from devices and servers: everything but printable ASCII is escaped, so that a
 * line stays one line. */
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/uio.h>
#define SD_JOURNAL_SUPPRESS_LOCATION /* it would always be this file */
#include <systemd/sd-journal.h>

#include "log.h"

#define TEXT_BYTES 1024
#define LINE_BYTES (4 * TEXT_BYTES + 256)
#define FIELDS_MAX 16

typedef enum LogTarget {
        LOG_TARGET_STDERR,
        LOG_TARGET_PREFIXED,
        LOG_TARGET_JOURNAL,
} LogTarget;

static struct {
        const char *name;
        int level;
        LogTarget target;
} log_state = { .name = "rekindle", .level = LOG_INFO };

/* JOURNAL_STREAM is "DEVICE:INODE" of the stream that the service manager made
 * (systemd.exec(5)). */
static bool stderr_is_journal(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        unsigned long long device, inode;
        struct stat st;

        if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
                return false;
        return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_open(const char *name, int level) {
        log_state.name = name;
        log_state.level = level;
        if (stderr_is_journal())
                log_state.target = LOG_TARGET_JOURNAL;
        else if (getenv("INVOCATION_ID") && !isatty(STDERR_FILENO))
                log_state.target = LOG_TARGET_PREFIXED;
        else
                log_state.target = LOG_TARGET_STDERR;
}

void log_set_level(int level) {
        log_state.level = level;
}

int log_max_level(void) {
        return log_state.level;
}

int log_level_from_string(const char *s) {
        static const char *const names[] = {
                [LOG_ERR] = "error",
                [LOG_WARNING] = "warning",
                [LOG_NOTICE] = "notice",
                [LOG_INFO] = "info",
                [LOG_DEBUG] = "debug",
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (names[i] && streq(s, names[i]))
                        return (int)i;
        return -EINVAL;
}

/* Appends text at ret + n, escaped, within LINE_BYTES with room left for a newline; returns the
 * new length. */
static size_t append(char ret[static LINE_BYTES], size_t n, const char *text) {
        for (const char *p = text; *p && n + sizeof("\\x00\n") <= LINE_BYTES; p++) {
                if (*p >= 0x20 && *p < 0x7f)
                        ret[n++] = *p;
                else
                        n += (size_t)snprintf(
                                        ret + n, LINE_BYTES - n, "\\x%02x", (unsigned char)*p);
        }
        ret[n] = '\0';
        return n;
}

static size_t append_text(char ret[static LINE_BYTES], size_t n, const char *text, int error) {
        n = append(ret, n, text);
        if (error == 0)
                return n;
        n = append(ret, n, ": ");
        return append(ret, n, strerrordesc_np(-error) ?: "unknown error");
}

static void write_stderr(int level, const char *device, int error, const char *text) {
        char line[LINE_BYTES];
        size_t n = 0;

        if (log_state.target == LOG_TARGET_PREFIXED)
                n = (size_t)snprintf(line, sizeof(line), "<%d>", level);
        else {
                n = append(line, n, log_state.name);
                n = append(line, n, ": ");
        }
        if (device) {
                n = append(line, n, device);
                n = append(line, n, ": ");
        }
        n = append_text(line, n, text, error);
        line[n++] = '\n';
        (void)!write(STDERR_FILENO, line, n);
}

static int write_journal(int level, const char *device, int error, const char *const *fields,
                const char *text) {
        char message[LINE_BYTES], priority[32], number[32], who[128], identifier[128];
        struct iovec v[FIELDS_MAX + 5];
        int n = 0;

#define ADD_FIELD(s) (v[n++] = (struct iovec){ .iov_base = (void *)(s), .iov_len = strlen(s) })
        (void)append_text(message, append(message, 0, "MESSAGE="), text, error);
        ADD_FIELD(message);
        (void)snprintf(priority, sizeof(priority), "PRIORITY=%d", level);
        ADD_FIELD(priority);
        (void)snprintf(identifier, sizeof(identifier), "SYSLOG_IDENTIFIER=%s", log_state.name);
        ADD_FIELD(identifier);
        if (device) {
                (void)snprintf(who, sizeof(who), "REKINDLE_DEVICE=%s", device);
                ADD_FIELD(who);
        }
        if (error != 0) {
                (void)snprintf(number, sizeof(number), "ERRNO=%d", -error);
                ADD_FIELD(number);
        }
        for (size_t i = 0; fields && fields[i] && i < FIELDS_MAX; i++)
                ADD_FIELD(fields[i]);
#undef ADD_FIELD
        return sd_journal_sendv(v, n);
}

_printf_(5, 0) static void write_line(int level, const char *device, int error,
                const char *const *fields, const char *format, va_list ap) {
        char text[TEXT_BYTES];

        if (level > log_state.level)
                return;
        (void)vsnprintf(text, sizeof(text), format, ap);
        if (log_state.target != LOG_TARGET_JOURNAL ||
                        write_journal(level, device, error, fields, text) < 0)
                write_stderr(level, device, error, text);
}

int log_full(int level, const char *device, int error, const char *format, ...) {
        int saved = errno;
        va_list ap;

        va_start(ap, format);
        write_line(level, device, error, NULL, format, ap);
        va_end(ap);
        errno = saved;
        return error;
}

void log_event(int level, const char *device, const char *const *fields, const char *format, ...) {
        int saved = errno;
        va_list ap;

        va_start(ap, format);
        write_line(level, device, 0, fields, format, ap);
        va_end(ap);
        errno = saved;
}

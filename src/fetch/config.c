/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fetch.conf: a table of keys, one setter for each type of value, and the checks of the whole. */
#include "fetch/config.h"

#include <ctype.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/file.h"
#include "basic/ini.h"
#include "basic/names.h"
#include "basic/terminal.h"
#include "fetch/message.h"

#define ORIGIN_MAX      512
#define AUTHORIZATION   "Authorization:"
#define SECTION         "Fetch"
#define HOST_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_[]:"
#define KEYS_MAX        20
#define SECRET_MAX      1024
#define STAMP_PRIME     UINT64_C(1099511628211)
#define PIN_LENGTH      52 /* sha256// and 32 bytes in base64 */
#define NO_PROXY_MAX    64
#define DESCRIBE_WIDTH  80
#define DESCRIBE_INDENT 4
#define DESCRIBE_MAX    512

typedef struct Key {
        const char *name, *type, *standard, *meaning;
        const char *wanted; /* for the text of a refusal */
        int (*set)(FetchConfig *config, const struct Key *key, const char *value);
        size_t offset;
        uint64_t min, max;
        bool is_secret; /* its value is not repeated in a refusal */
} Key;

typedef struct Reader {
        FetchConfig *config;
        const FetchConfigWarn *warn;
        bool unknown_section;
        unsigned lines[KEYS_MAX]; /* where each key was set last; 0: nowhere */
} Reader;

/* --- setters: 0, -EINVAL, -ENOMEM ------------------------------------------------------------- */

static void *member(FetchConfig *config, const Key *key) {
        return (uint8_t *)config + key->offset;
}

static int set_boolean(FetchConfig *config, const Key *key, const char *value) {
        return parse_boolean(value, member(config, key));
}

static int set_time(FetchConfig *config, const Key *key, const char *value) {
        uint64_t usec;

        if (parse_usec(value, &usec) < 0 || usec < key->min || usec > key->max)
                return -EINVAL;
        *(uint64_t *)member(config, key) = usec;
        return 0;
}

static int set_bytes(FetchConfig *config, const Key *key, const char *value) {
        uint64_t bytes;

        if (parse_bytes(value, &bytes) < 0 || bytes < key->min || bytes > key->max)
                return -EINVAL;
        *(uint64_t *)member(config, key) = bytes;
        return 0;
}

static int set_path(FetchConfig *config, const Key *key, const char *value) {
        if (value[0] != '/')
                return -EINVAL;
        return free_and_strdup(member(config, key), value);
}

/* A path, or the URI of what lies in a token (RFC 7512). A PIN in it would be seen in messages. */
static int set_path_or_token(FetchConfig *config, const Key *key, const char *value) {
        if (!fetch_config_is_token(value))
                return set_path(config, key, value);
        if (strstr(value, "pin-value") || strchr(value, ' '))
                return -EINVAL;
        return free_and_strdup(member(config, key), value);
}

static int set_tls(FetchConfig *config, const Key *key, const char *value) {
        if (!streq(value, "1.2") && !streq(value, "1.3"))
                return -EINVAL;
        config->tls_minimum = streq(value, "1.3") ? 13 : 12;
        return 0;
}

static bool is_pin(const char *s, size_t n) {
        static const char base64[] =
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

        return n == PIN_LENGTH && startswith(s, "sha256//") &&
               strspn(s + 8, base64) == PIN_LENGTH - 9 && s[PIN_LENGTH - 1] == '=';
}

static int set_pin(FetchConfig *config, const Key *key, const char *value) {
        for (const char *s = value;; s++) {
                size_t n = strcspn(s, ";");

                if (!is_pin(s, n))
                        return -EINVAL;
                s += n;
                if (!*s)
                        return free_and_strdup(member(config, key), value);
        }
}

static bool is_url_text(const char *s) {
        for (; *s; s++)
                if (*s <= 0x20 || *s > 0x7e || strchr("\"<>\\^`{|}#?", *s))
                        return false;
        return true;
}

/* HOST[:PORT], up to a slash. */
static bool is_host_and_port(const char *s) {
        const char *from = *s == '[' ? s + strcspn(s, "]") : s, *colon;
        size_t n = strcspn(s, "/");
        char port[6] = "";
        uint64_t number;

        colon = from < s + n ? memchr(from, ':', n - (size_t)(from - s)) : NULL;
        if (!colon)
                return n > 0;
        if (colon == s || s + n - colon > (ptrdiff_t)sizeof(port))
                return false;
        memcpy(port, colon + 1, (size_t)(s + n - colon - 1));
        return parse_uint64(port, 1, 65535, &number) >= 0;
}

static int set_origin(FetchConfig *config, const Key *key, const char *value) {
        size_t n = strlen(value);
        const char *host = startswith(value, "https://")  ? value + 8
                           : startswith(value, "http://") ? value + 7
                                                          : "";

        if (n > ORIGIN_MAX || !is_url_text(value) || strchr(host, '@') || !is_host_and_port(host))
                return -EINVAL;
        while (value[n - 1] == '/')
                n--;
        free(config->origin);
        config->origin = strndup(value, n);
        return config->origin ? 0 : -ENOMEM;
}

static int set_proxy(FetchConfig *config, const Key *key, const char *value) {
        static const char *const schemes[] = { "http://", "https://", "socks5h://" };

        for (size_t i = 0; i < ELEMENTSOF(schemes); i++)
                if (startswith(value, schemes[i]) && value[strlen(schemes[i])] &&
                                is_url_text(value))
                        return free_and_strdup(&config->proxy, value);
        return -EINVAL;
}

/* That of Authorization=, or those of Header=. */
static void drop_origin_headers(FetchConfig *config, bool is_authorization) {
        unsigned n = 0;

        for (unsigned i = 0; i < config->n_origin_headers; i++)
                if (!!startswith(config->origin_headers[i], AUTHORIZATION) == is_authorization)
                        free(config->origin_headers[i]);
                else
                        config->origin_headers[n++] = config->origin_headers[i];
        config->n_origin_headers = n;
}

static int add_origin_header(FetchConfig *config, char *header) {
        if (!header)
                return -ENOMEM;
        if (!fetch_header_is_valid(header) ||
                        config->n_origin_headers == FETCH_ORIGIN_HEADERS_MAX) {
                free(header);
                return -EINVAL;
        }
        config->origin_headers[config->n_origin_headers++] = header;
        return 0;
}

static int set_header(FetchConfig *config, const Key *key, const char *value) {
        return add_origin_header(config, strdup(value));
}

static int set_authorization(FetchConfig *config, const Key *key, const char *value) {
        char *header = NULL;

        drop_origin_headers(config, true);
        if (asprintf(&header, AUTHORIZATION " %s", value) < 0)
                return -ENOMEM;
        return add_origin_header(config, header);
}

/* One "host" or "host:port" of n bytes. */
static int add_host(FetchConfig *config, const char *text, size_t n) {
        FetchHost *host = &config->artifact_hosts[config->n_artifact_hosts];
        const char *bracket = memchr(text, ']', n);
        const char *from = bracket ? bracket : text;
        const char *colon = memchr(from, ':', n - (size_t)(from - text));
        _cleanup_free_ char *name = NULL, *port = NULL;
        uint64_t number = 0;

        if (config->n_artifact_hosts == FETCH_ARTIFACT_HOSTS_MAX)
                return -EINVAL;
        name = strndup(text, colon ? (size_t)(colon - text) : n);
        port = colon ? strndup(colon + 1, n - (size_t)(colon + 1 - text)) : strdup("");
        if (!name || !port)
                return -ENOMEM;
        if (!*name || name[strspn(name, HOST_CHARACTERS)])
                return -EINVAL;
        if (colon && parse_uint64(port, 1, 65535, &number) < 0)
                return -EINVAL;
        for (char *c = name; *c; c++)
                *c = (char)tolower((unsigned char)*c);
        host->name = TAKE_PTR(name);
        host->port = (unsigned)number;
        config->n_artifact_hosts++;
        return 0;
}

static int set_hosts(FetchConfig *config, const Key *key, const char *value) {
        int r = 0;

        for (const char *s = value + strspn(value, " "); *s && r >= 0; s += strspn(s, " ")) {
                size_t n = strcspn(s, " ");

                r = add_host(config, s, n);
                s += n;
        }
        return r;
}

/* Names, domains and address ranges, which libcurl wants with commas between. */
static int set_no_proxy(FetchConfig *config, const Key *key, const char *value) {
        _cleanup_free_ char *list = NULL;
        unsigned count = 0;
        char *to;

        list = to = new0(char, strlen(value) + 1);
        if (!list)
                return -ENOMEM;
        for (const char *s = value + strspn(value, " "); *s; s += strspn(s, " ")) {
                size_t n = strcspn(s, " ");

                if (++count > NO_PROXY_MAX || strspn(s, HOST_CHARACTERS "/") != n)
                        return -EINVAL;
                to = stpcpy(to, count > 1 ? "," : "");
                to = mempcpy(to, s, n);
                s += n;
        }
        free(config->no_proxy);
        config->no_proxy = TAKE_PTR(list);
        return 0;
}

static const Key keys[] = {
        { "Origin", "URL", "",
                        "The server: where requests for a path go. Without it every request is refused.",
                        "https://HOST[:PORT][/FOLDER] of at most 512 bytes, without user, query and fragment",
                        set_origin, offsetof(FetchConfig, origin) },
        { "ArtifactHosts", "list", "",
                        "Other hosts, HOST or HOST:PORT with blanks between, that whole URLs and redirects may name.",
                        "at most 16 of HOST or HOST:PORT", set_hosts },
        { "AllowHttp", "boolean", "no", "Allow http:// as well. Never from https:// by a redirect.",
                        "yes or no", set_boolean, offsetof(FetchConfig, allow_http) },
        { "TlsMinimum", "version", "1.2", "Lowest version of TLS that is spoken.", "1.2 or 1.3",
                        set_tls },
        { "CAFile", "path", "",
                        "PEM file of the certificate authorities to trust instead of the system's.",
                        "an absolute path", set_path, offsetof(FetchConfig, ca_file) },
        { "PinnedKey", "pin", "", "Public key that the origin must show; several with ; between.",
                        "sha256//BASE64 of 32 bytes, several with ; between", set_pin,
                        offsetof(FetchConfig, pinned_key) },
        { "ClientCertificate", "path or URI", "",
                        "Client certificate, shown to the origin only: a PEM file, or in a token.",
                        "an absolute path, or a pkcs11: URI without pin-value", set_path_or_token,
                        offsetof(FetchConfig, client_certificate) },
        { "ClientKey", "path or URI", "", "Its private key: a PEM file, or in a token.",
                        "an absolute path, or a pkcs11: URI without pin-value (the PIN belongs into ClientKeyPassphraseFile=)",
                        set_path_or_token, offsetof(FetchConfig, client_key) },
        { "ClientKeyPassphraseFile", "path", "",
                        "File whose first line opens ClientKey=: passphrase of the file, PIN of the token.",
                        "an absolute path", set_path,
                        offsetof(FetchConfig, client_key_passphrase_file) },
        { "Pkcs11Module", "path", "", "PKCS#11 module of the token. Default: p11-kit's.",
                        "an absolute path", set_path, offsetof(FetchConfig, pkcs11_module) },
        { "Authorization", "text", "",
                        "Value of the Authorization header. Goes to the origin only, never over a redirect.",
                        "printable text", set_authorization, .is_secret = true },
        { "Header", "text", "", "One more header for the origin only; may be given eight times.",
                        "\"Name: value\" in printable characters, eight times at most", set_header,
                        .is_secret = true },
        { "Proxy", "URL", "", "Proxy for all connections. The environment's proxies are not used.",
                        "http://, https:// or socks5h:// and [USER:PASSWORD@]HOST[:PORT]",
                        set_proxy, offsetof(FetchConfig, proxy), .is_secret = true },
        { "ProxyCredentialsFile", "path", "",
                        "File whose first line is USER:PASSWORD for the proxy.", "an absolute path",
                        set_path, offsetof(FetchConfig, proxy_credentials_file) },
        { "NoProxy", "list", "",
                        "Hosts that are reached without the proxy: HOST, DOMAIN, ADDRESS or ADDRESS/BITS, blanks between.",
                        "at most 64 of HOST, DOMAIN, ADDRESS or ADDRESS/BITS", set_no_proxy,
                        offsetof(FetchConfig, no_proxy) },
        { "ConnectSec", "time", "15s", "Time for the connection to stand, TLS included.",
                        "100ms to 10min", set_time, offsetof(FetchConfig, connect_usec),
                        100 * USEC_PER_MSEC, 600 * USEC_PER_SEC },
        { "LowSpeedBytes", "size", "100", "A transfer with fewer bytes a second than this is slow.",
                        "1 to 1G", set_bytes, offsetof(FetchConfig, low_speed_bytes), 1, 1 << 30 },
        { "LowSpeedSec", "time", "30s", "A transfer that is slow for so long is given up.",
                        "200ms to 1h", set_time, offsetof(FetchConfig, low_speed_usec),
                        200 * USEC_PER_MSEC, 3600 * USEC_PER_SEC },
        { "IdleSec", "time", "30s",
                        "A socket-activated fetcher without requests ends after this time.",
                        "100ms to 1d", set_time, offsetof(FetchConfig, idle_usec),
                        100 * USEC_PER_MSEC, 86400 * USEC_PER_SEC },
};

_Static_assert(ELEMENTSOF(keys) <= KEYS_MAX, "a reader has a place for the line of each key");

/* --- the file --------------------------------------------------------------------------------- */

/* What an empty value stands for. */
static int key_reset(FetchConfig *config, const Key *key) {
        if (*key->standard)
                return key->set(config, key, key->standard);
        if (key->set == set_hosts)
                while (config->n_artifact_hosts > 0)
                        free(config->artifact_hosts[--config->n_artifact_hosts].name);
        else if (key->set == set_header || key->set == set_authorization)
                drop_origin_headers(config, key->set == set_authorization);
        else
                (void)free_and_strdup(member(config, key), NULL);
        return 0;
}

static const Key *key_find(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (streq(keys[i].name, name))
                        return &keys[i];
        return NULL;
}

static void warn_unknown(
                const Reader *reader, const IniLine *line, const char *what, const char *name) {
        Why w;

        (void)why(&w, -EINVAL, "%s:%u: unknown %s '%s' is ignored", line->file, line->line, what,
                        name);
        if (reader->warn)
                reader->warn->func(w.text, reader->warn->userdata);
}

static bool is_shown(const Key *key, const char *value) {
        return !key->is_secret && !strstr(value, "pin-value");
}

static int on_line(const IniLine *line, void *userdata, Why *w) {
        Reader *reader = userdata;
        const Key *key;
        int r;

        if (!line->key) {
                reader->unknown_section = !streq(line->section, SECTION) || line->name;
                if (reader->unknown_section)
                        warn_unknown(reader, line, "section", line->section);
                return 0;
        }
        if (reader->unknown_section)
                return 0;
        key = key_find(line->key);
        if (!key) {
                warn_unknown(reader, line, "key", line->key);
                return 0;
        }
        r = *line->value ? key->set(reader->config, key, line->value)
                         : key_reset(reader->config, key);
        if (r == -ENOMEM)
                return why(w, r, "not enough memory");
        if (r < 0)
                return why(w, -EINVAL, "%s:%u: %s=%s is wrong; allowed: %s", line->file, line->line,
                                key->name, is_shown(key, line->value) ? line->value : "...",
                                key->wanted);
        reader->lines[key - keys] = *line->value ? line->line : 0;
        return 0;
}

static unsigned line_of(const Reader *reader, const char *name) {
        return reader->lines[key_find(name) - keys];
}

static int check_readable(const Reader *reader, const char *file, const char *name,
                const char *path, Why *w) {
        _cleanup_close_ int fd = -1;

        if (!path || fetch_config_is_token(path))
                return 0;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return why(w, -EINVAL,
                                "%s:%u: %s=%s cannot be read: %m; it has to be a file that this "
                                "program's user may read",
                                file, line_of(reader, name), name, path);
        return 0;
}

/* Keys that mean something only beside another one. */
static const char *const pairs[][2] = {
        { "ClientCertificate", "ClientKey" },
        { "ClientKey", "ClientCertificate" },
        { "ClientKeyPassphraseFile", "ClientKey" },
        { "ProxyCredentialsFile", "Proxy" },
        { "NoProxy", "Proxy" },
};

static bool is_set(FetchConfig *config, const char *name) {
        return *(char **)member(config, key_find(name)) != NULL;
}

/* What goes together. */
static int check_pairs(const Reader *reader, const char *file, Why *w) {
        FetchConfig *c = reader->config;

        if (c->origin && startswith(c->origin, "http://") && !c->allow_http)
                return why(w, -EINVAL,
                                "%s:%u: Origin=%s is not https; allowed only with AllowHttp=yes",
                                file, line_of(reader, "Origin"), c->origin);
        for (size_t i = 0; i < ELEMENTSOF(pairs); i++)
                if (is_set(c, pairs[i][0]) && !is_set(c, pairs[i][1]))
                        return why(w, -EINVAL, "%s:%u: %s= needs %s= beside it", file,
                                        line_of(reader, pairs[i][0]), pairs[i][0], pairs[i][1]);
        if (c->pkcs11_module && !fetch_config_has_token(c))
                return why(w, -EINVAL, "%s:%u: Pkcs11Module= needs ClientKey=pkcs11:... beside it",
                                file, line_of(reader, "Pkcs11Module"));
        return 0;
}

/* The first line of the file, without the blanks at its end. */
static int read_secret(const Reader *reader, const char *file, const char *name, const char *path,
                char **ret, Why *w) {
        char *text;
        size_t n;
        int r;

        if (!path)
                return 0;
        r = file_read(AT_FDCWD, path, SECRET_MAX, &text, &n);
        if (r < 0)
                return why(w, r == -ENOMEM ? r : -EINVAL,
                                "%s:%u: %s=%s cannot be read: %s; it has to be a file of at most %d "
                                "bytes that this program's user may read",
                                file, line_of(reader, name), name, path, strerror(-r), SECRET_MAX);
        text[strcspn(text, "\r\n")] = 0;
        free(*ret);
        *ret = text;
        return *text ? 0
                     : why(w, -EINVAL, "%s:%u: %s=%s holds nothing in its first line", file,
                                       line_of(reader, name), name, path);
}

static int read_secrets(const Reader *reader, const char *file, Why *w) {
        FetchConfig *c = reader->config;
        int r;

        r = read_secret(reader, file, "ClientKeyPassphraseFile", c->client_key_passphrase_file,
                        &c->client_key_passphrase, w);
        if (r >= 0)
                r = read_secret(reader, file, "ProxyCredentialsFile", c->proxy_credentials_file,
                                &c->proxy_credentials, w);
        if (r >= 0 && c->proxy_credentials && !strchr(c->proxy_credentials, ':'))
                return why(w, -EINVAL, "%s:%u: ProxyCredentialsFile=%s does not hold USER:PASSWORD",
                                file, line_of(reader, "ProxyCredentialsFile"),
                                c->proxy_credentials_file);
        return r;
}

/* What goes together, and that the named files can be read. */
static int check_whole(const Reader *reader, const char *file, Why *w) {
        const FetchConfig *c = reader->config;
        int r;

        r = check_pairs(reader, file, w);
        if (r >= 0)
                r = check_readable(reader, file, "CAFile", c->ca_file, w);
        if (r >= 0)
                r = check_readable(reader, file, "ClientCertificate", c->client_certificate, w);
        if (r >= 0)
                r = check_readable(reader, file, "ClientKey", c->client_key, w);
        if (r >= 0)
                r = check_readable(reader, file, "Pkcs11Module", c->pkcs11_module, w);
        return r < 0 ? r : read_secrets(reader, file, w);
}

/* --- whole ------------------------------------------------------------------------------------ */

bool fetch_config_is_token(const char *value) {
        return startswith(value, "pkcs11:");
}

bool fetch_config_has_token(const FetchConfig *config) {
        return (config->client_key && fetch_config_is_token(config->client_key)) ||
               (config->client_certificate && fetch_config_is_token(config->client_certificate));
}

/* Another number when a file was changed or replaced. */
static uint64_t stamp(const FetchConfig *config) {
        const char *const paths[] = { config->path, config->client_key_passphrase_file };
        uint64_t sum = 0;

        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                struct stat st = { 0 };

                if (paths[i])
                        (void)stat(paths[i], &st);
                sum = sum * STAMP_PRIME + st.st_ino;
                sum = sum * STAMP_PRIME + (uint64_t)st.st_size;
                sum = sum * STAMP_PRIME + (uint64_t)st.st_mtim.tv_sec;
                sum = sum * STAMP_PRIME + (uint64_t)st.st_mtim.tv_nsec;
        }
        return sum;
}

bool fetch_config_is_changed(const FetchConfig *config) {
        return stamp(config) != config->stamp;
}

/* Secrets do not stay in memory that is given back. */
static char *free_secret(char *secret) {
        if (secret)
                explicit_bzero(secret, strlen(secret));
        free(secret);
        return NULL;
}

void fetch_config_init(FetchConfig *config) {
        *config = (FetchConfig){ 0 };
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (*keys[i].standard)
                        (void)keys[i].set(config, &keys[i], keys[i].standard);
}

void fetch_config_done(FetchConfig *config) {
        for (unsigned i = 0; i < config->n_artifact_hosts; i++)
                free(config->artifact_hosts[i].name);
        for (unsigned i = 0; i < config->n_origin_headers; i++)
                free(config->origin_headers[i]);
        free(config->origin);
        free(config->ca_file);
        free(config->client_certificate);
        free(config->client_key);
        free(config->pinned_key);
        free(config->client_key_passphrase_file);
        (void)free_secret(config->client_key_passphrase);
        free(config->pkcs11_module);
        free(config->proxy);
        free(config->proxy_credentials_file);
        (void)free_secret(config->proxy_credentials);
        free(config->no_proxy);
        free(config->path);
        *config = (FetchConfig){ 0 };
}

static void reader_init(Reader *reader, FetchConfig *config, const FetchConfigWarn *warn) {
        *reader = (Reader){
                .config = config,
                .warn = warn,
                .unknown_section = true, /* keys before the first section belong nowhere */
        };
}

int fetch_config_parse(FetchConfig *config, const char *file, const char *bytes, size_t n,
                const FetchConfigWarn *warn, Why *w) {
        Reader reader;

        reader_init(&reader, config, warn);
        return ini_parse(file, bytes, n, on_line, &reader, w);
}

int fetch_config_load(FetchConfig *config, const char *path, const FetchConfigWarn *warn, Why *w) {
        _cleanup_free_ char *bytes = NULL;
        Reader reader;
        size_t n;
        int r;

        r = file_read(AT_FDCWD, path, INI_FILE_MAX, &bytes, &n);
        if (r < 0)
                return why(w, r, "%s cannot be read: %s", path, strerror(-r));
        reader_init(&reader, config, warn);
        r = ini_parse(path, bytes, n, on_line, &reader, w);
        if (r >= 0)
                r = check_whole(&reader, path, w);
        if (r >= 0 && free_and_strdup(&config->path, path) < 0)
                r = why_oom(w);
        config->stamp = stamp(config);
        return r;
}

static void describe_text(FILE *out, const char *text) {
        while (*text) {
                size_t n = text_break(text, DESCRIBE_WIDTH - DESCRIBE_INDENT);

                (void)fprintf(out, "%*s%.*s\n", DESCRIBE_INDENT, "", (int)n, text);
                text += n;
                text += strspn(text, " ");
        }
}

void fetch_config_describe(FILE *out) {
        (void)fprintf(out, "[%s]\n", SECTION);
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                const Key *k = &keys[i];
                char allowed[DESCRIBE_MAX];

                (void)snprintf(allowed, sizeof(allowed), "Allowed: %s.", k->wanted);
                (void)fprintf(out, "%s=%s\n%*s%s; default: %s\n", k->name, k->standard,
                                DESCRIBE_INDENT, "", k->type, *k->standard ? k->standard : "none");
                describe_text(out, k->meaning);
                describe_text(out, allowed);
        }
}

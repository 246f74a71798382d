/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XMODEM and YMODEM, by transcripts (transcripts/NAME.txt):
 *
 *      driver NAME, image BYTES, name TEXT     what is sent, by what
 *      < HEX…        comes from the receiver
 *      > TOKEN…      has to be sent then: HEX, image:OFFSET:BYTES, fill:HEX:BYTES, crc or sum of
 *      what follows the first three bytes
 *      + MS          time goes by
 *      ! timeout     nothing comes until the driver's deadline
 *      x             the exchange is canceled
 *      = CODE        the driver is done
 *
 * and against the receivers of lrzsz. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "basic/file.h"
#include "basic/hex.h"
#include "driver/port.h"

#define IMAGE_MAX       4096
#define TRANSCRIPTS_MAX 64
#define BYTES_MAX       2048

typedef struct Play {
        const char *file;
        unsigned line;
        Driver *driver;
        DriverRequest request;
        uint8_t image[IMAGE_MAX];
        char name[128];
        uint64_t now_usec;
        bool started;
} Play;

static struct dirent **transcripts;
static int n_transcripts;

#define fail_at(p, ...)                                                                            \
        do {                                                                                       \
                print_error("%s:%u: ", (p)->file, (p)->line);                                      \
                fail_msg(__VA_ARGS__);                                                             \
        } while (0)

/* CRC-16/XMODEM by polynomial division of the message, bit after bit: another way than the
 * driver's. */
static uint16_t crc_of(const uint8_t *p, size_t n) {
        uint32_t rest = 0;

        for (size_t i = 0; i < n * 8 + 16; i++) {
                uint32_t bit = i < n * 8 ? p[i / 8] >> (7 - i % 8) & 1 : 0;

                rest = rest << 1 | bit;
                if (rest & 0x10000)
                        rest ^= 0x11021;
        }
        return (uint16_t)rest;
}

/* Appends what a token stands for. */
static size_t expand(Play *p, const char *token, uint8_t *out, size_t n) {
        unsigned offset, count, byte, sum = 0;
        uint16_t crc;

        if (sscanf(token, "image:%u:%u", &offset, &count) == 2) {
                memcpy(out + n, p->image + offset, count);
                return n + count;
        }
        if (sscanf(token, "fill:%x:%u", &byte, &count) == 2) {
                memset(out + n, (int)byte, count);
                return n + count;
        }
        if (streq(token, "crc")) {
                crc = crc_of(out + 3, n - 3);
                out[n] = (uint8_t)(crc >> 8);
                out[n + 1] = (uint8_t)crc;
                return n + 2;
        }
        if (streq(token, "sum")) {
                for (size_t i = 3; i < n; i++)
                        sum += out[i];
                out[n] = (uint8_t)sum;
                return n + 1;
        }
        if (hex_decode(token, out + n, 1) < 0)
                fail_at(p, "odd token %s", token);
        return n + 1;
}

static size_t expand_all(Play *p, char *tokens, uint8_t *out) {
        size_t n = 0;

        for (char *t = strtok(tokens, " "); t; t = strtok(NULL, " "))
                n = expand(p, t, out, n);
        return n;
}

/* The next action that is not a line setting. */
static DriverAction next(Play *p) {
        DriverAction a;

        do
                p->driver->vtable->next(p->driver, p->now_usec, &a);
        while (a.type == DRIVER_LINE);
        return a;
}

static void start(Play *p) {
        if (p->started)
                return;
        p->started = true;
        for (size_t i = 0; i < IMAGE_MAX; i++)
                p->image[i] = (uint8_t)(i * 7 + i / 256);
        p->request.op = DRIVER_PUSH;
        p->request.baud = 9600;
        p->request.image = p->image;
        p->request.file_name = p->name;
        assert_int_equal(p->driver->vtable->start(p->driver, &p->request, p->now_usec), 0);
}

static void expect_bytes(Play *p, char *tokens) {
        uint8_t wanted[BYTES_MAX];
        DriverAction a = next(p);
        size_t n = expand_all(p, tokens, wanted);

        if (a.type != DRIVER_SEND)
                fail_at(p, "nothing is sent");
        if (a.length != n || memcmp(a.bytes, wanted, n) != 0)
                fail_at(p, "%zu other bytes are sent than the %zu that were expected", a.length, n);
}

static void expect_end(Play *p, const char *code) {
        DriverAction a = next(p);
        const DriverResult *r = p->driver->vtable->result(p->driver);

        if (a.type != DRIVER_DONE)
                fail_at(p, "the driver is not done");
        if (!streq(driver_code_to_string(r->code), code))
                fail_at(p, "ended with %s: %s", driver_code_to_string(r->code), r->why.text);
}

static void happen(Play *p, char *rest) {
        DriverAction a = next(p);
        uint8_t bytes[BYTES_MAX];

        if (a.type != DRIVER_WAIT)
                fail_at(p, "the driver does not wait but does %d", (int)a.type);
        if (rest) {
                size_t n = expand_all(p, rest, bytes);

                p->driver->vtable->input(p->driver, bytes, n, p->now_usec);
                return;
        }
        p->now_usec = a.deadline_usec;
        p->driver->vtable->tick(p->driver, p->now_usec);
}

static void set(Play *p, const char *line) {
        unsigned bytes;
        char word[64];

        if (sscanf(line, "driver %63s", word) == 1)
                assert_int_equal(driver_new(word, &p->driver), 0);
        else if (sscanf(line, "image %u", &bytes) == 1)
                p->request.image_length = bytes;
        else if (sscanf(line, "name %127s", p->name) != 1)
                fail_at(p, "odd line");
}

static void play_line(Play *p, char *line) {
        if (line[0] == '#' || line[0] == '\0')
                return;
        if (strchr("<>+!x=", line[0]) && (line[1] == ' ' || line[1] == '\0'))
                start(p);
        else {
                set(p, line);
                return;
        }
        switch (line[0]) {
        case '<':
                happen(p, line + 2);
                break;
        case '>':
                expect_bytes(p, line + 2);
                break;
        case '+':
                p->now_usec += strtoull(line + 2, NULL, 10) * USEC_PER_MSEC;
                break;
        case '!':
                happen(p, NULL);
                break;
        case 'x':
                p->driver->vtable->cancel(p->driver);
                break;
        default:
                expect_end(p, line + 2);
        }
}

static void transcript_is_followed(void **state) {
        const char *name = *state;
        Play p = { .file = name, .now_usec = USEC_PER_SEC };
        char path[512], *text, *rest, *line;
        size_t n;

        (void)snprintf(path, sizeof(path), "%s/%s", TRANSCRIPTS, name);
        assert_int_equal(file_read(AT_FDCWD, path, 65536, &text, &n), 0);
        rest = text;
        while ((line = strsep(&rest, "\n"))) {
                p.line++;
                play_line(&p, line);
        }
        free(text);
        driver_free(p.driver);
}

/* Real receivers. */

static char folder[] = "/tmp/test-xymodem.XXXXXX";
static pid_t receiver;
static DriverCode code;
static char why_text[WHY_MAX];

static void serve(const char *path, const char *program, char *const argv[]) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), connection;

        (void)strcpy(a.sun_path, path);
        assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
        assert_int_equal(listen(fd, 1), 0);
        receiver = fork();
        if (receiver == 0) {
                connection = accept(fd, NULL, NULL);
                (void)alarm(60);
                if (chdir(folder) < 0 || dup2(connection, 0) < 0 || dup2(connection, 1) < 0 ||
                                dup2(open("/dev/null", O_WRONLY), 2) < 0)
                        _exit(126);
                (void)execv(program, argv);
                _exit(127);
        }
        (void)close(fd);
}

static void on_done(Exchange *x, const DriverResult *result, void *userdata) {
        code = result->code;
        (void)strcpy(why_text, result->why.text);
        (void)sd_event_exit(userdata, 0);
}

static void send_to(const char *driver, const char *program, char *const argv[],
                const uint8_t *image, size_t n) {
        DriverRequest request = {
                .op = DRIVER_PUSH, .image = image, .image_length = n, .file_name = "fw.bin"
        };
        char path[80], where[88];
        PortConfig config = { .name = "p", .path = where, .baud = 115200 };
        ExchangeFuncs funcs = { .on_done = on_done };
        Driver *d = NULL;
        Port *port = NULL;
        sd_event *event = NULL;

        (void)snprintf(path, sizeof(path), "%s/socket", folder);
        (void)snprintf(where, sizeof(where), "unix:%s", path);
        serve(path, program, argv);
        assert_int_equal(driver_new(driver, &d), 0);
        assert_int_equal(sd_event_new(&event), 0);
        assert_int_equal(port_new(event, &config, NULL, NULL, &port, NULL), 0);
        funcs.userdata = event;
        assert_int_equal(port_submit(port, PORT_PUSH, d, &request, &funcs, NULL), 0);
        assert_int_equal(sd_event_loop(event), 0);
        port_free(port);
        driver_free(d);
        sd_event_unref(event);
        (void)unlink(path);
        assert_int_equal(waitpid(receiver, NULL, 0), receiver);
        if (code != DRIVER_OK)
                fail_msg("%s: %s", driver_code_to_string(code), why_text);
}

static void assert_file(const char *name, const uint8_t *image, size_t n, size_t padded) {
        char path[80], *bytes;
        size_t got;

        (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
        assert_int_equal(file_read(AT_FDCWD, path, 1 << 20, &bytes, &got), 0);
        assert_int_equal(got, padded);
        assert_memory_equal(bytes, image, n);
        for (size_t i = n; i < got; i++)
                assert_int_equal(bytes[i], 0x1a);
        free(bytes);
        (void)unlink(path);
}

static uint8_t *make_image(size_t n) {
        uint8_t *image = malloc(n);

        assert_non_null(image);
        for (size_t i = 0; i < n; i++)
                image[i] = (uint8_t)(i * 31 + i / 251);
        return image;
}

static void rx_takes_the_file_with_checksums(void **state) {
        char *const argv[] = { (char *)"rx", (char *)"-b", (char *)"x.bin", NULL };
        uint8_t *image = make_image(5000);

        send_to("xmodem", "/usr/bin/rx", argv, image, 5000);
        assert_file("x.bin", image, 5000, 5120);
        free(image);
}

static void rx_takes_the_file_with_crc_and_large_blocks(void **state) {
        char *const argv[] = { (char *)"rx", (char *)"-c", (char *)"-b", (char *)"x.bin", NULL };
        uint8_t *image = make_image(99987);

        send_to("xmodem", "/usr/bin/rx", argv, image, 99987);
        assert_file("x.bin", image, 99987, 100096);
        free(image);
}

static void rb_takes_the_file_with_name_and_length(void **state) {
        char *const argv[] = { (char *)"rb", (char *)"-b", NULL };
        uint8_t *image = make_image(99987);

        send_to("ymodem", "/usr/bin/rb", argv, image, 99987);
        assert_file("fw.bin", image, 99987, 99987);
        free(image);
}

static void only_sending_is_known(void **state) {
        DriverRequest request = { .op = DRIVER_IDENTIFY, .baud = 9600 };
        DriverAction a;
        Driver *d;

        assert_int_equal(driver_new("xmodem", &d), 0);
        assert_int_equal(d->vtable->start(d, &request, 0), 0);
        d->vtable->next(d, 0, &a);
        assert_int_equal(a.type, DRIVER_DONE);
        assert_int_equal(d->vtable->result(d)->code, DRIVER_E_UNSUPPORTED);
        request.op = DRIVER_PUSH;
        assert_int_equal(d->vtable->start(d, &request, 0), -EINVAL);
        driver_free(d);
}

static int make_folder(void **state) {
        return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
        return rmdir(folder);
}

static int is_transcript(const struct dirent *e) {
        return e->d_name[0] != '.';
}

int main(void) {
        struct CMUnitTest tests[TRANSCRIPTS_MAX + 4] = {
                cmocka_unit_test(rx_takes_the_file_with_checksums),
                cmocka_unit_test(rx_takes_the_file_with_crc_and_large_blocks),
                cmocka_unit_test(rb_takes_the_file_with_name_and_length),
                cmocka_unit_test(only_sending_is_known),
        };
        int r;

        n_transcripts = scandir(TRANSCRIPTS, &transcripts, is_transcript, alphasort);
        if (n_transcripts < 1 || n_transcripts > TRANSCRIPTS_MAX)
                return 1;
        for (int i = 0; i < n_transcripts; i++)
                tests[4 + i] = (struct CMUnitTest){
                        .name = transcripts[i]->d_name,
                        .test_func = transcript_is_followed,
                        .initial_state = transcripts[i]->d_name,
                };
        r = _cmocka_run_group_tests(
                        "xymodem", tests, 4 + (size_t)n_transcripts, make_folder, remove_folder);
        for (int i = 0; i < n_transcripts; i++)
                free(transcripts[i]);
        free(transcripts);
        return r;
}

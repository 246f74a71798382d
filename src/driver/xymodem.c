/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XyModem: see the header.
 *
 *      WAIT_START -> [NAME -> WAIT_DATA] -> BLOCKS -> EOT -> [WAIT_BATCH -> NO_NAME] -> DONE
 *
 * The receiver drives: NAK asks for checksums, 'C' for CRC. A block that is refused or not
 * answered is sent again, TRIES_MAX times. In CRC mode blocks have 1024 bytes; a receiver that
 * refuses the first of them twice gets blocks of 128. */
#include <stdarg.h>

#include "basic/names.h"
#include "driver/xymodem.h"

#define SOH 0x01
#define STX 0x02
#define EOT 0x04
#define ACK 0x06
#define BS  0x08
#define NAK 0x15
#define CAN 0x18
#define SUB 0x1a

#define SMALL_BYTES 128
#define LARGE_BYTES 1024
#define LARGE_FROM  896 /* a rest below this costs less in small blocks */
#define TRIES_MAX   10
#define END_TRIES   4
#define LARGE_TRIES 2
#define CANCELS     8

#define START_USEC  (60 * USEC_PER_SEC)
#define ANSWER_USEC (10 * USEC_PER_SEC)
#define END_USEC                                                                                   \
        (3 * USEC_PER_SEC) /* the answer to EOT gets lost when the receiver leaves its line */
#define STALE_USEC (1 * USEC_PER_SEC) /* a 'C' so soon was sent before our block came */

typedef enum XyState {
        XY_IDLE,
        XY_WAIT_START,
        XY_NAME,      /* YMODEM's block 0 is out */
        XY_WAIT_DATA, /* and was taken: 'C' asks for the file */
        XY_BLOCKS,
        XY_EOT,
        XY_WAIT_BATCH, /* 'C' asks for the next file */
        XY_NO_NAME,    /* there is none: the empty block 0 is out */
        XY_FAREWELL,   /* CANs are out or to be sent */
        XY_DONE,
} XyState;

typedef struct XyModem {
        Driver driver;
        bool batch;
        DriverRequest request;
        DriverResult result;
        XyState state;
        bool crc, small; /* as the receiver wants it; it refused large blocks */
        bool line_due, send_due;
        uint8_t out[3 + LARGE_BYTES + 2];
        size_t n_out;
        uint8_t number;     /* of the block at hand */
        size_t done, block; /* image bytes acknowledged; of the image in the block at hand */
        unsigned tries, cancels;
        uint64_t deadline_usec, sent_usec;
} XyModem;

static XyModem *xymodem(Driver *d) {
        return (XyModem *)d;
}

static void finish(XyModem *x, DriverCode code, const char *format, ...) _printf_(3, 4);

static void finish(XyModem *x, DriverCode code, const char *format, ...) {
        char text[WHY_MAX];
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        x->result.code = code;
        (void)why(&x->result.why, 0, "%s", text);
        x->result.stream_bytes = x->done;
        x->state = XY_DONE;
}

/* Tells the receiver to give up, then ends. */
static void abandon(XyModem *x, DriverCode code, const char *text) {
        finish(x, code, "%s", text);
        memset(x->out, CAN, CANCELS);
        memset(x->out + CANCELS, BS, CANCELS);
        x->n_out = 2 * CANCELS;
        x->state = XY_FAREWELL;
        x->send_due = true;
}

static uint16_t crc16(const uint8_t *p, size_t n) {
        uint16_t crc = 0;

        for (size_t i = 0; i < n; i++) {
                crc ^= (uint16_t)(p[i] << 8);
                for (unsigned k = 0; k < 8; k++)
                        crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
        }
        return crc;
}

/* Puts header and check around the `size` bytes at out + 3. */
static void seal(XyModem *x, size_t size) {
        uint8_t *data = x->out + 3, sum = 0;
        uint16_t crc;

        x->out[0] = size == LARGE_BYTES ? STX : SOH;
        x->out[1] = x->number;
        x->out[2] = (uint8_t)~x->number;
        if (x->crc) {
                crc = crc16(data, size);
                data[size] = (uint8_t)(crc >> 8);
                data[size + 1] = (uint8_t)crc;
        } else {
                for (size_t i = 0; i < size; i++)
                        sum = (uint8_t)(sum + data[i]);
                data[size] = sum;
        }
        x->n_out = 3 + size + (x->crc ? 2 : 1);
        x->send_due = true;
}

/* Block 0: the name without its folders, NUL, the length in decimal; without a name it ends the
 * batch. */
static void make_name(XyModem *x, const char *name) {
        const char *slash = name ? strrchr(name, '/') : NULL;

        memset(x->out + 3, 0, SMALL_BYTES);
        if (name) {
                name = slash ? slash + 1 : name;
                (void)snprintf((char *)x->out + 3, SMALL_BYTES, "%.100s%c%zu", name, '\0',
                                x->request.image_length);
        }
        x->number = 0;
        seal(x, SMALL_BYTES);
}

static void make_block(XyModem *x) {
        size_t left = x->request.image_length - x->done;
        size_t size = x->crc && !x->small && left >= LARGE_FROM ? LARGE_BYTES : SMALL_BYTES;

        x->block = MIN(left, size);
        memcpy(x->out + 3, x->request.image + x->done, x->block);
        memset(x->out + 3 + x->block, SUB, size - x->block);
        seal(x, size);
        x->result.erased = true;
}

static void make_eot(XyModem *x) {
        x->out[0] = EOT;
        x->n_out = 1;
        x->send_due = true;
}

static void enter(XyModem *x, XyState state) {
        x->state = state;
        x->tries = 0;
        switch (state) {
        case XY_NAME:
                make_name(x, x->request.file_name);
                break;
        case XY_BLOCKS:
                make_block(x);
                break;
        case XY_EOT:
                make_eot(x);
                break;
        case XY_NO_NAME:
                make_name(x, NULL);
                break;
        default:
                break;
        }
}

static void enter_waiting(XyModem *x, XyState state, uint64_t deadline_usec) {
        enter(x, state);
        x->deadline_usec = deadline_usec;
}

/* Refused, or not answered in time. */
static void again(XyModem *x, bool refused) {
        unsigned most = x->state == XY_EOT && !refused ? END_TRIES : TRIES_MAX;

        if (++x->tries < most) {
                if (x->state == XY_BLOCKS && x->done == 0 && refused && x->tries == LARGE_TRIES &&
                                x->n_out > LARGE_BYTES) {
                        x->small = true;
                        make_block(x);
                }
                x->send_due = true;
                return;
        }
        if (x->state == XY_NO_NAME)
                finish(x, DRIVER_OK, "%s",
                                ""); /* the file was acknowledged; only the batch's end was not */
        else if (x->state == XY_EOT)
                finish(x, DRIVER_E_UNCONFIRMED_END,
                                "the whole file was sent, its end was not acknowledged");
        else if (refused)
                abandon(x, DRIVER_E_LINE, "the receiver refuses the same block again and again");
        else
                abandon(x, DRIVER_E_NO_ANSWER, "the receiver answers no more");
}

static void start_asked(XyModem *x, bool crc) {
        x->crc = crc;
        x->number = 1;
        enter(x, x->batch ? XY_NAME : XY_BLOCKS);
}

static void block_taken(XyModem *x) {
        x->done += x->block;
        x->number++;
        x->tries = 0;
        if (x->done < x->request.image_length)
                make_block(x);
        else
                enter(x, XY_EOT);
}

static void on_ack(XyModem *x, uint64_t now_usec) {
        switch (x->state) {
        case XY_NAME:
                enter_waiting(x, XY_WAIT_DATA, now_usec + START_USEC);
                return;
        case XY_BLOCKS:
                block_taken(x);
                return;
        case XY_EOT:
                if (x->batch)
                        enter_waiting(x, XY_WAIT_BATCH, now_usec + END_USEC);
                else
                        finish(x, DRIVER_OK, "%s", "");
                return;
        case XY_NO_NAME:
                finish(x, DRIVER_OK, "%s", "");
                return;
        default:
                return;
        }
}

/* NAK, or 'C' where it has that meaning: what is out did not come through. */
static void on_nak(XyModem *x) {
        if (x->state == XY_NAME || x->state == XY_BLOCKS || x->state == XY_EOT ||
                        x->state == XY_NO_NAME)
                again(x, true);
        else if (x->state == XY_WAIT_START)
                start_asked(x, false);
        else if (x->state == XY_WAIT_DATA) {
                x->number = 1;
                enter(x, XY_BLOCKS);
        }
}

static void on_c(XyModem *x, uint64_t now_usec) {
        bool stale = now_usec < x->sent_usec + STALE_USEC;

        switch (x->state) {
        case XY_WAIT_START:
                start_asked(x, true);
                return;
        case XY_WAIT_DATA:
                x->number = 1;
                enter(x, XY_BLOCKS);
                return;
        case XY_EOT: /* it waits for the next file: the acknowledgement was lost */
                if (x->batch && !stale)
                        enter(x, XY_NO_NAME);
                return;
        case XY_WAIT_BATCH:
                enter(x, XY_NO_NAME);
                return;
        default:
                if (!stale && (x->state == XY_NAME || (x->state == XY_BLOCKS && x->done == 0)))
                        again(x, true);
        }
}

static void take_byte(XyModem *x, uint8_t byte, uint64_t now_usec) {
        x->cancels = byte == CAN ? x->cancels + 1 : 0;
        switch (byte) {
        case ACK:
                x->result.heard = true;
                on_ack(x, now_usec);
                return;
        case NAK:
                x->result.heard = true;
                on_nak(x);
                return;
        case 'C':
                x->result.heard = true;
                on_c(x, now_usec);
                return;
        case CAN:
                if (x->cancels == 2)
                        finish(x, DRIVER_E_REFUSED, "the receiver canceled the transfer");
                return;
        default:
                return; /* noise, or the receiver's messages */
        }
}

void xymodem_input(Driver *d, const void *bytes, size_t n, uint64_t now_usec) {
        XyModem *x = xymodem(d);
        const uint8_t *p = bytes;

        x->result.line_bytes_received += n;
        for (size_t i = 0; i < n && x->state != XY_FAREWELL && x->state != XY_DONE; i++)
                if (!x->send_due || p[i] == CAN) /* an answer belongs to a block that is out */
                        take_byte(x, p[i], now_usec);
}

void xymodem_tick(Driver *d, uint64_t now_usec) {
        XyModem *x = xymodem(d);

        if (now_usec < x->deadline_usec || x->send_due)
                return;
        switch (x->state) {
        case XY_WAIT_START:
                finish(x, DRIVER_E_NO_ANSWER, "no receiver asked for a file within %u s",
                                (unsigned)(START_USEC / USEC_PER_SEC));
                return;
        case XY_WAIT_DATA:
                abandon(x, DRIVER_E_NO_ANSWER,
                                "the receiver took the file's name and never asked for the file");
                return;
        case XY_WAIT_BATCH:
                enter(x, XY_NO_NAME);
                return;
        case XY_NAME:
        case XY_BLOCKS:
        case XY_EOT:
        case XY_NO_NAME:
                again(x, false);
                return;
        default:
                return;
        }
}

static void give_bytes(XyModem *x, uint64_t now_usec, DriverAction *ret) {
        uint64_t grace = x->state == XY_EOT || x->state == XY_NO_NAME ? END_USEC : ANSWER_USEC;

        x->send_due = false;
        x->sent_usec = now_usec + (uint64_t)x->n_out * 10 * USEC_PER_SEC / x->request.baud;
        x->deadline_usec = x->sent_usec + grace;
        x->result.line_bytes_sent += x->n_out;
        if (x->state == XY_FAREWELL)
                x->state = XY_DONE;
        *ret = (DriverAction){ .type = DRIVER_SEND,
                .deadline_usec = USEC_INFINITY,
                .bytes = x->out,
                .length = x->n_out };
}

void xymodem_next(Driver *d, uint64_t now_usec, DriverAction *ret) {
        XyModem *x = xymodem(d);

        if (x->line_due) {
                x->line_due = false;
                *ret = (DriverAction){
                        .type = DRIVER_LINE,
                        .deadline_usec = USEC_INFINITY,
                        .line = { .baud = x->request.baud,
                                        .data_bits = 8,
                                        .stop_bits = 1,
                                        .parity = 'N' },
                };
        } else if (x->state == XY_DONE || x->state == XY_IDLE)
                *ret = (DriverAction){ .type = DRIVER_DONE, .deadline_usec = USEC_INFINITY };
        else if (x->send_due)
                give_bytes(x, now_usec, ret);
        else
                *ret = (DriverAction){ .type = DRIVER_WAIT, .deadline_usec = x->deadline_usec };
}

int xymodem_start(Driver *d, const DriverRequest *request, uint64_t now_usec) {
        XyModem *x = xymodem(d);
        bool batch = x->batch;

        if (request->baud == 0)
                return -EINVAL;
        *x = (XyModem){
                .driver = x->driver, .batch = batch, .request = *request, .line_due = true
        };
        if (request->op != DRIVER_PUSH) {
                finish(x, DRIVER_E_UNSUPPORTED, "%s can only send a file", d->vtable->name);
                x->line_due = false;
                return 0;
        }
        if (!request->image || request->image_length == 0 || (batch && !request->file_name))
                return -EINVAL;
        if (batch && !text_is_printable(request->file_name, 100))
                return -EINVAL;
        enter_waiting(x, XY_WAIT_START, now_usec + START_USEC);
        return 0;
}

void xymodem_cancel(Driver *d) {
        XyModem *x = xymodem(d);

        if (x->state != XY_DONE && x->state != XY_IDLE)
                abandon(x, DRIVER_E_CANCELED, "canceled");
}

void xymodem_progress(const Driver *d, DriverProgress *ret) {
        const XyModem *x = (const XyModem *)d;
        DriverPhase phase = DRIVER_PHASE_IDLE;

        if (x->state == XY_WAIT_START || x->state == XY_NAME || x->state == XY_WAIT_DATA)
                phase = DRIVER_PHASE_BEGIN;
        else if (x->state == XY_BLOCKS)
                phase = DRIVER_PHASE_SEND;
        else if (x->state == XY_EOT || x->state == XY_WAIT_BATCH || x->state == XY_NO_NAME)
                phase = DRIVER_PHASE_VERIFY;
        *ret = (DriverProgress){
                .phase = phase, .done_bytes = x->done, .total_bytes = x->request.image_length
        };
}

const DriverResult *xymodem_result(const Driver *d) {
        return &((const XyModem *)d)->result;
}

int xymodem_make(const DriverVTable *vtable, bool batch, Driver **ret) {
        XyModem *x = new0(XyModem, 1);

        if (!x)
                return -ENOMEM;
        x->driver.vtable = vtable;
        x->batch = batch;
        *ret = &x->driver;
        return 0;
}

void xymodem_destroy(Driver *d) {
        free(d);
}

/* SPDX-License-Identifier: MIT */

/*
 * The hooks that the device library calls, over flash, line and retained RAM.
 * Nothing here acts on its own: start_program and reset leave a request behind.
 */

#include "sim-board.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "proto/frame.h"
#include "proto/header.h"
#include "proto/version.h"
#include "sim-util.h"

#define BOARD_LISTEN_MS 200U
#define BOARD_PAGE_MAX  4096U

static uint32_t board_offset(uint32_t address) {
        return address - SIM_FLASH_BASE;
}

static int board_flash_read(void *user, uint32_t address, void *out, size_t n) {
        SimBoard *board = user;
        uint32_t size = sim_flash_size(board->flash), offset = board_offset(address);

        if (offset > size || n > size - offset)
                return -EINVAL;
        memcpy(out, sim_flash_bytes(board->flash) + offset, n);
        return 0;
}

static int board_erase_next(SimBoard *board) {
        uint32_t offset = board->erase_at;

        board->erase_at += board->options->erase_bytes;
        return sim_flash_erase(board->flash, offset, sim_now_usec());
}

static int board_flash_erase(void *user, uint32_t address, uint32_t n) {
        SimBoard *board = user;

        board->erase_at = board_offset(address);
        board->erase_end = board->erase_at + n;
        return board_erase_next(board);
}

static int board_flash_write(void *user, uint32_t address, const void *data, size_t n) {
        SimBoard *board = user;

        if (n > SIM_FLASH_WRITE_MAX)
                return -EINVAL;
        return sim_flash_write(
                        board->flash, board_offset(address), data, (uint32_t)n, sim_now_usec());
}

static int board_flash_poll(void *user) {
        SimBoard *board = user;

        if (!sim_flash_has_power(board->flash))
                return -EIO;
        if (sim_flash_run(board->flash, sim_now_usec()))
                return 1;
        if (board->erase_at >= board->erase_end)
                return 0;
        return board_erase_next(board) < 0 ? -EIO : 1;
}

/* A board without power says nothing, and one that is about to reset has said all. */
static size_t board_send(void *user, const uint8_t *data, size_t n) {
        SimBoard *board = user;

        if (!sim_flash_has_power(board->flash) || board->request != SIM_REQUEST_NONE ||
                        board->baud_next != 0)
                return 0;
        return sim_line_send(board->line, data, n);
}

static uint32_t board_milliseconds(void *user) {
        return (uint32_t)(sim_now_usec() / 1000U);
}

static void board_set_baud(void *user, uint32_t baud) {
        SimBoard *board = user;

        board->baud_next = baud;
}

static void board_start_program(void *user, const RkdStart *start) {
        SimBoard *board = user;

        board->request = SIM_REQUEST_START;
        board->start = *start;
}

static void board_reset(void *user) {
        SimBoard *board = user;

        board->request = SIM_REQUEST_RESET;
}

static int board_is_slot_plausible(void *user, unsigned slot) {
        SimBoard *board = user;

        return memcmp(sim_flash_bytes(board->flash) + slot * board->platform.slot_stride, "\177ELF",
                               4) == 0;
}

static int board_verify_signature(void *user, bool again, uint8_t algorithm, const uint8_t *header,
                size_t n_header, const uint8_t *signature) {
        SimBoard *board = user;

        return sim_key_verify(
                        board->key, algorithm, header, n_header, signature, RKD_SIGNATURE_BYTES);
}

static void board_fill_numbers(SimBoard *board) {
        const SimOptions *options = board->options;
        RkdPlatform *p = &board->platform;
        uint32_t record = SIM_FLASH_BASE + options->program_bytes;
        uint32_t stride = sim_flash_slot_size(board->flash);

        p->address = (uint8_t)options->address;
        p->capabilities = options->read_back ? RKD_CAN_READ : 0;
        p->capabilities |= options->trial_timer ? RKD_CAN_TRIAL_TIMER : 0;
        p->capabilities |= options->half_duplex ? 0 : RKD_CAN_FULL_DUPLEX;
        p->capabilities |= options->flash_blocks_cpu ? RKD_CAN_FLASH_BLOCKS_CPU : 0;
        p->listen_ms = BOARD_LISTEN_MS;
        p->model = options->model;
        p->hardware = options->hardware;
        p->serial = options->serial;
        p->bootloader_version = options->bootloader_version;

        board->region = (RkdRegion){ SIM_FLASH_BASE, options->erase_bytes,
                options->program_bytes / options->erase_bytes + 2, (uint16_t)options->write_bytes };
        p->regions = &board->region;
        p->n_regions = 1;
        p->unit_size = options->unit_bytes;
        p->program_base = SIM_FLASH_BASE;
        p->program_space = options->program_bytes;
        p->ram_base = SIM_RAM_BASE;
        p->ram_size = SIM_RAM_BYTES;
        p->record_pages[0] = record;
        p->record_pages[1] = record + options->erase_bytes;
        if (options->slots > 1) {
                p->slot_stride = stride;
                p->slot_record_pages[0] = p->record_pages[0] + stride;
                p->slot_record_pages[1] = p->record_pages[1] + stride;
        }
        p->record_size = options->erase_bytes;
        p->record_write_size = (uint16_t)options->write_bytes;
        p->speeds = options->speeds;
        p->n_speeds = (uint8_t)options->n_speeds;
        /* Worst cases, as a data sheet has them: twice the usual time. */
        if (options->flash_times) {
                p->erase_ms = 2 * options->erase_msec + 1;
                p->write_ms = 2 * (p->page_bytes / options->write_bytes * options->write_usec /
                                                  1000U) +
                              1;
        }
}

static int board_fill_memory(SimBoard *board) {
        RkdPlatform *p = &board->platform;
        uint32_t n_rx;

        p->page_bytes = SIM_MIN(board->options->unit_bytes, BOARD_PAGE_MAX);
        p->ring_bytes = board->options->buffer_bytes;
        p->max_payload = (uint16_t)board->options->max_payload;
        p->tx_bytes = RKD_TX_BYTES(RKD_ANSWER_MAX);
        n_rx = (RKD_RX_BYTES(p->max_payload) + 3U) & ~3U;
        board->memory = calloc(1, p->page_bytes + n_rx + p->ring_bytes + p->tx_bytes);
        if (!board->memory)
                return -ENOMEM;
        p->page = board->memory;
        p->rx = p->page + p->page_bytes;
        p->ring = p->rx + n_rx;
        p->tx = p->ring + p->ring_bytes;
        p->retained = board->page->retained;
        p->patch = board->options->codec == RKD_PATCH_NONE ? NULL : &board->patch;
        p->patch_profile = (uint8_t)board->options->codec;
        return 0;
}

static void board_fill_hooks(SimBoard *board) {
        RkdPlatform *p = &board->platform;

        p->user = board;
        p->flash_read = board_flash_read;
        p->flash_erase = board_flash_erase;
        p->flash_write = board_flash_write;
        p->flash_poll = board_flash_poll;
        p->send = board_send;
        p->milliseconds = board_milliseconds;
        p->set_baud = board_set_baud;
        p->start_program = board_start_program;
        p->reset = board_reset;
        p->is_slot_plausible = board_is_slot_plausible;
        p->verify_signature = board->key ? board_verify_signature : NULL;
        p->compare_versions = board->options->floor_enforced ? rkd_version_compare : NULL;
}

/* What the program knows of the board at build time. */
static void board_fill_page(SimBoard *board) {
        const SimOptions *options = board->options;
        SimSocPage *page = board->page;

        (void)snprintf(page->model, sizeof(page->model), "%s", options->model);
        (void)snprintf(page->hardware, sizeof(page->hardware), "%s", options->hardware);
        (void)snprintf(page->serial, sizeof(page->serial), "%s", options->serial);
        (void)snprintf(page->bootloader_version, sizeof(page->bootloader_version), "%s",
                        options->bootloader_version);
        page->program_bytes = options->program_bytes;
        page->slot_stride = board->platform.slot_stride;
        page->erase_bytes = options->erase_bytes;
        page->write_bytes = options->write_bytes;
        page->unit_bytes = options->unit_bytes;
        memcpy(page->speeds, options->speeds, sizeof(page->speeds));
        page->n_speeds = (uint8_t)options->n_speeds;
        if (options->program_baud) {
                page->speeds[0] = options->program_baud;
                page->n_speeds = 1;
        }
        page->address = (uint8_t)options->address;
        page->capabilities = board->platform.capabilities;
        page->capabilities |= board->platform.verify_signature ? RKD_CAN_SIGNED : 0;
        page->capabilities |= board->platform.compare_versions ? RKD_CAN_FLOOR : 0;
}

static int board_make_page(SimBoard *board) {
        board->page_fd = memfd_create("soc-page", MFD_CLOEXEC);
        if (board->page_fd < 0 || ftruncate(board->page_fd, sizeof(SimSocPage)) < 0)
                return -errno;
        board->page = mmap(NULL, sizeof(SimSocPage), PROT_READ | PROT_WRITE, MAP_SHARED,
                        board->page_fd, 0);
        if (board->page == MAP_FAILED) {
                board->page = NULL;
                return -errno;
        }
        return 0;
}

static int board_open_flash(SimBoard *board) {
        const SimOptions *options = board->options;
        SimFlashConfig config = {
                .path = options->flash,
                .slots = options->slots,
                .program_bytes = options->program_bytes,
                .erase_bytes = options->erase_bytes,
                .write_bytes = options->write_bytes,
                .erase_usec = options->flash_times ? options->erase_msec * 1000U : 0,
                .write_usec = options->flash_times ? options->write_usec : 0,
                .seed = options->seed,
        };
        int r;

        r = sim_flash_new(&board->flash, &config);
        if (r < 0)
                return r;
        sim_flash_cut_after(board->flash, options->cut_after);
        board->flash_fd = open(options->flash, O_RDONLY | O_CLOEXEC);
        return board->flash_fd < 0 ? -errno : 0;
}

static int board_load(SimBoard *board) {
        uint32_t size = board->options->program_bytes;
        uint8_t *image;
        FILE *file;
        size_t n;
        int r = 0;

        if (!board->options->load)
                return 0;
        file = fopen(board->options->load, "re");
        if (!file)
                return -errno;
        image = malloc(size + 1);
        n = image ? fread(image, 1, size + 1, file) : 0;
        if (!image)
                r = -ENOMEM;
        else if (ferror(file))
                r = -EIO;
        else if (n > size)
                r = -EFBIG;
        else
                sim_flash_load(board->flash, image, (uint32_t)n);
        (void)fclose(file);
        free(image);
        return r;
}

static int board_open_line(SimBoard *board) {
        const SimOptions *options = board->options;
        SimLineConfig config = {
                .kind = SIM_LINE_PTY,
                .path = options->link,
                .pace = options->pace,
                .echo = options->echo,
                .seed = options->seed,
        };
        int r;

        if (options->unix_path) {
                config.kind = SIM_LINE_UNIX;
                config.path = options->unix_path;
        } else if (options->fd != UINT32_MAX) {
                config.kind = SIM_LINE_FD;
                config.fd = (int)options->fd;
        }
        r = sim_line_new(&board->line, &config);
        if (r < 0)
                return r;
        sim_line_set_noise(board->line, options->noise_flip, options->noise_drop, 0);
        sim_line_set_mute(board->line, options->mute);
        return 0;
}

static int board_complain(int r, const char *what, const char *path) {
        if (r < 0)
                (void)fprintf(stderr, "rekindle-sim: %s%s%s: %s\n", what, path ? " " : "",
                                path ? path : "",
                                r == -EWOULDBLOCK ? "in use by another process"
                                : r == -EINVAL    ? "of another size or kind"
                                : r == -EEXIST    ? "is there and not ours; it is not replaced"
                                                  : strerror(-r));
        return r;
}

int sim_board_new(SimBoard **ret, const SimOptions *options) {
        SimBoard *board;
        int r;

        assert(ret);

        board = calloc(1, sizeof(*board));
        if (!board)
                return -ENOMEM;
        board->options = options;
        board->page_fd = board->flash_fd = -1;
        r = board_complain(board_make_page(board), "memory", NULL);
        if (r == 0 && options->device_key)
                r = board_complain(sim_key_new(&board->key, options->device_key), "device key",
                                options->device_key);
        if (r == 0)
                r = board_complain(board_open_flash(board), "flash", options->flash);
        if (r == 0)
                r = board_complain(board_load(board), "image", options->load);
        if (r == 0)
                r = board_complain(board_open_line(board), "line",
                                options->unix_path ? options->unix_path : options->link);
        if (r == 0)
                r = board_complain(board_fill_memory(board), "memory", NULL);
        if (r < 0) {
                (void)sim_board_free(board);
                return r;
        }
        board_fill_numbers(board);
        board_fill_hooks(board);
        board_fill_page(board);
        *ret = board;
        return 0;
}

SimBoard *sim_board_free(SimBoard *board) {
        if (!board)
                return NULL;
        (void)sim_line_free(board->line);
        (void)sim_flash_free(board->flash);
        (void)sim_key_free(board->key);
        if (board->page)
                (void)munmap(board->page, sizeof(SimSocPage));
        (void)sim_close(board->page_fd);
        (void)sim_close(board->flash_fd);
        free(board->memory);
        free(board);
        return NULL;
}

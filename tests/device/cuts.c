/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The power-cut loop, see cuts.h.
 */

#include "cuts.h"

#include <stdio.h>
#include <string.h>

#include "board-flash.h"
#include "gateway.h"
#include "synthetic.h"

#define STEPS     60u /* of the gateway towards its goal */
#define ANSWERS   8u
#define BACK_MS   100u
#define SEEDS     4u
#define RESETS    40u
#define ALONE_MS  400u
#define FUNCTIONS 12u
#define ID_SHIFT  16u

typedef enum Outcome {
        DONE,
        AGAIN,   /* look at the device and go on */
        CRASHES, /* the program used up its starts */
        CUT,
        STUCK,
} Outcome;

typedef struct Program {
        uint8_t *bytes;
        size_t n;
        const char *version;
        uint32_t id;     /* upper half of its push ids */
        uint16_t pushes; /* begun, lower half of the last one */
} Program;

static struct {
        CutSetup setup;
        Board board, start, alone;
        Gateway gateway;
        Program programs[2]; /* old, new */
        uint16_t pushes[2];  /* before the flow */
        PlanImage held[2];
        unsigned patches, parked;
        bool misreads;
        bool refused;        /* the last push, whose id is of no use then */
        const char *trouble; /* why this device is lost; NULL: it is not */
} l;

static const char *const flows[_CUT_FLOW_MAX] = {
        [FLOW_INSTALL] = "install",
        [FLOW_ADOPT] = "adopt",
        [FLOW_UPGRADE] = "upgrade",
        [FLOW_RESTORE] = "restore",
        [FLOW_CONFIRM] = "confirm",
        [FLOW_STARTS] = "starts",
};

static bool is_off(void) {
        return l.board.runs == BOARD_OFF;
}

static void note_trouble(const char *what) {
        if (!l.trouble)
                l.trouble = what;
}

static void begin_session(void) {
        l.patches += l.gateway.patches;
        l.parked += l.gateway.parked;
        gateway_init(&l.gateway, &l.board);
        l.gateway.held = l.held;
        l.gateway.n_held = l.setup.profile == RKD_PATCH_NONE ? 0 : 2;
}

static Program *program_of(const RkdIdentity *id) {
        for (unsigned i = 0; i < 2; i++)
                if (id->push_id >> ID_SHIFT == l.programs[i].id)
                        return &l.programs[i];
        return NULL;
}

static bool is_held(const Program *p) {
        return board_holds(&l.board, p->bytes, p->n);
}

static Outcome push(Program *goal, const RkdIdentity *id) {
        bool resumes = program_of(id) == goal && id->state == RKD_PUSHING && !l.refused;
        Push p = {
                .image = goal->bytes,
                .n_image = goal->n,
                .push_id = id->push_id,
                .replaces = id->push_id,
                .version = goal->version,
                .flags = goal == &l.programs[0] ? RKD_BEGIN_RESTORE : 0,
                .algorithm = l.setup.is_signed ? RKD_ALGORITHM_ED25519 : 0,
        };
        int r;

        if (!resumes)
                p.push_id = (uint64_t)goal->id << ID_SHIFT | ++goal->pushes;
        r = gateway_push(&l.gateway, &p);
        if (r == RKD_BAD_DIGEST && !l.misreads)
                note_trouble("what arrived is not what was sent");
        l.gateway.trust_nothing = r == RKD_BAD_DIGEST;
        l.refused = r == RKD_BAD_STATE;
        return is_off() ? CUT : AGAIN;
}

static Outcome start(const RkdIdentity *id) {
        (void)gateway_ask_id(&l.gateway, RKD_START, id->push_id);
        board_run(&l.board, 5);
        return is_off() ? CUT : AGAIN;
}

static Outcome confirm(const RkdIdentity *id) {
        int r = gateway_confirm(&l.gateway, id->push_id);

        return is_off() ? CUT : r == 0 ? DONE : AGAIN;
}

static Outcome enter(void) {
        (void)gateway_ask(&l.gateway, &(RkdRequest){ .type = RKD_ENTER });
        board_run(&l.board, 5);
        return is_off() ? CUT : AGAIN;
}

/* One step of the gateway, from what the device says of itself. */
static Outcome step_to(Program *goal) {
        RkdIdentity id;
        bool is_goal;

        if (gateway_identify(&l.gateway, &id) != 0)
                return is_off() ? CUT : AGAIN;
        is_goal = program_of(&id) == goal;
        if (id.who == RKD_WHO_PROGRAM)
                return is_goal ? confirm(&id) : enter();
        if (is_goal && id.state == RKD_FAILED)
                return CRASHES;
        if (is_goal && (id.state == RKD_VERIFIED || id.state == RKD_TRIAL ||
                                       id.state == RKD_CONFIRMED))
                return start(&id);
        return push(goal, &id);
}

static Outcome bring_to(Program *goal) {
        Outcome o = AGAIN;

        for (unsigned i = 0; i < STEPS && o == AGAIN; i++)
                o = step_to(goal);
        if (o == DONE && (l.board.runs != BOARD_PROGRAM || !is_held(goal)))
                note_trouble("another program runs than was confirmed");
        return o == AGAIN ? STUCK : o;
}

/* The goal, or the other program where the goal cannot run. */
static Outcome settle(Program *goal) {
        Outcome o;

        begin_session();
        o = bring_to(goal);
        return o == CRASHES ? bring_to(&l.programs[goal == &l.programs[0]]) : o;
}

static Outcome confirm_in_bootloader(void) {
        RkdIdentity id;

        begin_session();
        if (gateway_identify(&l.gateway, &id) != 0 || start(&id) != AGAIN)
                return is_off() ? CUT : STUCK;
        board_run(&l.board, 30);
        if (is_off() || enter() == CUT)
                return CUT;
        (void)gateway_ask_id(&l.gateway, RKD_CONFIRM, id.push_id);
        return is_off() ? CUT : settle(&l.programs[1]);
}

static Outcome use_up_marks(void) {
        for (unsigned i = 0; i < RESETS && !is_off(); i++) {
                board_reset(&l.board, RKD_CAUSE_WATCHDOG);
                board_run(&l.board, 80);
        }
        return is_off() ? CUT : settle(&l.programs[1]);
}

static Outcome run_flow(void) {
        switch (l.setup.flow) {
        case FLOW_CONFIRM:
                return confirm_in_bootloader();
        case FLOW_STARTS:
                return use_up_marks();
        default:
                return settle(&l.programs[1]);
        }
}

static void power_on(const CutCase *c, unsigned which) {
        board_power_on(&l.board);
        if (c->misreads && which == 0) {
                l.board.fail_read_at = l.board.reads + c->at[0];
                return;
        }
        if (c->fails) {
                l.board.fail_at = l.board.operations + c->at[0];
                l.board.fails_torn = true;
                l.board.cut = c->cut[0];
                return;
        }
        if (which < 2 && c->at[which] > 0) {
                l.board.cut_at = l.board.operations + c->at[which];
                l.board.cut = c->cut[which];
        }
}

/* Power is back, the gateway has said nothing yet: what the device says must be true. */
static void judge_identity(void) {
        unsigned tries = ANSWERS;
        const Program *p;
        RkdIdentity id;

        begin_session();
        while (gateway_identify(&l.gateway, &id) != 0)
                if (--tries == 0) { /* a program that crashes takes a question with it */
                        note_trouble("it does not answer");
                        return;
                }
        p = program_of(&id);
        if (l.board.had_record && !p)
                note_trouble("its record is gone");
        if (id.state == RKD_DAMAGED)
                note_trouble("the record calls a program complete that is not");
        if (id.state == RKD_FAILED && l.setup.flow != FLOW_RESTORE)
                note_trouble("a good program is out of starts");
        if (p && id.state != RKD_PUSHING && id.state != RKD_DAMAGED && !is_held(p))
                note_trouble("another program is there than the record says");
}

/* Two slots: once a program was confirmed, one can start that does not crash, and no gateway is
 * needed for that. */
static void judge_alone(void) {
        if (l.setup.geometry.slots < 2 || l.setup.flow < FLOW_UPGRADE)
                return;
        board_copy(&l.alone, &l.board);
        board_power_on(&l.alone);
        board_run(&l.alone, ALONE_MS);
        if (l.alone.runs != BOARD_PROGRAM || l.alone.crashes)
                note_trouble("no program starts without a gateway");
        if (l.alone.violations > 0)
                note_trouble(l.alone.violation);
}

static void begin_case(const CutCase *c) {
        board_copy(&l.board, &l.start);
        l.board.random = (c->seed + 1) * 2654435761u + c->at[0] * 40503u + c->at[1] * 69069u;
        l.board.violations = 0;
        l.patches = l.parked = 0;
        l.misreads = c->misreads;
        l.refused = false;
        l.trouble = NULL;
        for (unsigned i = 0; i < 2; i++)
                l.programs[i].pushes = l.pushes[i];
        power_on(c, 0);
}

/* From power on to a confirmed program. */
static Outcome recover(const CutCase *c, unsigned which) {
        judge_alone();
        power_on(c, which);
        board_run(&l.board, BACK_MS);
        if (!is_off() && (which == 2 || c->at[1] == 0))
                judge_identity();
        return is_off() ? CUT : settle(&l.programs[!c->back]);
}

static bool run_case(const CutCase *c, Outcome *ret) {
        begin_case(c);
        *ret = run_flow();
        if (c->misreads) { /* what cannot be read counts as bad until the next reset */
                bool did = l.board.reads >= l.board.fail_read_at;

                *ret = *ret == DONE ? DONE : recover(c, 2);
                return did;
        }
        if (c->fails) {
                judge_identity();
                return l.board.operations >= l.board.fail_at;
        }
        if (*ret != CUT)
                return false;
        *ret = recover(c, 1);
        if (c->at[1] == 0)
                return true;
        if (*ret != CUT)
                return false;
        *ret = recover(c, 2);
        return true;
}

bool cuts_try(const CutCase *c, CutCount *count) {
        Outcome o;

        if (!run_case(c, &o))
                return false;
        if (o != DONE)
                note_trouble("it cannot be brought to run a program");
        if (l.board.violations > 0)
                note_trouble(l.board.violation);
        begin_session();
        count->cases++;
        count->patches += l.patches;
        count->parked += l.parked;
        if (!l.trouble)
                return true;
        if (count->lost++ == 0)
                (void)snprintf(count->first, sizeof(count->first),
                                "at %u (kind %u), again %u (kind %u), seed %u%s: %s", c->at[0],
                                c->cut[0], c->at[1], c->cut[1], c->seed, c->back ? ", back" : "",
                                l.trouble);
        return true;
}

unsigned cuts_count_operations(void) {
        unsigned before = l.start.operations;

        begin_case(&(CutCase){ 0 });
        if (run_flow() != DONE || l.board.violations > 0 || l.trouble)
                return 0;
        return l.board.operations - before;
}

static int make_programs(const CutSetup *setup) {
        SyntheticSpec spec = {
                .isa = RKD_ISA_THUMB,
                .base = BOARD_BASE,
                .ram_base = 0x20000000,
                .seed = 5,
                .functions = setup->functions ? setup->functions : FUNCTIONS,
                .changed_every = 5,
        };

        for (unsigned i = 0; i < 2; i++) {
                Program *p = &l.programs[i];

                free(p->bytes);
                *p = (Program){ .id = i + 1, .version = i ? "1.1.0" : "1.0.0" };
                spec.version = i;
                spec.turned_by = i == 0 ? 0 : MAX(setup->turned_by, 1u);
                if (synthetic_image(&spec, &p->bytes, &p->n) < 0)
                        return -1;
                l.held[i] = (PlanImage){ p->bytes, p->n };
                l.board.images[i] = (BoardImage){ p->bytes, p->n, false };
        }
        l.board.n_images = 2;
        return 0;
}

/* The old program runs in slot 0; slot 1 has the record of the new one, confirmed, and what became
 * of it since. */
static Outcome use_both_slots(void) {
        Outcome o = settle(&l.programs[0]);

        for (unsigned i = 0; i < 2 && o == DONE; i++) {
                o = enter() == AGAIN ? settle(&l.programs[1 - i]) : STUCK;
                if (o == DONE && board_slot(&l.board) != 1 - i)
                        return STUCK;
        }
        memset(l.board.flash + board_slot_bytes(&l.board), 0, board_space(&l.board));
        return o;
}

/* With the record in its first or second page, by turns of the flow. */
static Outcome make_start(CutFlow flow) {
        Program *old = &l.programs[0], *new = &l.programs[1];
        RkdIdentity id;

        if (flow == FLOW_INSTALL)
                return DONE;
        if (flow == FLOW_ADOPT) {
                board_load(&l.board, old->bytes, old->n);
                return DONE;
        }
        if (flow == FLOW_UPGRADE)
                return l.setup.geometry.slots < 2 ? settle(old) : use_both_slots();
        if (flow == FLOW_STARTS)
                return settle(new);
        if (settle(old) != DONE || enter() != AGAIN)
                return STUCK;
        if (gateway_identify(&l.gateway, &id) != 0 || push(new, &id) != AGAIN)
                return STUCK;
        l.board.images[1].crashes = flow == FLOW_RESTORE;
        return DONE;
}

#if RKD_WITH_SIGNATURE
/* Whether header and signature came back out of the record as they went in. */
static int on_verify(void *user, bool again, uint8_t algorithm, const uint8_t *header,
                size_t n_header, const uint8_t *signature) {
        RkdHeader h;

        if (rkd_header_decode(&h, header, n_header) != 0 || signature[0] != 0x5a)
                board_violate(user, "a signature is asked for that nobody made");
        return 0;
}
#endif

int cuts_prepare(const CutSetup *setup) {
        l.setup = *setup;
        l.trouble = NULL;
        board_init_as(&l.board, &setup->geometry);
        board_take_patches(&l.board, setup->profile);
#if RKD_WITH_SIGNATURE
        if (setup->is_signed)
                l.board.platform.verify_signature = on_verify;
#endif
        if (make_programs(setup) < 0)
                return -1;
        l.board.fault = setup->fault;
        board_power_on(&l.board);
        if (make_start(setup->flow) != DONE || l.trouble || l.board.violations > 0)
                return -1;
        for (unsigned i = 0; i < 2; i++)
                l.pushes[i] = l.programs[i].pushes;
        board_copy(&l.start, &l.board);
        return 0;
}

static void try_every(bool thorough, bool fails, CutCount *count) {
        const unsigned few = fails ? 1 : _BOARD_CUT_MAX / 2;
        const unsigned n = thorough ? 2 * SEEDS * _BOARD_CUT_MAX : few;
        bool some = true;

        for (unsigned at = 1; some; at++) {
                some = false;
                for (unsigned i = 0; i < n; i++) {
                        const CutCase c = {
                                .at = { at },
                                .cut = { (BoardCut)((thorough ? i : at + 2 * i) % _BOARD_CUT_MAX) },
                                .seed = i,
                                .back = thorough ? i / _BOARD_CUT_MAX & 1 : (at / 2 + i) & 1,
                                .fails = fails,
                        };

                        some |= cuts_try(&c, count);
                }
        }
}

void cuts_every(bool thorough, CutCount *count) {
        try_every(thorough, false, count);
}

void cuts_every_failure(bool thorough, CutCount *count) {
        try_every(thorough, true, count);
}

/* Every operation of the recovery from this cut. */
static bool cut_again(CutCase *c, CutCount *count) {
        unsigned before = count->cases;

        c->at[1] = 0;
        do {
                c->at[1]++;
                c->cut[1] = (BoardCut)((c->at[0] + c->at[1] + c->seed) % _BOARD_CUT_MAX);
        } while (cuts_try(c, count));
        return count->cases > before;
}

void cuts_every_twice(bool thorough, CutCount *count) {
        bool some = true;

        for (unsigned at = 1; some; at++) {
                some = false;
                for (unsigned i = 0; i < (thorough ? _BOARD_CUT_MAX : 1); i++) {
                        CutCase c = {
                                .at = { at },
                                .cut = { (BoardCut)((at + i) % _BOARD_CUT_MAX) },
                                .seed = i,
                                .back = (at / 2 + i) & 1,
                        };

                        some |= cut_again(&c, count);
                }
        }
}

static uint32_t roll(uint32_t *dice) {
        *dice = *dice * 1664525u + 1013904223u;
        return *dice >> 8;
}

void cuts_sample(unsigned n, CutCount *count) {
        unsigned operations = cuts_count_operations();
        uint32_t dice = 1;

        for (unsigned i = 0; i < n && operations > 0; i++) {
                const CutCase c = {
                        .at = { 1 + roll(&dice) % operations,
                                        i & 1 ? 1 + roll(&dice) % operations : 0 },
                        .cut = { (BoardCut)(roll(&dice) % _BOARD_CUT_MAX),
                                        (BoardCut)(roll(&dice) % _BOARD_CUT_MAX) },
                        .seed = i,
                        .back = roll(&dice) & 1,
                };

                (void)cuts_try(&c, count);
        }
}

void cuts_sample_reads(unsigned n, CutCount *count) {
        uint32_t dice = 1, reads = l.start.reads;

        (void)cuts_count_operations();
        reads = l.board.reads - reads;
        for (unsigned i = 0; i < n && reads > 0; i++) {
                const CutCase c = {
                        .at = { 1 + roll(&dice) % reads }, .seed = i, .misreads = true
                };

                (void)cuts_try(&c, count);
        }
}

const char *cuts_flow_name(CutFlow flow) {
        return flows[flow];
}

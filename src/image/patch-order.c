/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order in which units are written. A unit that is overwritten is lost for those that would
 * still copy from it, so: who needs how many bytes of whom (greedy copies over masked texts), then
 * the order that loses least. Candidates are upwards, downwards, and one that is made: always the
 * unit that the others need least, then blocks are moved about while that helps. Units are
 * counted in groups where there are many. Of the best one, the units of which most is lost are
 * parked. */
#include "image/patch-order.h"

#define GROUPS_MAX    1024u
#define BREAK_COST    40 /* bytes, of a unit that does not follow its neighbour */
#define NEEDED_WEIGHT 16
#define BLOCK_MAX     12u
#define SWEEPS_MAX    12u
#define COPY_MIN      8u
#define COPY_GOOD     64u
#define MISSES_MAX    4u
#define CHAIN_MAX     128
#define CLOSE_ENOUGH  1000 /* bytes: up or down are taken if they lose so little more */
#define HASH_BITS     16u
#define PARKED_MIN    4u /* a part of the unit that is lost without parking it */

typedef struct Order {
        const Patch *e;
        unsigned shift; /* unit to group */
        uint32_t n;     /* groups that are written */
        uint32_t n_all;
        uint32_t *groups; /* the written ones, rising */
        int32_t *needs;   /* [a * n_all + b]: bytes that new a takes from old b */
} Order;

static int32_t *needs(const Order *o, uint32_t a, uint32_t b) {
        return o->needs + (size_t)a * o->n_all + b;
}

static bool follows(uint32_t a, uint32_t b) {
        return b == a + 1 || a == b + 1;
}

/* The cost of the break between two places of the list; none at its ends. */
static int32_t break_at(const uint32_t *list, uint32_t n, int64_t i, int64_t j) {
        if (i < 0 || j < 0 || i >= n || j >= n)
                return 0;
        return follows(list[i], list[j]) ? 0 : BREAK_COST;
}

/* Copies. */

typedef struct Copier {
        const uint8_t *old, *wanted;
        uint32_t n_old, n_wanted;
        int32_t *head, *next;
} Copier;

static uint32_t hash(const uint8_t *p) {
        uint64_t word;

        memcpy(&word, p, sizeof(word));
        return (uint32_t)(word * UINT64_C(0x9e3779b97f4a7c15) >> (64 - HASH_BITS));
}

/* Bytes alike from there on, over a few differences. */
static uint32_t alike(const Copier *c, uint32_t from, uint32_t at, unsigned most) {
        uint32_t n = 0;
        unsigned misses = 0;

        while (from + n < c->n_old && at + n < c->n_wanted && misses <= most) {
                misses = c->old[from + n] == c->wanted[at + n] ? 0 : misses + 1;
                n++;
        }
        return n - misses;
}

static uint32_t best_copy(const Copier *c, uint32_t at, uint32_t go_on, uint32_t *ret_from) {
        uint32_t best = go_on < c->n_old ? alike(c, go_on, at, MISSES_MAX - 1) : 0;
        int32_t p = c->head[hash(c->wanted + at)];
        bool goes_on = best >= COPY_MIN;

        *ret_from = go_on;
        best = goes_on ? best : 0;
        for (int i = 0; best < COPY_GOOD && p >= 0 && i < CHAIN_MAX; p = c->next[p], i++) {
                uint32_t n = alike(c, (uint32_t)p, at, 0);

                if (n < COPY_MIN || n <= best + (goes_on ? COPY_MIN : 0))
                        continue;
                best = n;
                *ret_from = (uint32_t)p;
        }
        return best;
}

static void count_copy(Order *o, uint32_t at, uint32_t from, uint32_t n) {
        unsigned shift = o->e->unit_shift + o->shift;

        for (uint32_t i = 0; i < n; i++) {
                uint32_t a = (at + i) >> shift, b = (from + i) >> shift;

                if (a != b)
                        ++*needs(o, a, b);
        }
}

static void count_copies(Order *o, const Copier *c) {
        uint32_t from = 0, n;

        for (uint32_t at = 0, moved = 0; at + COPY_MIN <= c->n_wanted;) {
                n = best_copy(c, at, at + moved, &from);
                if (n == 0) {
                        at++;
                        continue;
                }
                count_copy(o, at, from, n);
                moved = from - at;
                at += n;
        }
}

static int find_needs(Order *o) {
        const Patch *e = o->e;
        _cleanup_free_ uint8_t *old = patch_masked(e, e->flash.bytes, e->flash.length);
        _cleanup_free_ uint8_t *wanted = patch_masked(e, e->wanted, e->length);
        _cleanup_free_ int32_t *head = malloc(sizeof(int32_t) << HASH_BITS);
        _cleanup_free_ int32_t *next = malloc(sizeof(int32_t) * ((size_t)e->flash.length + 1));
        Copier c = { old, wanted, e->flash.length, e->length, head, next };

        if (!old || !wanted || !head || !next)
                return -ENOMEM;
        memset(head, 0xff, sizeof(int32_t) << HASH_BITS);
        for (uint32_t i = 0; i + COPY_MIN <= c.n_old; i++) {
                uint32_t slot = hash(old + i);

                next[i] = head[slot];
                head[slot] = (int32_t)i;
        }
        count_copies(o, &c);
        return 0;
}

/* Orders. */

static int64_t cost_of(const Order *o, const uint32_t *list) {
        int64_t cost = 0;

        for (uint32_t i = 0; i < o->n; i++) {
                for (uint32_t k = i + 1; k < o->n; k++)
                        cost += *needs(o, list[k], list[i]);
                cost += break_at(list, o->n, (int64_t)i - 1, i);
        }
        return cost;
}

/* Always the group that those still to come need least, a neighbour of the last one before
 * others. */
static void make_greedy(const Order *o, bool down, int64_t *needed, uint32_t *list) {
        uint32_t last = down ? o->groups[o->n - 1] + 1 : UINT32_MAX;

        for (uint32_t i = 0; i < o->n; i++) {
                needed[i] = 0;
                for (uint32_t k = 0; k < o->n; k++)
                        needed[i] += *needs(o, o->groups[k], o->groups[i]);
        }
        for (uint32_t k = 0; k < o->n; k++) {
                int64_t best_worth = INT64_MIN;
                uint32_t best = 0;

                for (uint32_t i = 0; i < o->n; i++) {
                        uint32_t group = o->groups[i];
                        int64_t worth = -needed[i] * NEEDED_WEIGHT;

                        if (needed[i] < 0)
                                continue; /* it is in the list already */
                        if (group + 1 == last)
                                worth += down ? 400 : 100;
                        if (group == last + 1)
                                worth += down ? 100 : 400;
                        worth += down ? (int64_t)group * 4 / o->n_all
                                      : -((int64_t)group * 4 / o->n_all);
                        if (worth > best_worth) {
                                best_worth = worth;
                                best = i;
                        }
                }
                needed[best] = -1;
                last = list[k] = o->groups[best];
                for (uint32_t i = 0; i < o->n; i++)
                        if (needed[i] >= 0)
                                needed[i] -= *needs(o, last, o->groups[i]);
        }
}

/* What moving the block [i, i + m) behind j (j > i), or before j (j < i), changes: the breaks. */
static int64_t change_of_breaks(const uint32_t *list, uint32_t n, int64_t i, int64_t m, int64_t j) {
        int64_t change = break_at(list, n, i - 1, i + m) - break_at(list, n, i - 1, i) -
                         break_at(list, n, i + m - 1, i + m);

        if (j > i)
                return change + break_at(list, n, j, i) + break_at(list, n, i + m - 1, j + 1) -
                       break_at(list, n, j, j + 1);
        return change + break_at(list, n, j - 1, i) + break_at(list, n, i + m - 1, j) -
               break_at(list, n, j - 1, j);
}

/* The best place for a block; -1: where it is. */
static int64_t find_move(const Order *o, const uint32_t *list, uint32_t i, uint32_t m) {
        int64_t best = 0, best_j = -1, lost = 0;

        for (uint32_t j = i + m; j < o->n; j++) {
                for (uint32_t k = i; k < i + m; k++)
                        lost += *needs(o, list[k], list[j]) - *needs(o, list[j], list[k]);
                if (lost + change_of_breaks(list, o->n, i, m, j) < best) {
                        best = lost + change_of_breaks(list, o->n, i, m, j);
                        best_j = j;
                }
        }
        lost = 0;
        for (uint32_t j = i; j-- > 0;) {
                for (uint32_t k = i; k < i + m; k++)
                        lost += *needs(o, list[j], list[k]) - *needs(o, list[k], list[j]);
                if (lost + change_of_breaks(list, o->n, i, m, j) < best) {
                        best = lost + change_of_breaks(list, o->n, i, m, j);
                        best_j = j;
                }
        }
        return best_j;
}

static void move_block(uint32_t *list, uint32_t i, uint32_t m, uint32_t j) {
        uint32_t block[BLOCK_MAX];

        memcpy(block, list + i, m * sizeof(*list));
        if (j > i) {
                memmove(list + i, list + i + m, (j - i - m + 1) * sizeof(*list));
                memcpy(list + j - m + 1, block, m * sizeof(*list));
        } else {
                memmove(list + j + m, list + j, (i - j) * sizeof(*list));
                memcpy(list + j, block, m * sizeof(*list));
        }
}

static void improve(const Order *o, uint32_t *list) {
        bool again = true;

        for (unsigned sweep = 0; again && sweep < SWEEPS_MAX; sweep++) {
                again = false;
                for (uint32_t m = 1; m <= BLOCK_MAX; m++)
                        for (uint32_t i = 0; i + m <= o->n; i++) {
                                int64_t j = find_move(o, list, i, m);

                                if (j < 0)
                                        continue;
                                move_block(list, i, m, (uint32_t)j);
                                again = true;
                        }
        }
}

/* Groups to units: those of a group stay together, in the direction in which it is left. */
static void expand(const Order *o, const uint32_t *list, const uint32_t *units, uint32_t n,
                uint32_t *out) {
        uint32_t k = 0;

        for (uint32_t i = 0; i < o->n; i++) {
                bool down = i + 1 < o->n ? list[i + 1] < list[i] : i > 0 && list[i] < list[i - 1];

                for (uint32_t j = 0; j < n; j++) {
                        uint32_t unit = units[down ? n - 1 - j : j];

                        if (unit >> o->shift == list[i])
                                out[k++] = unit;
                }
        }
}

static int find_groups(Order *o, const uint32_t *units, uint32_t n) {
        const Patch *e = o->e;

        while (e->flash.n_units >> o->shift >= GROUPS_MAX)
                o->shift++;
        o->n_all = (e->flash.n_units >> o->shift) + 1;
        o->groups = calloc(n, sizeof(*o->groups));
        o->needs = calloc((size_t)o->n_all * o->n_all, sizeof(*o->needs));
        if (!o->groups || !o->needs)
                return -ENOMEM;
        for (uint32_t i = 0; i < n; i++)
                if (o->n == 0 || o->groups[o->n - 1] != units[i] >> o->shift)
                        o->groups[o->n++] = units[i] >> o->shift;
        return 0;
}

static void fill_direction(const uint32_t *units, uint32_t n, bool down, uint32_t *out) {
        for (uint32_t i = 0; i < n; i++)
                out[i] = units[down ? n - 1 - i : i];
}

typedef struct Choice {
        int64_t costs[4]; /* up, down, made up, made down */
        uint32_t *lists[4];
} Choice;

static int make_lists(const Order *o, Choice *c) {
        _cleanup_free_ int64_t *needed = calloc(o->n, sizeof(*needed));

        if (!needed)
                return -ENOMEM;
        for (unsigned i = 0; i < ELEMENTSOF(c->lists); i++) {
                c->lists[i] = calloc(o->n, sizeof(uint32_t));
                if (!c->lists[i])
                        return -ENOMEM;
                if (i < 2)
                        fill_direction(o->groups, o->n, i == 1, c->lists[i]);
                else {
                        make_greedy(o, i == 3, needed, c->lists[i]);
                        improve(o, c->lists[i]);
                }
                c->costs[i] = cost_of(o, c->lists[i]);
        }
        return 0;
}

/* The better of up and down if it is close, and the best made one if that is better. */
static int choose(const Order *o, const Choice *c, const uint32_t *units, uint32_t n,
                PatchOrder *ret_orders) {
        unsigned plain = c->costs[1] < c->costs[0], made = c->costs[3] < c->costs[2] ? 3 : 2;
        int found = 0;

        if (c->costs[made] < c->costs[plain])
                expand(o, c->lists[made], units, n, ret_orders[found++].units);
        if (c->costs[plain] <= c->costs[made] + CLOSE_ENOUGH)
                fill_direction(units, n, plain == 1, ret_orders[found++].units);
        return found;
}

/* What is lost because of the place of i: what it finds destroyed, and what it destroys. */
static int64_t lost_by(const Order *o, const uint32_t *list, uint32_t i) {
        int64_t lost = 0;

        for (uint32_t k = 0; k < i; k++)
                lost += *needs(o, list[i], list[k]);
        for (uint32_t k = i + 1; k < o->n; k++)
                lost += *needs(o, list[k], list[i]);
        return lost;
}

static int compare_units(const void *a, const void *b) {
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return (x > y) - (x < y);
}

/* The place of the unit of which most is lost; -1: too little is. */
static int64_t find_loser(const Order *o, const int64_t *lost) {
        int64_t most = o->e->in->unit_size / PARKED_MIN, found = -1;

        for (uint32_t i = 0; i < o->n; i++)
                if (lost[i] > most) {
                        most = lost[i];
                        found = i;
                }
        return found;
}

/* The unit at i goes to the end of the list, and is no longer of the order. */
static void park_at(Order *o, uint32_t *list, int64_t *lost, uint32_t i) {
        uint32_t unit = list[i], behind = o->n - i - 1;

        for (uint32_t k = 0; k < o->n; k++)
                lost[k] -= k < i ? *needs(o, unit, list[k]) : *needs(o, list[k], unit);
        memmove(list + i, list + i + 1, behind * sizeof(*list));
        memmove(lost + i, lost + i + 1, behind * sizeof(*lost));
        list[--o->n] = unit;
}

/* Units are parked, one after the other, until hardly anything is lost. Returns how many; they are
 * the last of the list. */
static uint32_t choose_parked(Order *o, uint32_t *list, int64_t *lost, uint32_t most) {
        uint32_t n = o->n, before;
        int64_t i;

        do {
                before = o->n;
                for (uint32_t k = 0; k < o->n; k++)
                        lost[k] = lost_by(o, list, k);
                while (n - o->n < most && (i = find_loser(o, lost)) >= 0)
                        park_at(o, list, lost, (uint32_t)i);
                improve(o, list);
        } while (o->n < before);
        qsort(list + o->n, n - o->n, sizeof(*list), compare_units);
        return n - o->n;
}

/* The best order, with units parked. 0: none is worth it. */
static int make_parked(Order *o, const Choice *c, PatchOrder *ret) {
        const Patch *e = o->e;
        uint32_t n_free = (e->in->program_space >> e->unit_shift) - e->first_free;
        _cleanup_free_ int64_t *lost = calloc(o->n, sizeof(*lost));
        unsigned best = 0;

        if (!lost)
                return -ENOMEM;
        if (o->shift > 0 || e->erases_first)
                return 0;
        for (unsigned i = 1; i < ELEMENTSOF(c->costs); i++)
                if (c->costs[i] < c->costs[best])
                        best = i;
        memcpy(ret->units, c->lists[best], ret->n * sizeof(*ret->units));
        ret->n_parked = choose_parked(o, ret->units, lost, MIN(n_free, o->n / 2));
        return ret->n_parked > 0;
}

int patch_order(const Patch *e, const uint32_t *units, uint32_t n,
                PatchOrder ret_orders[PATCH_ORDERS]) {
        Order o = { .e = e };
        Choice c = { .lists = { NULL } };
        int r, parked;

        fill_direction(units, n, false, ret_orders[0].units);
        if (n <= 1 || e->flash.length < COPY_MIN)
                return 1;
        r = find_groups(&o, units, n);
        if (r >= 0)
                r = find_needs(&o);
        if (r >= 0)
                r = make_lists(&o, &c);
        if (r >= 0)
                r = choose(&o, &c, units, n, ret_orders);
        if (r >= 0) {
                parked = make_parked(&o, &c, ret_orders + r);
                r = parked < 0 ? parked : r + parked;
        }
        for (unsigned i = 0; i < ELEMENTSOF(c.lists); i++)
                free(c.lists[i]);
        free(o.groups);
        free(o.needs);
        return r;
}

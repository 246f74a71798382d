/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ports, and the scouts that ask who is there as long as nobody known answers at address 0.
 * A unit without a section of its own gets the id MODEL-SERIAL. */
#include "daemon/manager-port.h"

#include "basic/log.h"
#include "basic/names.h"
#include "daemon/bus.h"
#include "daemon/event.h"

#define SCOUT_MIN_USEC (USEC_PER_SEC)
#define SCOUT_MAX_USEC (15 * USEC_PER_SEC)
#define TOLD_MAX       40 /* lines about the state of a port … */
#define TOLD_USEC      (3600 * USEC_PER_SEC)

static void scout_later(ManagerPort *p, uint64_t usec);

ManagerPort *manager_find_port(Manager *m, const char *name) {
        for (size_t i = 0; i < m->n_ports; i++)
                if (streq(m->ports[i].config->name, name))
                        return &m->ports[i];
        return NULL;
}

static bool is_answered(const ManagerPort *p) {
        const Manager *m = p->manager;

        for (size_t i = 0; i < m->n_devices; i++)
                if (m->devices[i]->port == p && m->devices[i]->record->address == 0 &&
                                m->devices[i]->present)
                        return true;
        return false;
}

/* A configured device without Serial= takes whoever answers at its address: its own questions
 * find them. */
static bool is_claimed(const ManagerPort *p) {
        const Manager *m = p->manager;

        for (size_t i = 0; i < m->n_devices; i++)
                if (m->devices[i]->port == p && m->devices[i]->config &&
                                m->devices[i]->record->address == 0 &&
                                !m->devices[i]->config->serial)
                        return true;
        return false;
}

static bool may_scout(const ManagerPort *p) {
        return p->scout && p->port && p->config->discover && !is_answered(p) && !is_claimed(p);
}

static int id_of(const ManagerPort *p, const DriverIdentity *id,
                char ret[static NAME_MAX_LENGTH + 1]) {
        const ConfigDevice *c =
                        config_match_device(p->manager->config, p->config->name, 0, id->serial);
        int n;

        if (c)
                n = snprintf(ret, NAME_MAX_LENGTH + 1, "%s", c->name);
        else
                n = snprintf(ret, NAME_MAX_LENGTH + 1, "%s-%s", id->model, id->serial);
        return n > NAME_MAX_LENGTH || !name_is_valid(ret) ? -EINVAL : 0;
}

/* The unit that has been pinned to this device; it may bear the name of its section. */
static Device *find_pinned(Manager *m, const DriverIdentity *id) {
        for (size_t i = 0; i < m->n_devices; i++) {
                const Record *r = m->devices[i]->record;

                if (r->model[0] && streq(r->model, id->model) && streq(r->serial, id->serial))
                        return m->devices[i];
        }
        return NULL;
}

/* Two units cannot be one device. But it may just have been plugged in here, and its own port not
 * know yet: only when it has answered there since it answered here are there two. */
static bool is_elsewhere(Device *d, ManagerPort *p) {
        uint64_t before = p->rival == d ? p->rival_usec : 0;

        if (!d->port || d->port == p || !d->present) {
                p->rival = NULL;
                return false;
        }
        if (before > 0 && d->seen_usec > before)
                device_claimed_twice(d, p->config->name);
        p->rival = d;
        p->rival_usec = monotonic_usec();
        device_ask_soon(d, 0);
        return true;
}

static void on_other_port(Device *d, ManagerPort *p, const DriverResult *result) {
        if (is_elsewhere(d, p))
                return;
        d->port = p;
        if (device_heard(d, result))
                device_ask_soon(d, 0);
}

/* Told once, and shown as the problem of the port as long as it is there. */
static void set_refused(ManagerPort *p, const Why *w) {
        if (streq(p->refused.text, w->text))
                return;
        p->refused = *w;
        if (w->text[0])
                log_warning("port %s: %s", p->config->name, w->text);
        if (p->manager->bus)
                bus_manager_changed(p->manager->bus);
}

/* False: nothing can be done with this unit. */
static bool met(ManagerPort *p, const DriverResult *result) {
        const DriverIdentity *identity = &result->identity;
        Manager *m = p->manager;
        char id[NAME_MAX_LENGTH + 1];
        Why w = {};
        Device *d;
        int r;

        if (id_of(p, identity, id) < 0) {
                (void)why(&w, 0,
                                "a unit that calls itself \"%s\", serial \"%s\", is refused: no valid id can be "
                                "made of that; give it a [Device NAME] section",
                                identity->model, identity->serial);
                set_refused(p, &w);
                return false;
        }
        d = find_pinned(m, identity);
        if (d && d->config && !streq(d->config->port, p->config->name)) {
                if (!is_elsewhere(d, p))
                        (void)why(&w, 0, "%s answers here, but its section says Port=%s",
                                        device_id(d), d->config->port);
                set_refused(p, &w);
                return false;
        }
        d = manager_find_device(m, id);
        if (!d) {
                r = manager_add_device(m, id, NULL, &d);
                if (r < 0) {
                        (void)why(&w, 0, "%s cannot be taken up: %s", id,
                                        r == -E2BIG ? "there are as many devices as can be"
                                                    : strerror(-r));
                        set_refused(p, &w);
                        return false;
                }
        }
        set_refused(p, &w);
        on_other_port(d, p, result);
        return true;
}

static void on_scouted(Exchange *x, const DriverResult *result, void *userdata) {
        ManagerPort *p = userdata;

        p->scouting = NULL;
        if (result->has_identity && result->code == DRIVER_OK && met(p, result))
                p->scout_pause_usec = SCOUT_MIN_USEC;
        else
                p->scout_pause_usec =
                                CLAMP(p->scout_pause_usec * 2, SCOUT_MIN_USEC, SCOUT_MAX_USEC);
        if (!result->has_identity) {
                set_refused(p, &(const Why){});
                p->rival = NULL;
        }
        if (may_scout(p))
                scout_later(p, p->scout_pause_usec);
}

static int on_scout_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        ManagerPort *p = userdata;
        const ExchangeFuncs funcs = { NULL, on_scouted, p };
        DriverRequest request = {
                .op = DRIVER_IDENTIFY,
                .baud = (uint32_t)p->config->baud,
                .program_baud = (uint32_t)p->config->program_baud,
                .half_duplex = p->config->half_duplex,
                .turnaround_usec = (uint32_t)p->config->turnaround_usec,
        };

        p->scout_timer = sd_event_source_disable_unref(p->scout_timer);
        if (!may_scout(p) || p->scouting || port_state(p->port) != PORT_OPEN)
                return 0;
        if (port_submit(p->port, PORT_STATUS, p->scout, &request, &funcs, &p->scouting) < 0)
                log_warning("port %s cannot be asked", p->config->name);
        return 0;
}

static void scout_later(ManagerPort *p, uint64_t usec) {
        p->scout_timer = sd_event_source_disable_unref(p->scout_timer);
        if (sd_event_add_time_relative(p->manager->event, &p->scout_timer, CLOCK_MONOTONIC, usec,
                            usec / 10, on_scout_timer, p) < 0)
                manager_fatal(p->manager, -ENOMEM, "a timer could not be set");
}

void manager_port_idle(ManagerPort *p) {
        if (!p || !may_scout(p) || p->scouting)
                return;
        p->scout_pause_usec = SCOUT_MIN_USEC;
        scout_later(p, 0);
}

void manager_port_met(ManagerPort *p) {
        if (!p || !p->wanted)
                return;
        p->wanted = false;
        port_unwant(p->port);
}

static void ask_everybody(ManagerPort *p) {
        Manager *m = p->manager;

        for (size_t i = 0; i < m->n_devices; i++)
                if (m->devices[i]->port == p) {
                        m->devices[i]->silent = 0;
                        device_ask_soon(m->devices[i], 0);
                }
        manager_port_idle(p);
}

static void lose_everybody(ManagerPort *p) {
        Manager *m = p->manager;

        for (size_t i = 0; i < m->n_devices; i++)
                if (m->devices[i]->port == p)
                        device_lost(m->devices[i]);
}

/* Not more of a line that comes and goes than one wants to read. */
static void log_state(ManagerPort *p, PortState state) {
        unsigned n = share_count(&p->told, TOLD_USEC, monotonic_usec());

        if (n == TOLD_MAX + 1)
                log_warning("port %s comes and goes; no more is told of that for an hour",
                                p->config->name);
        if (n > TOLD_MAX)
                return;
        if (state == PORT_FAILED)
                log_warning("port %s: %s", p->config->name, port_problem(p->port));
        else
                log_info("port %s is %s", p->config->name, port_state_to_string(state));
}

static void on_port_state(Port *port, void *userdata) {
        ManagerPort *p = userdata;
        Manager *m = p->manager;
        PortState state = port_state(port);

        log_state(p, state);
        if (m->bus) {
                if ((state == PORT_WANTED) != p->announced) {
                        p->announced = state == PORT_WANTED;
                        if (state == PORT_WANTED)
                                bus_port_wanted(m->bus, p->config->name, true);
                }
                if (state == PORT_CLOSED)
                        bus_port_wanted(m->bus, p->config->name, false);
                bus_manager_changed(m->bus);
        }
        if (state == PORT_OPEN)
                ask_everybody(p);
        else if (state == PORT_FAILED)
                lose_everybody(p);
}

static void on_port_hello(Port *port, bool bootloader, void *userdata) {
        ask_everybody(userdata);
}

static int open_port(Manager *m, ManagerPort *p, const ConfigPort *c) {
        const PortConfig config = {
                .name = c->name,
                .path = c->path,
                .mode = c->mode,
                .baud = (uint32_t)c->baud,
                .half_duplex = c->half_duplex,
                .rtscts = c->rtscts,
                .turnaround_usec = (uint32_t)c->turnaround_usec,
        };
        const PortEvents events = { on_port_state, on_port_hello, p };
        Why w;
        int r;

        p->manager = m;
        p->config = c;
        p->scout_pause_usec = SCOUT_MIN_USEC;
        r = driver_new("native", &p->scout);
        if (r < 0)
                return r;
        r = port_new(m->event, &config, &events, &m->planner, &p->port, &w);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                log_warning("port %s: %s", c->name, w.text);
                return free_and_strdup(&p->problem, w.text);
        }
        return 0;
}

static void attach(Device *d, ManagerPort *p) {
        d->port = p;
        if (p->port && port_state(p->port) == PORT_OPEN)
                device_ask_soon(d, 0);
}

static void attach_devices(Manager *m) {
        for (size_t i = 0; i < m->n_devices; i++) {
                Device *d = m->devices[i];
                const char *name = d->config ? d->config->port : d->record->port;
                ManagerPort *p = name ? manager_find_port(m, name) : NULL;

                if (p)
                        attach(d, p);
        }
}

/* An on-demand line behind which nobody was met yet is wanted once. */
static void first_contact(ManagerPort *p) {
        if (!p->port || port_mode(p->port) != PORT_ON_DEMAND)
                return;
        for (size_t i = 0; i < p->manager->n_devices; i++) {
                const Device *d = p->manager->devices[i];

                if (d->port == p && d->record->model[0])
                        return;
        }
        p->wanted = true;
        port_want(p->port);
}

int manager_open_ports(Manager *m) {
        int r;

        m->ports = new0(ManagerPort, m->config->n_ports + 1);
        if (!m->ports)
                return -ENOMEM;
        for (size_t i = 0; i < m->config->n_ports; i++) {
                m->n_ports = i + 1;
                r = open_port(m, &m->ports[i], &m->config->ports[i]);
                if (r < 0)
                        return r;
        }
        attach_devices(m);
        for (size_t i = 0; i < m->n_ports; i++) {
                first_contact(&m->ports[i]);
                manager_port_idle(&m->ports[i]);
        }
        return 0;
}

void manager_close_ports(Manager *m) {
        for (size_t i = 0; i < m->n_ports; i++) {
                ManagerPort *p = &m->ports[i];

                p->scouting = exchange_cancel(p->scouting);
                sd_event_source_disable_unref(p->scout_timer);
                port_free(p->port);
                driver_free(p->scout);
                free(p->problem);
        }
        free(m->ports);
        m->ports = NULL;
        m->n_ports = 0;
}

Outcome manager_release_port(Manager *m, const char *name, Why *w) {
        ManagerPort *p = manager_find_port(m, name);
        int r;

        if (!p) {
                (void)why(w, 0, "there is no port %s", name);
                return OUTCOME_UNKNOWN_PORT;
        }
        if (!p->port) {
                (void)why(w, 0, "port %s cannot be used: %s", name, p->problem);
                return OUTCOME_PORT_FAILED;
        }
        r = port_hand_over(p->port, w);
        switch (r) {
        case -EBUSY:
                return OUTCOME_PORT_HELD;
        case -EALREADY:
                return OUTCOME_NOT_RUNNING;
        default:
                return r < 0 ? OUTCOME_PORT_FAILED : OUTCOME_DONE;
        }
}

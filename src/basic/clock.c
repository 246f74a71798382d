/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clock: the system's clocks, and RFC 3339 text without the C library's time zones. Days are
 * counted in the proleptic Gregorian calendar, with years that begin in March so that the leap
 * day comes last. */
#include <sys/timex.h>

#include "clock.h"

#define SECONDS_PER_DAY 86400
#define DAYS_PER_ERA    146097                /* 400 years */
#define DAYS_TO_EPOCH   719468                /* from 0000-03-01 to 1970-01-01 */
#define LAST_SECOND     INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

static int64_t system_realtime(void *userdata) {
        return (int64_t)time(NULL);
}

static bool system_is_synchronised(void *userdata) {
        struct timex t = { .modes = 0 };

        return adjtimex(&t) >= 0 && !(t.status & STA_UNSYNC);
}

static int64_t days_from_date(int year, int month, int day) {
        int64_t y = month > 2 ? year : year - 1;
        int64_t era = y / 400, year_of_era = y % 400;
        int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
        int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

        return era * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH;
}

static void date_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day) {
        int64_t z = days + DAYS_TO_EPOCH, era = z / DAYS_PER_ERA, doe = z % DAYS_PER_ERA;
        int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
        int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        int64_t m = (5 * doy + 2) / 153;

        *ret_day = (int)(doy - (153 * m + 2) / 5 + 1);
        *ret_month = (int)(m < 10 ? m + 3 : m - 9);
        *ret_year = (int)(era * 400 + yoe + (*ret_month <= 2));
}

/* n digits at s as a number; the caller has checked that they are digits. */
static int number_at(const char *s, int n) {
        int v = 0;

        for (int i = 0; i < n; i++)
                v = v * 10 + (s[i] - '0');
        return v;
}

static bool date_is_real(int year, int month, int day) {
        static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        return year >= 1970 && month >= 1 && month <= 12 && day >= 1 &&
               day <= days[month - 1] + (month == 2 && leap);
}

uint64_t monotonic_usec(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000;
}

void rfc3339_format(int64_t seconds, char ret[static RFC3339_MAX]) {
        int64_t s = CLAMP(seconds, 0, LAST_SECOND);
        int year, month, day, rest = (int)(s % SECONDS_PER_DAY);

        date_from_days(s / SECONDS_PER_DAY, &year, &month, &day);
        (void)snprintf(ret, RFC3339_MAX, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)year % 10000,
                        (unsigned)month % 100, (unsigned)day % 100, (unsigned)rest / 3600,
                        (unsigned)rest / 60 % 60, (unsigned)rest % 60);
}

int rfc3339_parse(const char *s, int64_t *ret_seconds) {
        static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
        int year, month, day, hour, minute, second;

        for (size_t i = 0; i < sizeof(form); i++)
                if (form[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
                        return -EINVAL;
        year = number_at(s, 4);
        month = number_at(s + 5, 2);
        day = number_at(s + 8, 2);
        hour = number_at(s + 11, 2);
        minute = number_at(s + 14, 2);
        second = number_at(s + 17, 2);
        if (!date_is_real(year, month, day) || hour > 23 || minute > 59 || second > 59)
                return -EINVAL;
        *ret_seconds = days_from_date(year, month, day) * SECONDS_PER_DAY + hour * 3600 +
                       minute * 60 + second;
        return 0;
}

const Clock clock_system = {
        .realtime = system_realtime,
        .is_synchronised = system_is_synchronised,
};

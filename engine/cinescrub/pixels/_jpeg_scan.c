/* See _jpeg_scan.h. Three steps: cut the data into restart intervals; walk those that hold covered
 * units, noting where each run of them starts and ends; write, copying all other bits.
 *
 * Memory: the data once without byte stuffing, a record a run, and the output; all are bounded by
 * the size of the input and the number of units. No read leaves the copy: a block that starts
 * within it ends within PADDING behind it, and is refused before the next one starts. */

#include "_jpeg_scan.h"

#include "_jpeg_codes.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    size_t start, stop; /* in the scan's data, or in its unstuffed copy where it has runs */
    size_t next;        /* end of the restart marker, in the scan's data */
    size_t first, last; /* runs */
    uint64_t end;       /* bit behind the last block, from `start`; where it has runs */
} interval;

/* A run of covered units. Bit positions count from the start of the interval. */
typedef struct {
    uint64_t start, stop;
    size_t units;
    int follows;                         /* a kept unit in the same interval */
    int64_t before[JPEG_MAX_COMPONENTS]; /* DC levels in front of the run */
    int64_t after[JPEG_MAX_COMPONENTS];  /* DC levels of the next kept unit */
    uint64_t at[JPEG_MAX_COMPONENTS];    /* where those are coded */
    uint8_t bits[JPEG_MAX_COMPONENTS];   /* in how many bits */
} run;

typedef struct {
    const jpeg_scan *scan;
    codes *tables; /* what the next two point into */
    const codes *dc[JPEG_MAX_COMPONENTS], *ac[JPEG_MAX_COMPONENTS];
    int slots; /* blocks in a unit */
    int slot[JPEG_MAX_BLOCKS];
    int first[JPEG_MAX_COMPONENTS]; /* slot of a component's first block */
    interval *intervals;
    size_t n_intervals;
    run *runs;
    size_t n_runs;
    uint8_t *plain; /* unstuffed */
} work;

/* ---- bits out ---- */

typedef struct {
    uint8_t *to;
    uint64_t pending; /* its low `count` bits are not written yet */
    int count;        /* below 32 between calls */
} writer;

static inline void put_byte(writer *w, uint8_t byte) {
    *w->to++ = byte;
    if (byte == 0xFF) {
        *w->to++ = 0; /* byte stuffing: T.81 B.1.1.5 */
    }
}

static inline void put(writer *w, uint32_t value, int bits) { /* at most 32 */
    w->pending = w->pending << bits | value;
    w->count += bits;
    if (w->count < 32) {
        return;
    }
    w->count -= 32;
    uint32_t four = (uint32_t)(w->pending >> w->count);
    if (four & ~(four + 0x01010101u) & 0x80808080u) { /* may hold 0xFF */
        for (int shift = 24; shift >= 0; shift -= 8) {
            put_byte(w, (uint8_t)(four >> shift));
        }
        return;
    }
    w->to[0] = (uint8_t)(four >> 24);
    w->to[1] = (uint8_t)(four >> 16);
    w->to[2] = (uint8_t)(four >> 8);
    w->to[3] = (uint8_t)four;
    w->to += 4;
}

static void put_range(writer *w, const uint8_t *data, uint64_t start, uint64_t stop) {
    for (; stop - start >= 32; start += 32) {
        put(w, (uint32_t)(peek(data, start) >> 32), 32);
    }
    int rest = (int)(stop - start);
    if (rest) {
        put(w, (uint32_t)(peek(data, start) >> (64 - rest)), rest);
    }
}

/* Pad the last byte with ones (T.81 F.1.2.3). */
static void put_end(writer *w) {
    int rest = (8 - w->count % 8) % 8;
    put(w, (1u << rest) - 1, rest);
    while (w->count) {
        w->count -= 8;
        put_byte(w, (uint8_t)(w->pending >> w->count));
    }
}

/* ---- step 1: restart intervals ---- */

/* Cut the data at restart markers. 0xFF in coded data is followed by 0 (T.81 B.1.1.5); in front of
 * either there may be more of it (B.1.1.2). */
static jpeg_status cut(work *w) {
    const uint8_t *data = w->scan->data, *p = data, *end = data + w->scan->size;
    size_t n = 0, start = 0;
    while (p < end && (p = memchr(p, 0xFF, (size_t)(end - p))) != NULL) {
        const uint8_t *mark = p;
        while (p < end && *p == 0xFF) {
            p++;
        }
        if (p == end) {
            break;
        }
        uint8_t code = *p++;
        if (code == 0) {
            continue;
        }
        if (code < 0xD0 || code > 0xD7) {
            return JPEG_ENTROPY;
        }
        if (n + 1 >= w->n_intervals) {
            return JPEG_INTERVALS;
        }
        if ((code & 7) != n % 8) {
            return JPEG_ORDER;
        }
        w->intervals[n].start = start;
        w->intervals[n].stop = (size_t)(mark - data);
        w->intervals[n].next = start = (size_t)(p - data);
        n++;
    }
    if (n + 1 != w->n_intervals) {
        return JPEG_INTERVALS;
    }
    w->intervals[n].start = start;
    w->intervals[n].stop = w->intervals[n].next = w->scan->size;
    return JPEG_OK;
}

/* Copy an interval without byte stuffing; return the end of the copy. */
static uint8_t *unstuff(uint8_t *to, const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        const uint8_t *mark = memchr(p, 0xFF, (size_t)(end - p));
        size_t plain = (size_t)((mark ? mark : end) - p);
        memcpy(to, p, plain);
        to += plain;
        if (!mark) {
            break;
        }
        for (p = mark; p < end && *p == 0xFF; p++) {
        }
        if (p < end) { /* the zero */
            *to++ = 0xFF;
            p++;
        }
    }
    return to;
}

/* ---- step 2: walk ---- */

/* Find the runs of covered units of an interval, and the DC levels around them. */
static jpeg_status walk(work *w, interval *part, const uint8_t *covered, size_t units) {
    const uint8_t *data = w->plain + part->start;
    uint64_t end = (uint64_t)(part->stop - part->start) * 8, at = 0;
    int64_t level[JPEG_MAX_COMPONENTS] = {0};
    run *open = NULL; /* the last run, until the unit behind it is known */
    for (size_t unit = 0; unit < units; unit++) {
        int hit = covered[unit] != 0;
        if (hit && !(open && !open->follows)) {
            open = &w->runs[w->n_runs++];
            memset(open, 0, sizeof *open);
            open->start = at;
            memcpy(open->before, level, sizeof level);
        }
        int leaves = !hit && open && !open->follows;
        if (leaves) {
            open->follows = 1;
            open->stop = at;
        }
        for (int s = 0; s < w->slots; s++) {
            int i = w->slot[s];
            uint64_t window = peek(data, at);
            int64_t difference = 0;
            int bits = read_difference(w->dc[i], window, &difference);
            level[i] += difference;
            if (leaves && s == w->first[i]) {
                open->after[i] = level[i];
                open->at[i] = at;
                open->bits[i] = (uint8_t)bits;
            }
            at += (uint64_t)bits;
            uint64_t next =
                bits ? skip_block(w->ac[i], data, at, window << bits, WHOLE - bits) : 0;
            if (!next || next > end) {
                return JPEG_ENTROPY;
            }
            at = next;
        }
        if (hit) {
            open->units++;
            open->stop = at;
        }
    }
    part->end = at;
    return JPEG_OK;
}

static jpeg_status walk_all(work *w) {
    const jpeg_scan *scan = w->scan;
    size_t size = scan->restart ? scan->restart : scan->units;
    uint8_t *to = w->plain;
    for (size_t k = 0; k < w->n_intervals; k++) {
        interval *part = &w->intervals[k];
        size_t first = k * size;
        size_t units = scan->units - first < size ? scan->units - first : size;
        const uint8_t *covered = scan->covered + first;
        part->first = part->last = w->n_runs;
        int hit = 0;
        for (size_t i = 0; i < units && !hit; i++) {
            hit = covered[i] != 0;
        }
        if (!hit) {
            continue;
        }
        uint8_t *from = to;
        to = unstuff(to, scan->data + part->start, scan->data + part->stop);
        part->start = (size_t)(from - w->plain);
        part->stop = (size_t)(to - w->plain);
        jpeg_status status = walk(w, part, covered, units);
        if (status != JPEG_OK) {
            return status;
        }
        part->last = w->n_runs;
    }
    return JPEG_OK;
}

/* ---- step 3: write ---- */

static int category(int64_t difference) {
    uint64_t size = (uint64_t)(difference < 0 ? -difference : difference);
    int bits = 0;
    for (; size; size >>= 1) {
        bits++;
    }
    return bits;
}

/* Collect the DC categories that the fill needs. */
static jpeg_status prepare(const work *w, uint32_t *needs) {
    int missing = 0;
    for (int i = 0; i < w->scan->count; i++) {
        int64_t fill = w->scan->component[i].level;
        needs[i] = 1;
        for (size_t r = 0; r < w->n_runs; r++) {
            int enter = category(fill - w->runs[r].before[i]);
            int leave = w->runs[r].follows ? category(w->runs[r].after[i] - fill) : 0;
            if (enter > MAX_CATEGORY || leave > MAX_CATEGORY) {
                return JPEG_RANGE;
            }
            needs[i] |= 1u << enter | 1u << leave;
        }
        for (int size = 0; size <= MAX_CATEGORY; size++) {
            missing |= (needs[i] >> size & 1) && !w->dc[i]->length[size];
        }
        missing |= !w->ac[i]->length[0];
    }
    return missing ? JPEG_MISSING : JPEG_OK;
}

static void put_difference(writer *out, const codes *c, int64_t difference) {
    int size = category(difference);
    put(out, c->code[size], c->length[size]);
    if (size) { /* T.81 F.1.2.1 */
        int64_t value = difference < 0 ? difference + (1 << size) - 1 : difference;
        put(out, (uint32_t)value, size);
    }
}

static void put_run(writer *out, const work *w, const run *r) {
    for (size_t unit = 0; unit < r->units; unit++) {
        for (int s = 0; s < w->slots; s++) {
            int i = w->slot[s];
            int enters = !unit && s == w->first[i];
            put_difference(out, w->dc[i], enters ? w->scan->component[i].level - r->before[i] : 0);
            put(out, w->ac[i]->code[0], w->ac[i]->length[0]);
        }
    }
}

static void put_interval(writer *out, const work *w, const interval *part) {
    const uint8_t *data = w->plain + part->start;
    uint64_t cursor = 0;
    for (size_t n = part->first; n < part->last; n++) {
        const run *r = &w->runs[n];
        put_range(out, data, cursor, r->start);
        put_run(out, w, r);
        cursor = r->stop;
        for (int i = 0; r->follows && i < w->scan->count; i++) {
            put_range(out, data, cursor, r->at[i]);
            put_difference(out, w->dc[i], r->after[i] - w->scan->component[i].level);
            cursor = r->at[i] + r->bits[i];
        }
    }
    put_range(out, data, cursor, part->end);
    put_end(out);
}

static jpeg_status write_all(const work *w, jpeg_result *result) {
    const jpeg_scan *scan = w->scan;
    size_t units = 0;
    for (size_t r = 0; r < w->n_runs; r++) {
        units += w->runs[r].units;
    }
    /* Two codes of at most 4 bytes a covered block, two differences a run and component, a byte
     * and a marker an interval; stuffing at most doubles. */
    size_t bound = scan->size + units * (size_t)w->slots * 4 +
                   w->n_runs * (size_t)scan->count * 8 + w->n_intervals + 16;
    uint8_t *out = malloc(2 * bound);
    if (!out) {
        return JPEG_MEMORY;
    }
    writer to = {out, 0, 0};
    size_t start = 0; /* of the interval, in the scan's data */
    for (size_t k = 0; k < w->n_intervals; k++) {
        const interval *part = &w->intervals[k];
        size_t marker = k + 1 < w->n_intervals ? 2 : 0;
        if (part->first < part->last) {
            put_interval(&to, w, part);
            to.pending = 0;
        } else {
            size_t size = part->next - start - marker;
            memcpy(to.to, scan->data + start, size);
            to.to += size;
        }
        memcpy(to.to, scan->data + part->next - marker, marker);
        to.to += marker;
        start = part->next;
    }
    result->data = out;
    result->size = (size_t)(to.to - out);
    return JPEG_OK;
}

/* ---- the whole ---- */

size_t jpeg_scan_end(const uint8_t *data, size_t size, size_t from) {
    const uint8_t *p = data + from, *last = data + size - 1;
    while (p < last && (p = memchr(p, 0xFF, (size_t)(last - p))) != NULL) {
        uint8_t code = p[1];
        if (code != 0 && code != 0xFF && (code < 0xD0 || code > 0xD7)) {
            return (size_t)(p - data);
        }
        p += code == 0xFF ? 1 : 2;
    }
    return size;
}

static jpeg_status read_layout(work *w) {
    const jpeg_scan *scan = w->scan;
    if (scan->count < 1 || scan->count > JPEG_MAX_COMPONENTS || !scan->units) {
        return JPEG_ARGUMENT;
    }
    for (int i = 0; i < scan->count; i++) {
        const jpeg_component *c = &scan->component[i];
        if (c->blocks < 1 || w->slots + c->blocks > JPEG_MAX_BLOCKS || c->level > INT32_MAX ||
            c->level < INT32_MIN) {
            return JPEG_ARGUMENT;
        }
        w->first[i] = w->slots;
        for (int b = 0; b < c->blocks; b++) {
            w->slot[w->slots++] = i;
        }
    }
    return JPEG_OK;
}

static int same_table(const jpeg_table *one, const jpeg_table *other) {
    return one->size == other->size && !memcmp(one->counts, other->counts, 16) &&
           !memcmp(one->symbols, other->symbols, one->size);
}

/* Read the tables; components mostly share them. */
static jpeg_status read_tables(work *w) {
    const jpeg_component *component = w->scan->component;
    for (int i = 0; i < w->scan->count; i++) {
        codes *dc = &w->tables[2 * i], *ac = dc + 1;
        for (int k = 0; k < i; k++) {
            w->dc[i] = same_table(&component[i].dc, &component[k].dc) ? w->dc[k] : w->dc[i];
            w->ac[i] = same_table(&component[i].ac, &component[k].ac) ? w->ac[k] : w->ac[i];
        }
        if ((!w->dc[i] && !read_dc(dc, &component[i].dc)) ||
            (!w->ac[i] && !read_ac(ac, &component[i].ac))) {
            return JPEG_ARGUMENT;
        }
        w->dc[i] = w->dc[i] ? w->dc[i] : dc;
        w->ac[i] = w->ac[i] ? w->ac[i] : ac;
    }
    return JPEG_OK;
}

static jpeg_status allocate(work *w) {
    const jpeg_scan *scan = w->scan;
    size_t size = scan->restart ? scan->restart : scan->units;
    w->n_intervals = (scan->units - 1) / size + 1;
    if (w->n_intervals > scan->size / 2 + 1) {
        return JPEG_INTERVALS; /* a marker between two has two bytes */
    }
    size_t runs = 0;
    for (size_t i = 0; i < scan->units; i++) {
        runs += scan->covered[i] && (i % size == 0 || !scan->covered[i - 1]);
    }
    w->tables = malloc(2 * (size_t)scan->count * sizeof *w->tables);
    w->intervals = calloc(w->n_intervals, sizeof *w->intervals);
    w->runs = malloc((runs + 1) * sizeof *w->runs);
    w->plain = malloc(scan->size + PADDING);
    if (!w->tables || !w->intervals || !w->runs || !w->plain) {
        return JPEG_MEMORY;
    }
    /* Defined whatever is read behind the end, so that the result of a damaged scan is, too. */
    memset(w->plain, 0, scan->size + PADDING);
    return JPEG_OK;
}

static jpeg_status rewrite(work *w, jpeg_result *result) {
    jpeg_status status;
    if ((status = read_layout(w)) != JPEG_OK || (status = allocate(w)) != JPEG_OK ||
        (status = cut(w)) != JPEG_OK || (status = read_tables(w)) != JPEG_OK ||
        (status = walk_all(w)) != JPEG_OK || (status = prepare(w, result->needs)) != JPEG_OK) {
        return status;
    }
    return write_all(w, result);
}

jpeg_status jpeg_rewrite(const jpeg_scan *scan, jpeg_result *result) {
    work w = {.scan = scan};
    memset(result, 0, sizeof *result);
    jpeg_status status = rewrite(&w, result);
    free(w.tables);
    free(w.intervals);
    free(w.runs);
    free(w.plain);
    return status;
}

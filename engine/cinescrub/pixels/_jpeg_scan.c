/* See _jpeg_scan.h. Three steps: cut the data into restart intervals; walk those that hold covered
 * units, noting where each run of them starts and ends; write, copying all other bits.
 *
 * Memory: the data once without byte stuffing, a record a run, and the output; all are bounded by
 * the size of the input and the number of units. No read leaves the copy: a block that starts
 * within it ends within PADDING behind it, and is refused before the next one starts. */

#include "_jpeg_scan.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOOK = 10,         /* bits that a look-up resolves at once */
    WHOLE = 57,        /* bits that peek() promises */
    LONGEST = 31,      /* a code of 16 bits and a value of 15 */
    MAX_CATEGORY = 15, /* of a DC difference: T.81 table F.6, 12-bit samples */
    PADDING = 512,     /* over 64 x LONGEST bits and a peek */
    ENDS_BLOCK = 128,  /* added to the advance by EOB */
    ZRL = 0xF0,
};

/* What a window of LOOK bits says: bits of the codes in it with their values, and the coefficients
 * they move on. Zero bits: the first code is longer than the window, or there is none. */
typedef struct {
    uint8_t bits, advance;
} step;

typedef struct {
    const jpeg_table *table;
    uint32_t limit[17];   /* of a length: end of its codes, as 16-bit windows */
    int32_t offset[17];   /* of a length: index of a code's symbol less the code */
    uint16_t code[256];   /* of a symbol */
    uint8_t length[256];  /* of a symbol's code; 0: it has none */
    step look[1 << LOOK]; /* DC: {length, category} of one code; AC: as many as fit */
} codes;

typedef struct {
    size_t start, stop; /* in the scan's data, or in its unstuffed copy where `walked` */
    size_t next;        /* end of the restart marker, in the scan's data */
    size_t first, last; /* runs */
    uint64_t end;       /* walked: bit behind the last block, from `start` */
    int walked;
} interval;

/* A run of covered units. Bit positions count from the start of the interval. */
typedef struct {
    uint64_t start, stop;
    size_t units;
    int follows;                          /* a kept unit in the same interval */
    int64_t before[JPEG_MAX_COMPONENTS];  /* DC levels in front of the run */
    int64_t after[JPEG_MAX_COMPONENTS];   /* DC levels of the next kept unit */
    uint64_t at[JPEG_MAX_COMPONENTS];     /* where those are coded */
    uint8_t bits[JPEG_MAX_COMPONENTS];    /* in how many bits */
} run;

typedef struct {
    const jpeg_scan *scan;
    codes *dc, *ac; /* for each component */
    int slots;      /* blocks in a unit */
    int slot[JPEG_MAX_BLOCKS];
    int first[JPEG_MAX_COMPONENTS]; /* slot of a component's first block */
    interval *intervals;
    size_t n_intervals;
    run *runs;
    size_t n_runs;
    uint8_t *plain; /* unstuffed */
    size_t n_plain;
    int64_t sum[JPEG_MAX_COMPONENTS], kept[JPEG_MAX_COMPONENTS]; /* DC levels that stay */
    int64_t fill[JPEG_MAX_COMPONENTS];
} work;

/* ---- bits ---- */

static inline uint64_t load64(const uint8_t *p) {
    return (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 | (uint64_t)p[2] << 40 |
           (uint64_t)p[3] << 32 | (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 |
           (uint64_t)p[6] << 8 | (uint64_t)p[7];
}

/* The bits from a position on, left-aligned; WHOLE of them are valid. */
static inline uint64_t peek(const uint8_t *data, uint64_t at) {
    return load64(data + (at >> 3)) << (at & 7);
}

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

/* ---- tables ---- */

/* Assign the canonical codes (T.81 annex C); false where they don't fit. */
static int read_table(codes *c, const jpeg_table *table) {
    memset(c, 0, sizeof *c);
    c->table = table;
    uint32_t code = 0;
    size_t index = 0;
    for (int length = 1; length <= 16; length++) {
        uint32_t count = table->counts[length - 1];
        if (code + count > 1u << length || index + count > table->size) {
            return 0;
        }
        c->offset[length] = (int32_t)index - (int32_t)code;
        for (uint32_t i = 0; i < count; i++, code++, index++) {
            uint8_t symbol = table->symbols[index];
            if (!c->length[symbol]) {
                c->code[symbol] = (uint16_t)code;
                c->length[symbol] = (uint8_t)length;
            }
        }
        c->limit[length] = code << (16 - length);
        code <<= 1;
    }
    return index == table->size;
}

/* Return the length of the first code of a window, and its symbol; 0 where there is none. */
static inline int decode(const codes *c, uint64_t window, uint8_t *symbol) {
    uint32_t head = (uint32_t)(window >> 48);
    for (int length = 1; length <= 16; length++) {
        if (head < c->limit[length]) {
            *symbol = c->table->symbols[(int32_t)(head >> (16 - length)) + c->offset[length]];
            return length;
        }
    }
    return 0;
}

/* A size of 0 is EOB or ZRL in sequential scans; the other runs belong to progressive ones. */
static inline int ac_valid(uint8_t symbol) {
    return (symbol & 15) || symbol == 0 || symbol == ZRL;
}

static inline int ac_advance(uint8_t symbol) { return symbol ? (symbol >> 4) + 1 : ENDS_BLOCK; }

/* Fill the look-up with {length, symbol} of each window's first code. */
static void first_codes(codes *c) {
    int at = 0;
    size_t index = 0;
    for (int length = 1; length <= LOOK; length++) {
        for (int i = c->table->counts[length - 1]; i > 0; i--, index++) {
            for (int n = 1 << (LOOK - length); n > 0; n--, at++) {
                c->look[at].bits = (uint8_t)length;
                c->look[at].advance = c->table->symbols[index];
            }
        }
    }
}

static int read_dc(codes *c, const jpeg_table *table) {
    if (!read_table(c, table)) {
        return 0;
    }
    for (size_t i = 0; i < table->size; i++) {
        if (table->symbols[i] > MAX_CATEGORY) {
            return 0;
        }
    }
    first_codes(c);
    return 1;
}

static int read_ac(codes *c, const jpeg_table *table) {
    if (!read_table(c, table)) {
        return 0;
    }
    first_codes(c);
    step single[1 << LOOK];
    for (int w = 0; w < 1 << LOOK; w++) {
        uint8_t symbol = c->look[w].advance;
        int valid = c->look[w].bits && ac_valid(symbol);
        single[w].bits = valid ? (uint8_t)(c->look[w].bits + (symbol & 15)) : 0;
        single[w].advance = valid ? (uint8_t)ac_advance(symbol) : 0;
    }
    for (int w = 0; w < 1 << LOOK; w++) {
        step joined = single[w];
        /* What is shifted in is zeros, not the stream: only codes that are whole are joined. */
        while (joined.bits && joined.bits < LOOK && joined.advance < ENDS_BLOCK) {
            step next = single[w << joined.bits & ((1 << LOOK) - 1)];
            int index = joined.advance + (next.advance & (ENDS_BLOCK - 1));
            if (!next.bits || joined.bits + next.bits > LOOK || index > 64) {
                break;
            }
            joined.bits = (uint8_t)(joined.bits + next.bits);
            joined.advance = (uint8_t)(joined.advance + next.advance);
        }
        c->look[w] = joined;
    }
    return 1;
}

/* ---- blocks ---- */

/* Read a DC difference; return its bits, 0 where the code is unknown. */
static inline int read_difference(const codes *c, uint64_t window, int64_t *difference) {
    step entry = c->look[window >> (64 - LOOK)];
    int length = entry.bits;
    uint8_t category = entry.advance;
    if (!length) {
        length = decode(c, window, &category);
        if (!length) {
            return 0;
        }
    }
    int32_t value = 0;
    if (category) {
        value = (int32_t)(window << length >> (64 - category));
        if (value < 1 << (category - 1)) { /* T.81 F.2.2.1 */
            value -= (1 << category) - 1;
        }
    }
    *difference = value;
    return length + category;
}

/* Skip the AC coefficients of a block code by code; 0 where they are corrupt. */
static uint64_t skip_slowly(const codes *c, const uint8_t *data, uint64_t at) {
    for (int k = 1; k < 64;) {
        uint8_t symbol;
        int length = decode(c, peek(data, at), &symbol);
        if (!length || !ac_valid(symbol)) {
            return 0;
        }
        at += (uint64_t)(length + (symbol & 15));
        k += ac_advance(symbol);
        if (k > 64 && symbol) {
            return 0;
        }
    }
    return at;
}

/* Skip the AC coefficients of a block, several codes a step; 0 where they are corrupt.
 *
 * Joined codes may run over the end of a block without EOB: such a block is walked again. */
static inline uint64_t skip_block(
    const codes *c, const uint8_t *data, uint64_t at, uint64_t window, int valid) {
    uint64_t first = at;
    int k = 1;
    while (k < 64) {
        if (valid < LONGEST) {
            window = peek(data, at);
            valid = WHOLE;
        }
        step entry = c->look[window >> (64 - LOOK)];
        int bits = entry.bits, advance = entry.advance;
        if (!bits) {
            uint8_t symbol;
            bits = decode(c, window, &symbol);
            if (!bits || !ac_valid(symbol)) {
                return 0;
            }
            bits += symbol & 15;
            advance = ac_advance(symbol);
        }
        window <<= bits;
        valid -= bits;
        at += (uint64_t)bits;
        k += advance;
    }
    if (k != 64 && (k <= ENDS_BLOCK || k >= ENDS_BLOCK + 64)) {
        return skip_slowly(c, data, first);
    }
    return at;
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
            int bits = read_difference(&w->dc[i], window, &difference);
            level[i] += difference;
            if (leaves && s == w->first[i]) {
                open->after[i] = level[i];
                open->at[i] = at;
                open->bits[i] = (uint8_t)bits;
            }
            if (!hit) {
                w->sum[i] += level[i];
                w->kept[i]++;
            }
            at += (uint64_t)bits;
            uint64_t next =
                bits ? skip_block(&w->ac[i], data, at, window << bits, WHOLE - bits) : 0;
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
        part->walked = scan->mean;
        for (size_t i = 0; i < units && !part->walked; i++) {
            part->walked = covered[i] != 0;
        }
        if (!part->walked) {
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

/* Choose the fill and collect the DC categories that it needs. */
static jpeg_status prepare(work *w, uint32_t *needs) {
    int missing = 0;
    for (int i = 0; i < w->scan->count; i++) {
        w->fill[i] = w->scan->component[i].level;
        if (w->scan->mean && w->kept[i]) { /* rounded to nearest, halves up */
            int64_t over = 2 * w->sum[i] + w->kept[i], by = 2 * w->kept[i];
            w->fill[i] = over / by - (over % by < 0);
        }
        needs[i] = 1;
        for (size_t r = 0; r < w->n_runs; r++) {
            int enter = category(w->fill[i] - w->runs[r].before[i]);
            int leave = w->runs[r].follows ? category(w->runs[r].after[i] - w->fill[i]) : 0;
            if (enter > MAX_CATEGORY || leave > MAX_CATEGORY) {
                return JPEG_RANGE;
            }
            needs[i] |= 1u << enter | 1u << leave;
        }
        for (int size = 0; size <= MAX_CATEGORY; size++) {
            missing |= (needs[i] >> size & 1) && !w->dc[i].length[size];
        }
        missing |= !w->ac[i].length[0];
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
            put_difference(out, &w->dc[i], enters ? w->fill[i] - r->before[i] : 0);
            put(out, w->ac[i].code[0], w->ac[i].length[0]);
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
            put_difference(out, &w->dc[i], r->after[i] - w->fill[i]);
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

static jpeg_status read_tables(work *w) {
    const jpeg_scan *scan = w->scan;
    for (int i = 0; i < scan->count; i++) {
        if (!read_dc(&w->dc[i], &scan->component[i].dc) ||
            !read_ac(&w->ac[i], &scan->component[i].ac)) {
            return JPEG_ARGUMENT;
        }
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
    w->dc = malloc(2 * (size_t)scan->count * sizeof *w->dc);
    w->intervals = calloc(w->n_intervals, sizeof *w->intervals);
    w->runs = malloc((runs + 1) * sizeof *w->runs);
    w->plain = malloc(scan->size + PADDING);
    if (!w->dc || !w->intervals || !w->runs || !w->plain) {
        return JPEG_MEMORY;
    }
    w->ac = w->dc + scan->count;
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
    free(w.dc);
    free(w.intervals);
    free(w.runs);
    free(w.plain);
    return status;
}

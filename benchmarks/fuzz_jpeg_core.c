/* Random scans for the C core alone, under AddressSanitizer and UBSan: millions in a minute.
 *
 *   cc -std=c99 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
 *      -Iengine/cinescrub/pixels benchmarks/fuzz_jpeg_core.c engine/cinescrub/pixels/_jpeg_scan.c -o /tmp/fuzz
 *   /tmp/fuzz 2000000 1
 *
 * Tables are complete, incomplete or wrong; data is random, or random and then stuffed, with restart
 * markers, fill bytes and foreign markers in it. Every buffer is allocated as large as it is said to
 * be, so that one byte too far is an error. What was rewritten has to stay the same a second time. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "_jpeg_scan.h"

static uint64_t state;

static uint32_t draw(uint32_t below) { /* xorshift64* */
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * 2685821657736338717u) >> 33) % below;
}

/* Fill a table; most are valid. */
static void make_table(jpeg_table *table, int ac) {
    uint8_t *counts = calloc(16, 1);
    uint32_t room = 1, total = 0;
    int full = draw(3) > 0;
    for (int length = 0; length < 16; length++) {
        room *= 2;
        uint32_t most = room < 60 ? room : 60, left = 256 - total;
        most = most < left ? most : left;
        uint32_t count = draw(2) || (full && length > 8) ? draw((most < 8 ? most : 8) + 1) : 0;
        if (full && room <= left && length > 3 && (room > 40 || length == 15 || draw(6) == 0)) {
            count = room; /* no code is left: all bits mean something */
        }
        counts[length] = (uint8_t)count;
        room -= count < room ? count : room;
        total += counts[length];
    }
    uint8_t *symbols = malloc(total ? total : 1);
    uint32_t whole = draw(4); /* else symbols of the fill may be missing */
    for (uint32_t i = 0; i < total; i++) {
        symbols[i] = (uint8_t)(ac ? draw(4) << 4 | (1 + draw(10)) : draw(12));
        if (whole) {
            symbols[i] = (uint8_t)(ac && draw(4) == 0 ? 0 : !ac && i < 16 ? i : symbols[i]);
        }
        if (draw(1000) == 0) {
            symbols[i] = (uint8_t)draw(256);
        }
    }
    if (draw(50) == 0) {
        counts[draw(16)] = (uint8_t)draw(256); /* no longer what it says */
    }
    table->counts = counts;
    table->symbols = symbols;
    table->size = total;
}

static uint8_t *make_data(size_t *size, size_t intervals) {
    size_t capacity = draw(600), at = 0, markers = 0;
    uint8_t *data = malloc(2 * capacity + 2 * intervals + 64);
    int stuffed = draw(4) > 0;
    for (size_t i = 0; i < capacity; i++) {
        uint8_t byte = (uint8_t)draw(draw(3) ? 256 : 3);
        data[at++] = byte;
        if (byte == 0xFF && stuffed) {
            data[at++] = 0;
        }
        if (markers + 1 < intervals && draw((uint32_t)(capacity / intervals + 1)) == 0) {
            data[at++] = 0xFF;
            data[at++] = (uint8_t)(0xD0 + markers++ % 8);
        }
    }
    while (markers + 1 < intervals && draw(20)) {
        data[at++] = 0xFF;
        data[at++] = (uint8_t)(0xD0 + markers++ % 8);
    }
    for (uint32_t n = draw(8) == 0 ? draw(4) : 0; n && at; n--) {
        data[draw((uint32_t)at)] = (uint8_t)(draw(2) ? 0xFF : draw(256));
    }
    uint8_t *exact = malloc(at ? at : 1);
    memcpy(exact, data, at);
    free(data);
    *size = at;
    return exact;
}

static int same_again(jpeg_scan scan, const jpeg_result *first) {
    scan.data = first->data;
    scan.size = first->size;
    jpeg_result second;
    int same = jpeg_rewrite(&scan, &second) == JPEG_OK && second.size == first->size &&
               !memcmp(second.data, first->data, first->size);
    free(second.data);
    return same;
}

int main(int count, char **given) {
    long cases = count > 1 ? atol(given[1]) : 100000, outcomes[JPEG_MEMORY + 1] = {0};
    state = (count > 2 ? strtoull(given[2], NULL, 10) : 1) * 0x9E3779B97F4A7C15u | 1;
    for (long n = 0; n < cases; n++) {
        jpeg_scan scan = {.units = 1 + draw(draw(2) ? 60 : 5), .restart = draw(2) ? draw(9) : 0};
        scan.count = 1 + (int)(draw(2) * draw(JPEG_MAX_COMPONENTS));
        for (int i = 0; i < scan.count; i++) {
            jpeg_component *c = &scan.component[i];
            make_table(&c->dc, 0);
            make_table(&c->ac, 1);
            c->blocks = 1 + (int)(draw(3) == 0) + (int)(draw(40) == 0);
            c->level = (int64_t)draw(2048) - 1024;
        }
        uint8_t *covered = malloc(scan.units);
        for (size_t i = 0, share = draw(9); i < scan.units; i++) {
            covered[i] = draw(8) < share;
        }
        scan.covered = covered;
        size_t length = scan.restart ? scan.restart : scan.units;
        scan.data = make_data(&scan.size, (scan.units - 1) / length + 1);
        jpeg_result result;
        jpeg_status status = jpeg_rewrite(&scan, &result);
        outcomes[status]++;
        size_t end = scan.size ? jpeg_scan_end(scan.data, scan.size, draw((uint32_t)scan.size)) : 0;
        if (end > scan.size || (status == JPEG_OK && !same_again(scan, &result))) {
            printf("case %ld: the second time it is another\n", n);
            return 1;
        }
        free(result.data);
        free(covered);
        free((void *)scan.data);
        for (int i = 0; i < scan.count; i++) {
            free((void *)scan.component[i].dc.counts);
            free((void *)scan.component[i].dc.symbols);
            free((void *)scan.component[i].ac.counts);
            free((void *)scan.component[i].ac.symbols);
        }
    }
    printf("{\"cases\": %ld, \"rewritten\": %ld, \"code missing\": %ld, \"can't be read\": %ld, "
           "\"restart intervals\": %ld, \"order\": %ld, \"levels\": %ld, \"wrongly described\": %ld, "
           "\"cpu_seconds\": %.1f}\n",
           cases, outcomes[JPEG_OK], outcomes[JPEG_MISSING], outcomes[JPEG_ENTROPY],
           outcomes[JPEG_INTERVALS], outcomes[JPEG_ORDER], outcomes[JPEG_RANGE],
           outcomes[JPEG_ARGUMENT], (double)clock() / CLOCKS_PER_SEC);
    return 0;
}

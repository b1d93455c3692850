/* Huffman codes of JPEG: tables, and how blocks are read and skipped. ITU-T T.81 annexes C and F.
 *
 * Everything is static, so that the walk in _jpeg_scan.c is compiled as one. */

#ifndef CINESCRUB_JPEG_CODES_H
#define CINESCRUB_JPEG_CODES_H

#include <stdint.h>
#include <string.h>

#include "_jpeg_scan.h"

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

#endif
